"""A prediction as any provider reports it: the facts that decide what a job does next.

A training is told of in the same shape.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class PredictionStatus(StrEnum):
    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"

    @property
    def terminal(self) -> bool:
        # `aborted` (its Cancel-After passed before it started) ends a prediction too, though
        # every official SDK forgets it.
        return self not in (PredictionStatus.STARTING, PredictionStatus.PROCESSING)


class Prediction(BaseModel):
    """`output` holds URLs in the provider's order; `predict_time_s` is billed compute time.

    Of a training: `trained_version` is what can be run now, `weights_url` the archive of its weights,
    `logs` what its trainer printed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    status: PredictionStatus
    output: tuple[str, ...] = ()
    error: str | None = None
    data_removed: bool = False
    predict_time_s: float | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    input: dict[str, Any] | None = None
    version: str | None = None
    trained_version: str | None = None
    weights_url: str | None = None
    logs: str | None = None
