"""Models at Replicate: everybody's to run, and the account's own that trainings push their versions to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from revela.adapters.replicate import fields
from revela.adapters.replicate.client import Endpoint, ReplicateClient, endpoint
from revela.adapters.replicate.pages import PageBody, following, pages
from revela.adapters.replicate.predictions import PredictionBody
from revela.adapters.replicate.versions import VersionBody

Visibility = Literal["public", "private"]
SortBy = Literal["model_created_at", "latest_version_created_at"]
SortDirection = Literal["asc", "desc"]

_ALL = endpoint("/models")


def _latest(value: Any) -> Any:
    # A model without a version has null here, or an object without an id.
    return value if isinstance(value, dict) and value.get("id") else None


class ModelBody(fields.Body):
    owner: str = Field(min_length=1)
    name: str = Field(min_length=1)
    description: fields.Text = None
    visibility: fields.Text = None
    is_official: fields.Flag = False
    run_count: fields.Number = None
    latest_version: Annotated[VersionBody | None, BeforeValidator(_latest)] = None


class Models:
    def __init__(self, client: ReplicateClient) -> None:
        self._client = client

    def get(self, owner: str, name: str) -> ModelBody:
        return self._client.get(_one(owner, name), ModelBody)

    def pages(
        self,
        *,
        sort_by: SortBy = "latest_version_created_at",
        sort_direction: SortDirection = "desc",
    ) -> Iterator[list[ModelBody]]:
        """Yield the public models and the account's own: many thousands at the real Replicate."""
        query = {"sort_by": sort_by, "sort_direction": sort_direction}
        return pages(self._client, _ALL, ModelBody, query=query)

    def search(self, text: str) -> Iterator[list[ModelBody]]:
        """Yield the public models that match, by the older of the two searches."""
        return following(self._client, _ALL, ModelBody, self._client.query(_ALL, PageBody, text))

    def create(
        self, *, owner: str, name: str, visibility: Visibility, hardware: str, **details: str
    ) -> ModelBody:
        """Create an empty model, once; an account has at most 1,000.

        `details`: description, github_url, paper_url, license_url, cover_image_url.
        """
        body = {"owner": owner, "name": name, "visibility": visibility, "hardware": hardware, **details}
        return self._client.post_once(_ALL, ModelBody, body=body)

    def update(self, owner: str, name: str, **details: str) -> ModelBody:
        """Change `details`: description, readme, github_url, paper_url, weights_url, license_url."""
        return self._client.patch_once(_one(owner, name), ModelBody, body=details)

    def delete(self, owner: str, name: str) -> None:
        """Delete a private model of the account; Replicate refuses as long as it has versions."""
        self._client.delete(_one(owner, name))

    def examples(self, owner: str, name: str) -> Iterator[list[PredictionBody]]:
        target = endpoint("/models/{owner}/{name}/examples", owner=owner, name=name)
        return pages(self._client, target, PredictionBody)

    def readme(self, owner: str, name: str) -> str:
        """Return its Markdown. Raises ProviderNotFound when it has none."""
        return self._client.get_text(endpoint("/models/{owner}/{name}/readme", owner=owner, name=name))


def _one(owner: str, name: str) -> Endpoint:
    return endpoint("/models/{owner}/{name}", owner=owner, name=name)
