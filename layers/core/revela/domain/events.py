"""What the outside is told of a generation: events, past tense, without anything a person wrote.

They are read off the row before and after a write. A retry is our own business: a job is queued once.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from revela.domain.generation import Appeal, Blocked, Output
from revela.domain.job import Failure, State


class GenerationSeen(BaseModel):
    """The part of a generation's row that events speak of."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    user_id: str
    id: str
    version: int
    state: State
    model: str
    credits_held: int
    credits_charged: int
    attempt: int
    updated_at: datetime
    outputs: tuple[Output, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    appeal: Appeal | None = None
    failure: Failure | None = None


class Credits(BaseModel):
    """Whole credits, as in the API; held + charged + refunded == estimated."""

    estimated: int
    held: int
    charged: int
    refunded: int


class GenerationEvent(BaseModel):
    """`id` is the same for every delivery of the same event."""

    model_config = ConfigDict(frozen=True)

    id: str
    user_id: str
    generation_id: str
    model: str
    credits: Credits
    at: datetime

    @property
    def name(self) -> str:
        return type(self).__name__


class GenerationQueued(GenerationEvent):
    pass


class GenerationStarted(GenerationEvent):
    attempt: int


class GenerationSucceeded(GenerationEvent):
    """`images` were published, `blocked` ones were not."""

    images: int
    blocked: int


class GenerationFailed(GenerationEvent):
    """`failure_code` names a text of `messages`."""

    failure_code: str | None


class GenerationCanceled(GenerationEvent):
    pass


class GenerationAppealed(GenerationEvent):
    """Its owner wants `blocked` images to be looked at again; the words are in the row alone."""

    blocked: int


DomainEvent = (
    GenerationQueued
    | GenerationStarted
    | GenerationSucceeded
    | GenerationFailed
    | GenerationCanceled
    | GenerationAppealed
)


def event_of(before: GenerationSeen | None, after: GenerationSeen) -> DomainEvent | None:
    """Return what a write means to the outside, or None when it means nothing."""
    was = before.state if before else None
    appealed = before is not None and before.appeal is None and after.appeal is not None
    if was is after.state and not appealed:
        return None
    facts = {
        "id": f"{after.id}@{after.version}",
        "user_id": after.user_id,
        "generation_id": after.id,
        "model": after.model,
        "credits": _credits(after),
        "at": after.updated_at,
    }
    if appealed:
        return GenerationAppealed(**facts, blocked=len(after.blocked))
    match after.state:
        case State.QUEUED if was in (None, State.WAITING):
            return GenerationQueued(**facts)
        case State.PROCESSING | State.SAVING if was is State.STARTING:
            return GenerationStarted(**facts, attempt=after.attempt)
        case State.SUCCEEDED:
            return GenerationSucceeded(**facts, images=len(after.outputs), blocked=len(after.blocked))
        case State.FAILED:
            return GenerationFailed(**facts, failure_code=after.failure.code if after.failure else None)
        case State.CANCELED:
            return GenerationCanceled(**facts)
    return None


def _credits(row: GenerationSeen) -> Credits:
    live = row.state.live
    return Credits(
        estimated=row.credits_held,
        held=row.credits_held if live else 0,
        charged=row.credits_charged,
        refunded=0 if live else row.credits_held - row.credits_charged,
    )
