"""Replicate's predictions: create, read, cancel, list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from revela.adapters.replicate import fields
from revela.adapters.replicate.client import Endpoint, ReplicateClient, endpoint
from revela.adapters.replicate.pages import pages

CANCEL_AFTER_MIN_S = 5
WAIT_MAX_S = 60
WEBHOOK_EVENTS = ("start", "completed")

_ALL = endpoint("/predictions")


class PredictionBody(fields.Body):
    """A prediction as Replicate writes it; only `id` and `status` are always there."""

    id: str = Field(min_length=1)
    status: fields.Status
    model: fields.Text = None
    version: fields.Text = None
    deployment: fields.Text = None
    input: fields.Mapping = None
    output: fields.Urls = ()
    error: fields.Error = None
    logs: fields.Text = None
    data_removed: fields.Flag = False
    predict_time_s: fields.PredictTime = Field(None, validation_alias="metrics")
    created_at: fields.Instant = None
    started_at: fields.Instant = None
    completed_at: fields.Instant = None


class Predictions:
    def __init__(self, client: ReplicateClient) -> None:
        self._client = client

    def create(
        self,
        *,
        version: str,
        model_input: Mapping[str, Any],
        webhook_url: str | None = None,
        cancel_after_s: int | None = None,
        wait_s: int = 0,
    ) -> PredictionBody:
        """Create a prediction, once.

        `version` is owner/name of an official model, owner/name:hash or a hash. Replicate counts
        `cancel_after_s` from the creation, and takes no less than five. It holds its answer for up to
        `wait_s`, at most a minute; one that it held may bear the output while its status still says
        that the prediction runs.
        """
        return create_prediction(
            self._client,
            _ALL,
            {"version": version, "input": dict(model_input)},
            webhook_url=webhook_url,
            cancel_after_s=cancel_after_s,
            wait_s=wait_s,
        )

    def get(self, prediction_id: str) -> PredictionBody:
        target = endpoint("/predictions/{prediction_id}", prediction_id=prediction_id)
        return self._client.get(target, PredictionBody)

    def cancel(self, prediction_id: str) -> PredictionBody:
        target = endpoint("/predictions/{prediction_id}/cancel", prediction_id=prediction_id)
        return self._client.post_repeatable(target, PredictionBody)

    def pages(
        self, *, created_after: datetime | None = None, created_before: datetime | None = None
    ) -> Iterator[list[PredictionBody]]:
        bounds = {"created_after": created_after, "created_before": created_before}
        query = {
            name: moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
            for name, moment in bounds.items()
            if moment is not None
        }
        return pages(self._client, _ALL, PredictionBody, query=query)


def create_prediction(
    client: ReplicateClient,
    target: Endpoint,
    body: Mapping[str, Any],
    *,
    webhook_url: str | None,
    cancel_after_s: int | None,
    wait_s: int = 0,
) -> PredictionBody:
    headers = {}
    if cancel_after_s is not None:
        headers["Cancel-After"] = f"{max(cancel_after_s, CANCEL_AFTER_MIN_S)}s"
    if wait_s > 0:
        headers["Prefer"] = f"wait={min(wait_s, WAIT_MAX_S)}"
    return client.post_once(target, PredictionBody, body={**body, **webhook(webhook_url)}, headers=headers)


def webhook(url: str | None) -> dict[str, Any]:
    """Return the fields of a create that ask for webhooks, at the start and at the end."""
    return {} if url is None else {"webhook": url, "webhook_events_filter": list(WEBHOOK_EVENTS)}
