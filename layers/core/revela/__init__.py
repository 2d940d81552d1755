"""Revela: generations on Replicate, outputs in S3, credits held and settled exactly once."""

__version__ = "0.1.0"
