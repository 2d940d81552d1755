"""The account that the API token belongs to."""

from __future__ import annotations

from revela.adapters.replicate import fields
from revela.adapters.replicate.client import ReplicateClient, endpoint


class Account(fields.Body):
    """`username` is also the owner of the account's models and deployments."""

    type: str
    username: str
    name: fields.Text = None


def account(client: ReplicateClient) -> Account:
    return client.get(endpoint("/account"), Account)
