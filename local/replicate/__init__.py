"""A stand-in for Replicate on one machine: its HTTP API, real images, signed webhooks.

Written from Replicate's published documents only and sharing no code with the product, so that the two
are independent readings of the same documents. README.md beside this file says how to use it.
"""
