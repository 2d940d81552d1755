"""Everything that speaks with Replicate: the API client, the downloads of outputs, the proof of webhooks.

`lenient`, `signature` and `webhooks` stand on the standard library alone: the open door of the webhooks
imports them, and must start fast.
"""
