"""Everything that speaks with Replicate: the API client, the downloads of outputs, the proof of webhooks.

`client` is the way to the API; one module per kind of thing says what can be asked of it. The product asks
for predictions, trainings, files, versions and the webhook secret; operators for all of them
(`python -m local replicate`).

`lenient`, `signature` and `webhooks` stand on the standard library alone: the open door of the webhooks
imports them, and must start fast.
"""
