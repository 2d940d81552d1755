"""The secret that Replicate signs the account's webhooks with. There is one per account."""

from __future__ import annotations

from pydantic import BaseModel, Field

from revela.adapters.replicate.client import ReplicateClient, endpoint


class WebhookSecretBody(BaseModel):
    key: str = Field(min_length=1)


def webhook_secret(client: ReplicateClient) -> str:
    return client.get(endpoint("/webhooks/default/secret"), WebhookSecretBody).key
