"""A job's life: its states, the table of moves between them, and the row that is the truth.

Generations and trainings are jobs. Queues and webhooks are hints. Every move goes through `step`, which
refuses what `TRANSITIONS` does not list; the state diagram in the documentation is generated from the
same table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from revela.domain.account import Place, Portion
from revela.domain.policy import QUEUE_AGE_MAX


class State(StrEnum):
    WAITING = "waiting"
    QUEUED = "queued"
    STARTING = "starting"
    PROCESSING = "processing"
    SAVING = "saving"
    JUDGING = "judging"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    DELETING = "deleting"

    @property
    def terminal(self) -> bool:
        return self in TERMINAL

    @property
    def live(self) -> bool:
        return self in LIVE

    @property
    def at_provider(self) -> bool:
        return self in (State.STARTING, State.PROCESSING)

    @property
    def has_outputs(self) -> bool:
        """Tell whether the provider has delivered: what is left to do is ours."""
        return self in (State.SAVING, State.JUDGING)


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED})
LIVE = frozenset({State.WAITING, State.QUEUED, State.STARTING, State.PROCESSING, State.SAVING, State.JUDGING})


class Event(StrEnum):
    HANDED_OVER = "place free"
    POSTPONED = "slot or back-off ahead"
    INPUT_LOST = "photos gone"
    PROMPT_PASSED = "judge passes the prompt"
    PROMPT_REFUSED = "judge refuses the prompt"
    JUDGE_AWAY = "judge away for too long"
    MODEL_CLOSED = "consent withdrawn, or model closed"
    CLAIMED = "worker is about to create"
    RECORDED = "create answered, or start seen"
    REFUSED_FOR_NOW = "create refused for now"
    LOST = "lease over, create unknown"
    REJECTED = "create rejected"
    PROVIDER_SUCCEEDED = "provider succeeded"
    PROVIDER_FAILED = "provider failed or aborted"
    PROVIDER_CANCELED = "provider canceled"
    DEADLINE_EXCEEDED = "deadline over, cancel not obeyed"
    SAVING_RECLAIMED = "saving lease over"
    SAVING_DELAYED = "saving fails for now"
    JUDGE_AWAITED = "outputs in quarantine, judge not done"
    JUDGING_RECLAIMED = "worker asks the judge"
    JUDGING_DELAYED = "judge not done"
    OUTPUTS_SAVED = "outputs judged and published"
    OUTPUTS_BLOCKED = "all outputs blocked"
    OUTPUTS_UNUSABLE = "outputs gone or invalid"
    CANCEL_REQUESTED = "cancel"
    QUEUE_AGE_EXCEEDED = "queued for a day"
    VISITED = "reconcile looks"
    APPEALED = "appeal"
    DELETED = "delete"


class Transition(NamedTuple):
    source: State
    event: Event
    targets: tuple[State, ...]


TRANSITIONS: tuple[Transition, ...] = (
    Transition(State.WAITING, Event.HANDED_OVER, (State.QUEUED,)),
    Transition(State.WAITING, Event.CANCEL_REQUESTED, (State.CANCELED,)),
    Transition(State.WAITING, Event.QUEUE_AGE_EXCEEDED, (State.FAILED,)),
    Transition(State.WAITING, Event.VISITED, (State.WAITING,)),
    Transition(State.QUEUED, Event.POSTPONED, (State.QUEUED,)),
    Transition(State.QUEUED, Event.INPUT_LOST, (State.FAILED,)),
    Transition(State.QUEUED, Event.PROMPT_PASSED, (State.QUEUED,)),
    Transition(State.QUEUED, Event.PROMPT_REFUSED, (State.FAILED,)),
    Transition(State.QUEUED, Event.JUDGE_AWAY, (State.FAILED,)),
    Transition(State.QUEUED, Event.MODEL_CLOSED, (State.FAILED,)),
    Transition(State.QUEUED, Event.CLAIMED, (State.STARTING,)),
    Transition(State.QUEUED, Event.CANCEL_REQUESTED, (State.CANCELED,)),
    Transition(State.QUEUED, Event.QUEUE_AGE_EXCEEDED, (State.FAILED,)),
    Transition(State.QUEUED, Event.VISITED, (State.QUEUED,)),
    Transition(State.STARTING, Event.RECORDED, (State.PROCESSING,)),
    Transition(State.STARTING, Event.REFUSED_FOR_NOW, (State.QUEUED, State.CANCELED)),
    Transition(State.STARTING, Event.LOST, (State.QUEUED, State.FAILED, State.CANCELED)),
    Transition(State.STARTING, Event.REJECTED, (State.FAILED, State.CANCELED)),
    Transition(State.STARTING, Event.CANCEL_REQUESTED, (State.STARTING,)),
    Transition(State.STARTING, Event.PROVIDER_SUCCEEDED, (State.SAVING,)),
    Transition(State.STARTING, Event.PROVIDER_FAILED, (State.QUEUED, State.FAILED, State.CANCELED)),
    Transition(State.STARTING, Event.PROVIDER_CANCELED, (State.QUEUED, State.FAILED, State.CANCELED)),
    Transition(State.STARTING, Event.VISITED, (State.STARTING,)),
    Transition(State.PROCESSING, Event.CANCEL_REQUESTED, (State.PROCESSING,)),
    Transition(State.PROCESSING, Event.PROVIDER_SUCCEEDED, (State.SAVING,)),
    Transition(State.PROCESSING, Event.PROVIDER_FAILED, (State.QUEUED, State.FAILED, State.CANCELED)),
    Transition(State.PROCESSING, Event.PROVIDER_CANCELED, (State.QUEUED, State.FAILED, State.CANCELED)),
    Transition(State.PROCESSING, Event.DEADLINE_EXCEEDED, (State.FAILED, State.CANCELED)),
    Transition(State.PROCESSING, Event.VISITED, (State.PROCESSING,)),
    Transition(State.SAVING, Event.SAVING_RECLAIMED, (State.SAVING,)),
    Transition(State.SAVING, Event.SAVING_DELAYED, (State.SAVING,)),
    Transition(State.SAVING, Event.JUDGE_AWAITED, (State.JUDGING,)),
    Transition(State.SAVING, Event.OUTPUTS_SAVED, (State.SUCCEEDED,)),
    Transition(State.SAVING, Event.OUTPUTS_BLOCKED, (State.FAILED,)),
    Transition(State.SAVING, Event.MODEL_CLOSED, (State.FAILED,)),
    Transition(State.SAVING, Event.OUTPUTS_UNUSABLE, (State.QUEUED, State.FAILED, State.CANCELED)),
    Transition(State.SAVING, Event.VISITED, (State.SAVING,)),
    Transition(State.JUDGING, Event.JUDGING_RECLAIMED, (State.JUDGING,)),
    Transition(State.JUDGING, Event.JUDGING_DELAYED, (State.JUDGING,)),
    Transition(State.JUDGING, Event.OUTPUTS_SAVED, (State.SUCCEEDED,)),
    Transition(State.JUDGING, Event.OUTPUTS_BLOCKED, (State.FAILED,)),
    Transition(State.JUDGING, Event.OUTPUTS_UNUSABLE, (State.QUEUED, State.FAILED, State.CANCELED)),
    Transition(State.JUDGING, Event.JUDGE_AWAY, (State.FAILED,)),
    Transition(State.JUDGING, Event.MODEL_CLOSED, (State.FAILED,)),
    Transition(State.JUDGING, Event.VISITED, (State.JUDGING,)),
    Transition(State.SUCCEEDED, Event.APPEALED, (State.SUCCEEDED,)),
    Transition(State.FAILED, Event.APPEALED, (State.FAILED,)),
    Transition(State.SUCCEEDED, Event.DELETED, (State.DELETING,)),
    Transition(State.FAILED, Event.DELETED, (State.DELETING,)),
    Transition(State.CANCELED, Event.DELETED, (State.DELETING,)),
    Transition(State.DELETING, Event.VISITED, (State.DELETING,)),
)
_TARGETS = {(t.source, t.event): t.targets for t in TRANSITIONS}


class ImpossibleTransition(Exception):
    """A move that the table does not list: a bug, never a user's doing."""


