"""What several workers do with a prediction at the provider: own it, cancel it, disown it.

A training at the provider is a prediction here as well: it is told of and ends in the same ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from revela.domain.change import ORPHAN, Change, PredictionClaim
from revela.domain.errors import Conflict, Permanent, ProviderTransient
from revela.domain.job import Event, Job, State
from revela.domain.policy import POLL_FIRST
from revela.domain.prediction import Prediction
from revela.ports import Ports, Ref
from revela.usecases.moving import Move, Moved, move

# The provider keeps a prediction's data for an hour; its id must be remembered for longer than
# anything can still arrive for it: dead letters are kept for fourteen days.
CLAIM_KEPT = timedelta(days=15)


class Pages(Protocol):
    def __call__(
        self, *, created_after: datetime, created_before: datetime | None = None
    ) -> Iterator[Sequence[Prediction]]: ...


class Calls(NamedTuple):
    """How the provider is asked about the predictions of one kind of job."""

    get: Callable[[str], Prediction]
    cancel: Callable[[str], Prediction]
    pages: Pages


def calls_for(ref: Ref, *, ports: Ports) -> Calls:
    provider = ports.provider
    if ref.of_training:
        return Calls(provider.get_training, provider.cancel_training, provider.list_trainings)
    return Calls(provider.get_prediction, provider.cancel_prediction, provider.list_predictions)


def claim_of(row: Job, prediction_id: str, *, ports: Ports) -> PredictionClaim:
    """Return the item that binds a prediction to one attempt of one job."""
    return PredictionClaim(
        prediction_id, owner=f"{row.id}:{row.attempt}", expires_at=ports.clock.now() + CLAIM_KEPT
    )


def record_prediction(
    ref: Ref, prediction: Prediction, *, attempt: int, ports: Ports, seen: Job | None = None
) -> None:
    """Write that the provider has the job; a prediction that is not the row's own is canceled there."""
    recorded = adopt(ref, prediction, attempt=attempt, ports=ports, seen=seen)
    if recorded is None:
        return
    if recorded.row is None or recorded.row.prediction_id != prediction.id:
        disown(prediction, ref, ports=ports)
    elif recorded.row.cancel_requested_at is not None and recorded.row.state.at_provider:
        cancel_at_provider(recorded.row, ports=ports)


def adopt(
    ref: Ref, prediction: Prediction, *, attempt: int, ports: Ports, seen: Job | None = None
) -> Moved[Job] | None:
    """Bind a prediction to a row that awaits it; None when it is bound to something else already."""

    def decide(row: Job) -> Move | None:
        if row.state is not State.STARTING or not row.owns(prediction.id, attempt=attempt):
            return None
        now = ports.clock.now()
        return Move(
            Event.RECORDED,
            State.PROCESSING,
            changes={
                "prediction_id": prediction.id,
                "started_at": prediction.started_at or now,
                "due_at": now + POLL_FIRST,
            },
            prediction=claim_of(row, prediction.id, ports=ports),
        )

    try:
        return move(ref, decide, ports=ports, seen=seen)
    except Conflict:
        # That job's own due repairs whatever is left to repair.
        ports.telemetry.warning("prediction_owned_by_another", job_id=ref.id, prediction_id=prediction.id)
        return None


def disown(prediction: Prediction, told_of: Ref, *, ports: Ports) -> None:
    """Mark a prediction that no job owns, and cancel it; only the writer of the mark counts it.

    `told_of` is the job that it was said to be for.

    A prediction that some job owns, or owned once, is left alone: its mark is already there.
    """
    now = ports.clock.now()
    # Each mark names itself: another one, of the same prediction, is not taken for this one.
    mark = PredictionClaim(prediction.id, ports.entropy.new_id(ORPHAN, now=now), now + CLAIM_KEPT)
    try:
        ports.changes.commit(Change(now=now, prediction=mark))
    except Conflict:
        return
    ports.telemetry.count("PredictionsOrphaned")
    if not prediction.status.terminal:
        _cancel(prediction.id, told_of, ports)


def cancel_at_provider(row: Job, *, ports: Ports) -> Prediction | None:
    """Ask the provider to cancel the row's prediction; None when it did not answer."""
    if row.prediction_id is None:
        return None
    return _cancel(row.prediction_id, Ref(row.user_id, row.id), ports)


def _cancel(prediction_id: str, ref: Ref, ports: Ports) -> Prediction | None:
    try:
        return calls_for(ref, ports=ports).cancel(prediction_id)
    except (ProviderTransient, Permanent) as error:
        ports.telemetry.warning(
            "cancel_not_answered", prediction_id=prediction_id, reason=type(error).__name__
        )
        return None
