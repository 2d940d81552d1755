"""Replicate's predictions: create, read, cancel, list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from revela.adapters.replicate import lenient
from revela.adapters.replicate.client import ReplicateClient, endpoint
from revela.adapters.replicate.pages import pages
from revela.domain.prediction import PredictionStatus

CANCEL_AFTER_MIN_S = 5
WEBHOOK_EVENTS = ("start", "completed")

_ALL = endpoint("/predictions")


def _status(value: Any) -> Any:
    # A status that is not documented yet ends nothing: the prediction is watched until our own deadline.
    unknown = isinstance(value, str) and value not in set(PredictionStatus)
    return PredictionStatus.PROCESSING if unknown else value


def _mapping(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


Instant = Annotated[datetime | None, BeforeValidator(lenient.instant)]


class PredictionBody(BaseModel):
    """A prediction as Replicate writes it; only `id` and `status` are always there."""

    id: str = Field(min_length=1)
    status: Annotated[PredictionStatus, BeforeValidator(_status)]
    version: Annotated[str | None, BeforeValidator(_text)] = None
    input: Annotated[dict[str, Any] | None, BeforeValidator(_mapping)] = None
    output: Annotated[tuple[str, ...], BeforeValidator(lenient.output_urls)] = ()
    error: Annotated[str | None, BeforeValidator(lenient.error_text)] = None
    data_removed: Annotated[bool, BeforeValidator(lambda value: value is True)] = False
    predict_time_s: Annotated[float | None, BeforeValidator(lenient.predict_time)] = Field(
        None, validation_alias="metrics"
    )
    created_at: Instant = None
    started_at: Instant = None
    completed_at: Instant = None


class Predictions:
    def __init__(self, client: ReplicateClient) -> None:
        self._client = client

    def create(
        self, *, version: str, model_input: Mapping[str, Any], webhook_url: str | None, cancel_after_s: int
    ) -> PredictionBody:
        """Create a prediction, once.

        `version` is owner/name of an official model, owner/name:hash or a hash. Replicate counts
        `cancel_after_s` from the creation, and takes no less than five.
        """
        body: dict[str, Any] = {"version": version, "input": dict(model_input)}
        if webhook_url is not None:
            body |= {"webhook": webhook_url, "webhook_events_filter": list(WEBHOOK_EVENTS)}
        headers = {"Cancel-After": f"{max(cancel_after_s, CANCEL_AFTER_MIN_S)}s"}
        return self._client.post_once(_ALL, PredictionBody, body=body, headers=headers)

    def get(self, prediction_id: str) -> PredictionBody:
        target = endpoint("/predictions/{prediction_id}", prediction_id=prediction_id)
        return self._client.get(target, PredictionBody)

    def cancel(self, prediction_id: str) -> PredictionBody:
        target = endpoint("/predictions/{prediction_id}/cancel", prediction_id=prediction_id)
        return self._client.post_repeatable(target, PredictionBody)

    def pages(self, *, created_after: datetime) -> Iterator[list[PredictionBody]]:
        since = created_after.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return pages(self._client, _ALL, PredictionBody, query={"created_after": since})
