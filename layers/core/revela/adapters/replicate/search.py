"""Replicate's search over models, collections and documentation pages."""

from __future__ import annotations

from revela.adapters.replicate import fields
from revela.adapters.replicate.client import ReplicateClient, endpoint
from revela.adapters.replicate.models import ModelBody

LIMIT_MIN, LIMIT_MAX = 1, 50


class FoundModel(fields.Body):
    """`metadata` holds tags, a generated description and how well it matches."""

    model: ModelBody
    metadata: fields.Mapping = None


class FoundCollection(fields.Body):
    """Names its models by owner/name, unlike a collection that is read by itself."""

    slug: str
    name: fields.Text = None
    description: fields.Text = None
    models: tuple[str, ...] | None = None


class FoundPage(fields.Body):
    name: str
    href: str


class Found(fields.Body):
    query: fields.Text = None
    models: tuple[FoundModel, ...] = ()
    collections: tuple[FoundCollection, ...] = ()
    pages: tuple[FoundPage, ...] = ()


def search(client: ReplicateClient, text: str, *, limit: int = 20) -> Found:
    """Return what matches, `limit` (1 to 50) models at most."""
    query = {"query": text, "limit": str(min(max(limit, LIMIT_MIN), LIMIT_MAX))}
    return client.get(endpoint("/search"), Found, query=query)
