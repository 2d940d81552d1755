"""Deployments: a version on hardware of the account's own choice, and predictions with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from revela.adapters.replicate import fields
from revela.adapters.replicate.client import Endpoint, ReplicateClient, endpoint
from revela.adapters.replicate.pages import pages
from revela.adapters.replicate.predictions import PredictionBody, create_prediction

_ALL = endpoint("/deployments")


def _release(value: Any) -> Any:
    return value if isinstance(value, dict) else None


class Release(fields.Body):
    """What a deployment runs now: the `number`-th that it was told to."""

    number: fields.Number = None
    model: fields.Text = None
    version: fields.Text = None
    created_at: fields.Instant = None
    configuration: fields.Mapping = None


class DeploymentBody(fields.Body):
    owner: str = Field(min_length=1)
    name: str = Field(min_length=1)
    current_release: Annotated[Release | None, BeforeValidator(_release)] = None


class Deployments:
    def __init__(self, client: ReplicateClient) -> None:
        self._client = client

    def get(self, owner: str, name: str) -> DeploymentBody:
        return self._client.get(_one(owner, name), DeploymentBody)

    def pages(self) -> Iterator[list[DeploymentBody]]:
        return pages(self._client, _ALL, DeploymentBody)

    def create(
        self, *, name: str, model: str, version: str, hardware: str, min_instances: int, max_instances: int
    ) -> DeploymentBody:
        """Create a deployment of a version of `model` (owner/name), once.

        `hardware` is an SKU; at least 0 to 5 and at most 0 to 20 instances run. Idle ones are billed.
        """
        body = {
            "name": name,
            "model": model,
            "version": version,
            "hardware": hardware,
            "min_instances": min_instances,
            "max_instances": max_instances,
        }
        return self._client.post_once(_ALL, DeploymentBody, body=body)

    def update(self, owner: str, name: str, **changes: str | int) -> DeploymentBody:
        """Make a new release. `changes`: version, hardware, min_instances, max_instances."""
        return self._client.patch_once(_one(owner, name), DeploymentBody, body=changes)

    def delete(self, owner: str, name: str) -> None:
        """Delete it; Replicate refuses unless it is offline and was not used for 15 minutes."""
        self._client.delete(_one(owner, name))

    def predict(
        self,
        owner: str,
        name: str,
        *,
        model_input: Mapping[str, Any],
        webhook_url: str | None = None,
        cancel_after_s: int | None = None,
    ) -> PredictionBody:
        """Create a prediction with what the deployment runs, once."""
        target = endpoint("/deployments/{owner}/{name}/predictions", owner=owner, name=name)
        return create_prediction(
            self._client,
            target,
            {"input": dict(model_input)},
            webhook_url=webhook_url,
            cancel_after_s=cancel_after_s,
        )


def _one(owner: str, name: str) -> Endpoint:
    return endpoint("/deployments/{owner}/{name}", owner=owner, name=name)
