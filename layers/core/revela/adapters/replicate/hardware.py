"""The hardware that models and deployments can run on."""

from __future__ import annotations

from pydantic import Field, RootModel

from revela.adapters.replicate import fields
from revela.adapters.replicate.client import ReplicateClient, endpoint


class HardwareBody(fields.Body):
    sku: str = Field(min_length=1)
    name: fields.Text = None


class _HardwareList(RootModel[list[HardwareBody]]):
    """The one list without pages."""


def hardware(client: ReplicateClient) -> list[HardwareBody]:
    return client.get(endpoint("/hardware"), _HardwareList).root
