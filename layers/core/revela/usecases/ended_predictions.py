"""What follows when a prediction ended without a result: one more attempt, or the end of its job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from revela.domain.change import PredictionClaim
from revela.domain.job import Event, Failure, Job, State
from revela.domain.prediction import Prediction, PredictionStatus
from revela.domain.retry import Rule, backoff
from revela.ports import Ports
from revela.usecases.moving import Move

FAILURE_DETAIL_MAX = 500


@dataclass(frozen=True)
class Rules:
    """The retry rules of one kind of job; `failed` looks up the provider's error text.

    `canceled` is for what nobody here asked to cancel, `empty` for a success without a result.
    """

    failed: Callable[[str | None], Rule]
    aborted: Rule
    canceled: Rule
    empty: Rule


def ended_without_result(
    row: Job,
    prediction: Prediction,
    rules: Rules,
    facts: Mapping[str, object],
    claim: PredictionClaim | None,
    *,
    ports: Ports,
) -> Move:
    """Return what becomes of the row; `facts` are what was learned of the prediction."""
    event, rule = _verdict(prediction, rules)
    ended = retry_or_end(row, event, rule, prediction.error, ports)
    known = {} if ended.to is State.QUEUED else {"prediction_id": prediction.id}
    return replace(
        ended,
        changes={**facts, **known, **ended.changes},
        prediction=claim,
        billed_cancel=ended.to is State.CANCELED and not row.cancel_is_free and _was_running(prediction),
    )


def retry_or_end(row: Job, event: Event, rule: Rule, detail: str | None, ports: Ports) -> Move:
    """Return a new attempt if the rule allows one more; who asked to cancel gets no other attempt."""
    if row.cancel_requested_at is not None:
        return Move(event, State.CANCELED)
    now = ports.clock.now()
    if row.failures < rule.attempts_more and not row.too_old_to_start(now):
        again_at = now + backoff(rule.wait, row.failures, fraction=ports.entropy.fraction())
        return Move(
            event,
            State.QUEUED,
            changes={"failures": row.failures + 1, "not_before": again_at, "due_at": again_at},
        )
    failure = Failure(code=rule.failure_code, detail=(detail or "")[:FAILURE_DETAIL_MAX] or None)
    return Move(event, State.FAILED, failure=failure)


def _was_running(prediction: Prediction) -> bool:
    """Tell whether the provider bills it: a prediction that was canceled before it ran costs nothing."""
    return prediction.status is PredictionStatus.CANCELED and prediction.started_at is not None


def _verdict(prediction: Prediction, rules: Rules) -> tuple[Event, Rule]:
    if prediction.status is PredictionStatus.CANCELED:
        return Event.PROVIDER_CANCELED, rules.canceled
    if prediction.status is PredictionStatus.ABORTED:
        return Event.PROVIDER_FAILED, rules.aborted
    if prediction.status is PredictionStatus.SUCCEEDED:
        return Event.PROVIDER_FAILED, rules.empty
    return Event.PROVIDER_FAILED, rules.failed(prediction.error)
