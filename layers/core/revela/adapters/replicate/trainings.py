"""Replicate's trainings: create, read, cancel, list. There is no `Cancel-After` for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from revela.adapters.replicate import fields
from revela.adapters.replicate.client import ReplicateClient, endpoint
from revela.adapters.replicate.pages import pages
from revela.adapters.replicate.predictions import webhook

_ALL = endpoint("/trainings")


class TrainingOutput(fields.Body):
    """`version` is owner/name:hash, ready to be predicted with."""

    version: fields.Text = None
    weights: fields.Text = None


def _output(value: Any) -> Any:
    return value if isinstance(value, dict) else None


class TrainingBody(fields.Body):
    """A training as Replicate writes it. It does not tell its destination until `output` does."""

    id: str = Field(min_length=1)
    status: fields.Status
    model: fields.Text = None
    version: fields.Text = None
    input: fields.Mapping = None
    output: Annotated[TrainingOutput | None, BeforeValidator(_output)] = None
    error: fields.Error = None
    logs: fields.Text = None
    predict_time_s: fields.PredictTime = Field(None, validation_alias="metrics")
    created_at: fields.Instant = None
    started_at: fields.Instant = None
    completed_at: fields.Instant = None


class Trainings:
    def __init__(self, client: ReplicateClient) -> None:
        self._client = client

    def create(
        self,
        *,
        owner: str,
        name: str,
        version: str,
        destination: str,
        training_input: Mapping[str, Any],
        webhook_url: str | None = None,
    ) -> TrainingBody:
        """Create a training with a version of the trainer owner/name, once.

        `destination` is owner/name of a model of this account; Replicate answers 404 for any other.
        """
        target = endpoint(
            "/models/{owner}/{name}/versions/{version}/trainings", owner=owner, name=name, version=version
        )
        body = {"destination": destination, "input": dict(training_input), **webhook(webhook_url)}
        return self._client.post_once(target, TrainingBody, body=body)

    def get(self, training_id: str) -> TrainingBody:
        return self._client.get(endpoint("/trainings/{training_id}", training_id=training_id), TrainingBody)

    def cancel(self, training_id: str) -> TrainingBody:
        target = endpoint("/trainings/{training_id}/cancel", training_id=training_id)
        return self._client.post_repeatable(target, TrainingBody)

    def pages(self) -> Iterator[list[TrainingBody]]:
        """Yield all trainings of the account, newest first: Replicate takes no times to look between."""
        return pages(self._client, _ALL, TrainingBody)
