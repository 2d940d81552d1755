"""Collections: public models that Replicate's people put together by what they do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from revela.adapters.replicate import fields
from revela.adapters.replicate.client import ReplicateClient, endpoint
from revela.adapters.replicate.models import ModelBody
from revela.adapters.replicate.pages import pages

_ALL = endpoint("/collections")


def _items(value: Any) -> Any:
    return value if isinstance(value, list) else []


class CollectionBody(fields.Body):
    """`models` only where one collection is asked for."""

    slug: str = Field(min_length=1)
    name: fields.Text = None
    description: fields.Text = None
    models: Annotated[tuple[ModelBody, ...], BeforeValidator(_items)] = ()


class Collections:
    def __init__(self, client: ReplicateClient) -> None:
        self._client = client

    def get(self, slug: str) -> CollectionBody:
        return self._client.get(endpoint("/collections/{slug}", slug=slug), CollectionBody)

    def pages(self) -> Iterator[list[CollectionBody]]:
        return pages(self._client, _ALL, CollectionBody)
