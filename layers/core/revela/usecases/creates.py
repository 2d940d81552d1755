"""What workers do around a create at the provider, for jobs of every kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from revela.domain.errors import (
    OutOfCredit,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnauthorized,
    ProviderUnavailable,
)
from revela.domain.job import Event, Failure, Job, State
from revela.domain.prediction import Prediction
from revela.domain.retry import (
    MODEL_AWAY_WAIT,
    OUT_OF_CREDIT_WAIT,
    REFUSED_WAIT,
    UNAUTHORIZED_WAIT,
    backoff,
)
from revela.ports import Ports, Ref
from revela.usecases.model_health import report_failure
from revela.usecases.moving import Move, move
from revela.usecases.polling import slow_down
from revela.usecases.provider_predictions import record_prediction


def may_start(row: Job, now: datetime) -> bool:
    return row.state is State.QUEUED and (row.not_before is None or row.not_before <= now)


def postpone(row: Job, until: datetime, ports: Ports) -> None:
    def decide(seen: Job) -> Move | None:
        if seen.state is not State.QUEUED:
            return None
        return Move(Event.POSTPONED, State.QUEUED, changes={"due_at": until, "not_before": until})

    move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)


def create_once(claimed: Job, create: Callable[[], Prediction], *, ports: Ports) -> None:
    """Send a claimed job's create and act on the answer. Whatever comes, it is not sent again."""
    ref = Ref(claimed.user_id, claimed.id)
    try:
        prediction = create()
    except ProviderUnavailable as error:
        _refused(claimed, error, ports)
    except ProviderTransient as error:
        # It may have been created: never repeated. Its webhook or the provider's listing tells.
        ports.telemetry.count("CreatesUnknown")
        ports.telemetry.warning(
            "create_unanswered", job_id=ref.id, attempt=claimed.attempt, reason=str(error)
        )
    except ProviderRejected as error:
        _rejected(claimed, Failure(code="provider_rejected", detail=", ".join(error.invalid_fields)), ports)
    except ProviderNotFound:
        _not_there(claimed, ports)
    else:
        record_prediction(ref, prediction, attempt=claimed.attempt, ports=ports, seen=claimed)


def _refused(claimed: Job, error: ProviderUnavailable, ports: Ports) -> None:
    """Nothing was created: back to the queue with the same hold, to be tried when it may work."""
    now = ports.clock.now()
    wait = wait_after(error, claimed.refusals, ports=ports)
    again_at = now + wait
    ports.telemetry.warning(
        "create_refused", job_id=claimed.id, reason=type(error).__name__, wait_s=wait.total_seconds()
    )
    _back_to_queue(claimed, again_at, ports)
    tell_pace(error, sent_at=claimed.claimed_at or now, again_at=again_at, row=claimed, ports=ports)


def wait_after(error: ProviderTransient, refusals: int, *, ports: Ports) -> timedelta:
    """Return how long a job waits that was refused so often before."""
    wait = backoff(REFUSED_WAIT, refusals, fraction=ports.entropy.fraction())
    match error:
        case ProviderThrottled(retry_after_s=float() | int() as retry_after_s):
            wait = timedelta(seconds=retry_after_s)
        case OutOfCredit():
            wait = max(wait, OUT_OF_CREDIT_WAIT)
            ports.telemetry.count("ProviderOutOfCredit")
        case ProviderUnauthorized():
            wait = max(wait, UNAUTHORIZED_WAIT)
            ports.telemetry.count("ProviderUnauthorized")
    return wait


def tell_pace(
    error: ProviderTransient, *, sent_at: datetime, again_at: datetime, row: Job, ports: Ports
) -> None:
    """Have all others wait as well: a refusal of this kind is the account's, not one request's."""
    now = ports.clock.now()
    if isinstance(error, ProviderThrottled) and Ref(row.user_id, row.id).of_training:
        # Replicate limits creates of predictions alone; those of trainings count among all other requests.
        slow_down(error, sent_at, ports)
    elif isinstance(error, ProviderThrottled):
        rate = ports.pace.create_refused(sent_at=sent_at, now=now, until=again_at)
        if rate is not None:
            ports.telemetry.count("CreatesPerMinute", rate)
    elif isinstance(error, (OutOfCredit, ProviderUnauthorized)):
        ports.pace.block(sent_at=sent_at, now=now, until=again_at)


def _not_there(claimed: Job, ports: Ports) -> None:
    """The provider does not find the model: the job waits for it, as long as a job may be queued."""
    now = ports.clock.now()
    wait = backoff(MODEL_AWAY_WAIT, claimed.refusals, fraction=ports.entropy.fraction())
    ports.telemetry.warning("model_not_found", job_id=claimed.id, version=claimed.provider_version)
    _back_to_queue(claimed, now + wait, ports)
    report_failure(claimed.runs, ports=ports)


def _back_to_queue(claimed: Job, again_at: datetime, ports: Ports) -> None:
    def decide(row: Job) -> Move | None:
        if row.state is not State.STARTING or row.attempt != claimed.attempt or row.prediction_id is not None:
            return None
        if row.cancel_requested_at is not None:
            return Move(Event.REFUSED_FOR_NOW, State.CANCELED)
        return Move(
            Event.REFUSED_FOR_NOW,
            State.QUEUED,
            changes={"refusals": row.refusals + 1, "not_before": again_at, "due_at": again_at},
        )

    move(Ref(claimed.user_id, claimed.id), decide, ports=ports, seen=claimed)


def _rejected(claimed: Job, failure: Failure, ports: Ports) -> None:
    def decide(row: Job) -> Move | None:
        if row.state is not State.STARTING or row.attempt != claimed.attempt or row.prediction_id is not None:
            return None
        if row.cancel_requested_at is not None:
            return Move(Event.REJECTED, State.CANCELED)
        return Move(Event.REJECTED, State.FAILED, failure=failure)

    move(Ref(claimed.user_id, claimed.id), decide, ports=ports, seen=claimed)