class Failure(BaseModel):
    """Why a job ended without a result: `code` names a text of `messages`; `detail` is for operators."""

    model_config = ConfigDict(frozen=True)

    code: str
    detail: str | None = None


class Job(BaseModel):
    """What every job's row has. `attempt` counts claims and only fences; `failures` feeds the retry table.

    `due_at` says when reconcile looks, `not_before` when a worker may claim. `provider_version` is what
    the provider is told to run.
    """

    model_config = ConfigDict(frozen=True)

    # As logs and metrics name it.
    KIND: ClassVar[Literal["generation", "training"]]

    user_id: str
    id: str
    account_id: str
    state: State
    version: int = 1
    provider_version: str
    held_from: tuple[Portion, ...]
    credits_held: int
    credits_charged: int = 0
    price_version: str
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None = None
    not_before: datetime | None = None
    visits: int = 0
    attempt: int = 0
    failures: int = 0
    refusals: int = 0
    lost_creates: int = 0
    save_failures: int = 0
    claimed_at: datetime | None = None
    lease_until: datetime | None = None
    deadline_at: datetime | None = None
    fingerprint: str | None = None
    prediction_id: str | None = None
    cancel_requested_at: datetime | None = None
    # What the law wants to stop costs nobody anything, however long it ran.
    cancel_is_free: bool = False
    started_at: datetime | None = None
    completed_at: datetime | None = None
    predict_time_s: float | None = None
    provider_cost_micro_usd: int = 0
    failure: Failure | None = None

    @property
    def place(self) -> Place:
        """Where its account counts it while it lives."""
        raise NotImplementedError

    @property
    def runs(self) -> str:
        """Whose health it hangs on: a model of the catalog, a personal one, or a trainer."""
        raise NotImplementedError

    @property
    def images_asked(self) -> int:
        """How many images of the day it took when it was accepted."""
        return 0

    @property
    def undecided(self) -> bool:
        """Tell whether a judge has yet to say that it may be made at all."""
        return False

    @property
    def awaits_judge(self) -> bool:
        """Tell whether it is queued because a judge has not answered."""
        return False

    @property
    def credits_refunded(self) -> int:
        return self.credits_held - self.credits_charged if self.settled else 0

    @property
    def settled(self) -> bool:
        return not self.state.live

    def owns(self, prediction_id: str, *, attempt: int | None) -> bool:
        """Tell whether the prediction is this row's, or may be adopted by it."""
        if self.prediction_id is not None:
            return self.prediction_id == prediction_id
        return self.state is State.STARTING and self.attempt == attempt

    def too_old_to_start(self, now: datetime) -> bool:
        return now - self.created_at > QUEUE_AGE_MAX


