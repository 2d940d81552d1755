"""The account that the API token belongs to."""

from __future__ import annotations

from pydantic import BaseModel

from revela.adapters.replicate.client import ReplicateClient, endpoint


class Account(BaseModel):
    """`username` is also the owner of the account's models and deployments."""

    type: str
    username: str
    name: str | None = None


def account(client: ReplicateClient) -> Account:
    return client.get(endpoint("/account"), Account)
