"""Trainings over the wire: what is asked for, what is advised, and what became of it."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from api.schemas.generations import JobCredits, Status
from api.schemas.photos import PhotoReport
from api.schemas.wire import Said, Time, Wire


class TrainingRequest(Wire):
    """How to train; each trainer takes some of these fields, within ranges of its own: see the catalog."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    trainer: str | None = Field(None, description="Id of a trainer of the catalog; by default its first.")
    steps: int | None = Field(None, description="How often the photos are looked at; decides the price.")
    resolution: int | None = Field(None, description="Pixels that photos are scaled to.")
    learning_rate: float | None = Field(None, description="How much is learned from each look.")
    batch_size: int | None = Field(None, description="Photos that are looked at together.")
    lora_rank: int | None = Field(None, description="How much the model can learn.")
    autocaption: bool | None = Field(None, description="Whether photos are described for the training.")


class TrainingParams(Wire):
    """Everything that decides a training, defaults filled in; null where the trainer takes no such thing."""

    steps: int
    resolution: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    lora_rank: int | None = None
    autocaption: bool | None = None


class AdviceQuery(Wire):
    model_config = ConfigDict(extra="forbid")

    trainer: str | None = Field(None, description="Id of a trainer of the catalog; by default its first.")


class TrainingQuote(Wire):
    """What a training would cost; `provider_cost_micro_usd` is what the provider bills us, in millionths."""

    trainer: str
    params: TrainingParams
    credits: int
    provider_cost_micro_usd: int
    expected_minutes: int


class AdviceRemark(Said):
    """`parameter` is the one that is explained, if one is."""

    parameter: str | None


class CheaperTraining(TrainingQuote):
    gives_up: list[AdviceRemark]


class TrainingAdvice(TrainingQuote):
    """Send `trainer` and those of `params` that are not null to train as advised."""

    reasons: list[AdviceRemark] = Field(description="One for each parameter.")
    warnings: list[AdviceRemark]
    cheaper: CheaperTraining | None = Field(description="Null when nothing sensible is.")
    credits_available: int
    photos: PhotoReport


class TrainingProgress(Wire):
    """As the trainer told last; what it has not told is null."""

    percent: int
    left_s: int | None
    ends_at: Time | None = Field(description="When it is expected to end, as far as can be told.")


class TrainingFailure(Wire):
    """Why there is no version: a stable code, the cause, and what to do; nothing was charged."""

    code: str
    message: str
    advice: str


class Training(Wire):
    id: str
    model: str
    status: Status
    trainer: str
    params: TrainingParams
    photos: int = Field(
        description="How many it learns from: those that were accepted when it was asked for."
    )
    credits: JobCredits
    expected_minutes: int | None = Field(description="Once it has begun; null for a trainer of former times.")
    progress: TrainingProgress
    cancel_requested: bool = Field(
        description="A cancel was asked for and passed on; a version that is done first is kept and charged."
    )
    created_at: Time
    updated_at: Time
    started_at: Time | None
    completed_at: Time | None
    poll_after_s: int | None = Field(description="Ask again after so many seconds; null once it has ended.")
    error: TrainingFailure | None


class TrainingPage(Wire):
    """Newest first."""

    items: list[Training]
    cursor: str | None = Field(description="Opaque; null on the last page.")