AnyJob = TypeVar("AnyJob", bound=Job)


def step(before: AnyJob, event: Event, to: State, *, now: datetime, **changes: Any) -> AnyJob:
    """Return the row after `event`, with what must always hold in its new state.

    Raises:
        ImpossibleTransition: the table has no such move.
    """
    if to not in _TARGETS.get((before.state, event), ()):
        raise ImpossibleTransition(f"{before.state} -> {to} on '{event}'")
    values: dict[str, Any] = {"state": to, "updated_at": now, "version": before.version + 1}
    if to is not before.state:
        values |= {"visits": 0, "lease_until": None}
    if to is State.QUEUED:
        if before.cancel_requested_at is not None:
            raise ImpossibleTransition("a job that is to be canceled is never queued again")
        values |= {"prediction_id": None, "fingerprint": None, "deadline_at": None, "lease_until": None}
    if to.terminal:
        values |= {"due_at": None, "not_before": None}
    if to.terminal and before.state.live:
        values["completed_at"] = now
    after = before.model_copy(update=values | changes)
    if to is State.STARTING and after.undecided:
        raise ImpossibleTransition("nothing is made of a prompt in doubt before a judge has passed it")
    return after


def fingerprint(version: str, model_input: Mapping[str, Any]) -> str:
    """Return the hash that recognises our own prediction in the provider's listing."""
    canonical = json.dumps([version, dict(model_input)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
