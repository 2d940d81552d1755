"""Versions of a model at Replicate: what is run, and what a training makes."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from revela.adapters.replicate import fields
from revela.adapters.replicate.client import Endpoint, ReplicateClient, endpoint
from revela.adapters.replicate.pages import pages


class VersionBody(fields.Body):
    """`openapi_schema` is the model's own, as Cog writes it: inputs, outputs, training inputs."""

    id: str = Field(min_length=1)
    created_at: fields.Instant = None
    cog_version: fields.Text = None
    openapi_schema: fields.Mapping = None


class Versions:
    def __init__(self, client: ReplicateClient) -> None:
        self._client = client

    def get(self, owner: str, name: str, version: str) -> VersionBody:
        return self._client.get(_one(owner, name, version), VersionBody)

    def delete(self, owner: str, name: str, version: str) -> None:
        """Ask for a version to go, and all its predictions with it; Replicate takes minutes to do it."""
        self._client.delete(_one(owner, name, version))

    def pages(self, owner: str, name: str) -> Iterator[list[VersionBody]]:
        target = endpoint("/models/{owner}/{name}/versions", owner=owner, name=name)
        return pages(self._client, target, VersionBody)


def _one(owner: str, name: str, version: str) -> Endpoint:
    return endpoint("/models/{owner}/{name}/versions/{version}", owner=owner, name=name, version=version)
