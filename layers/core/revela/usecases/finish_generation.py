"""Finish a generation: act on what the provider said of its prediction, from a webhook or a poll."""

from __future__ import annotations

from datetime import datetime

from revela.domain.errors import Conflict, InvalidRequest
from revela.domain.generation import Generation
from revela.domain.job import Event, State
from revela.domain.policy import SAVING_LEASE
from revela.domain.prediction import Prediction, PredictionStatus
from revela.domain.retry import ABORTED, NO_OUTPUT, TIMED_OUT, rule_for
from revela.ports import Ports, ProviderReport
from revela.usecases import image_models
from revela.usecases.ended_predictions import Rules, ended_without_result
from revela.usecases.judge_outputs import judge_outputs
from revela.usecases.model_health import report_failure, report_success
from revela.usecases.moving import Move, move
from revela.usecases.provider_predictions import claim_of, disown, record_prediction
from revela.usecases.publish_outputs import tidy_up
from revela.usecases.save_outputs import save_outputs

OF_GENERATIONS = Rules(failed=rule_for, aborted=ABORTED, canceled=TIMED_OUT, empty=NO_OUTPUT)


def finish_generation(command: ProviderReport, *, ports: Ports, until: datetime) -> None:
    """Adopt a running prediction, or save a succeeded one and settle, or retry or fail the rest.

    `until`: when this process ends. Whatever the row already knows changes nothing.

    Raises:
        Transient: deliver the message again.
    """
    ref, prediction = command.ref, command.prediction
    if not prediction.status.terminal:
        record_prediction(ref, prediction, attempt=command.attempt, ports=ports)
        return
    came_from_provider = False

    def decide(row: Generation) -> Move | None:
        nonlocal came_from_provider
        came_from_provider = row.state.at_provider
        if not row.owns(prediction.id, attempt=command.attempt):
            return None
        if row.state.has_outputs:
            return _decide_delivered(row, ports)
        if not row.state.at_provider:
            return None
        return _decide_ended(row, prediction, ports)

    try:
        row, moved = move(ref, decide, ports=ports)
    except Conflict:
        ports.telemetry.warning(
            "prediction_owned_by_another", generation_id=ref.id, prediction_id=prediction.id
        )
        return
    if row is None or not moved:
        _nothing_to_finish(row, command, ports)
        return
    if came_from_provider:
        _tell_health(row, prediction, ports)
    if row.state is State.SAVING:
        save_outputs(row, prediction, ports=ports, until=until)
    elif row.state is State.JUDGING:
        judge_outputs(row, ports=ports, until=until)


def _nothing_to_finish(row: Generation | None, command: ProviderReport, ports: Ports) -> None:
    ref, prediction = command.ref, command.prediction
    ports.telemetry.info(
        "nothing_to_finish", generation_id=ref.id, prediction_id=prediction.id, status=prediction.status
    )
    if row is None or row.prediction_id != prediction.id:
        disown(prediction, ref, ports=ports)
    if row is not None and prediction.status is PredictionStatus.SUCCEEDED and _is_over(row, command.attempt):
        # Who ended it may have died before tidying up; the message that comes again does it.
        tidy_up(row, ports=ports, attempt=command.attempt)


def _is_over(row: Generation, attempt: int) -> bool:
    """Tell whether nobody can be saving what the attempt has made."""
    ended = row.state is State.QUEUED or row.state.terminal
    return attempt < row.attempt or (attempt == row.attempt and ended)


def _decide_ended(row: Generation, prediction: Prediction, ports: Ports) -> Move:
    """Decide for a row at the provider whose prediction has ended, in whichever way."""
    now = ports.clock.now()
    facts: dict[str, object] = {
        "started_at": prediction.started_at or row.started_at,
        "predict_time_s": prediction.predict_time_s,
        "provider_cost_micro_usd": row.provider_cost_micro_usd + _cost(row, prediction, ports),
    }
    # Seen from `starting`, this event is the first proof of whose prediction it is.
    claim = claim_of(row, prediction.id, ports=ports) if row.state is State.STARTING else None
    if prediction.status is PredictionStatus.SUCCEEDED and prediction.output:
        lease = now + SAVING_LEASE
        return Move(
            Event.PROVIDER_SUCCEEDED,
            State.SAVING,
            changes=facts | {"prediction_id": prediction.id, "lease_until": lease, "due_at": lease},
            prediction=claim,
        )
    return ended_without_result(row, prediction, OF_GENERATIONS, facts, claim, ports=ports)


def _tell_health(row: Generation, prediction: Prediction, ports: Ports) -> None:
    if prediction.status is PredictionStatus.SUCCEEDED:
        report_success(row.model, ports=ports)
    if prediction.status is not PredictionStatus.FAILED:
        return
    rule = rule_for(prediction.error)
    if rule.model_is_away:
        report_failure(row.model, ports=ports)
    if rule.operator:
        ports.telemetry.count("ProviderMisconfigured")


def _decide_delivered(row: Generation, ports: Ports) -> Move | None:
    """Decide for a row whose outputs are being saved or judged: by somebody else, or by nobody any more."""
    now = ports.clock.now()
    if row.lease_until is not None and row.lease_until > now:
        return None
    lease = now + SAVING_LEASE
    mine = {"lease_until": lease, "due_at": lease}
    if row.state is State.JUDGING:
        return Move(Event.JUDGING_RECLAIMED, State.JUDGING, changes=mine)
    return Move(Event.SAVING_RECLAIMED, State.SAVING, changes=mine)


def _cost(row: Generation, prediction: Prediction, ports: Ports) -> int:
    """Return what the provider bills for this prediction, in millionths of a US dollar.

    A model may have left the catalog since; what it cost is no reason to lose its images.
    """
    try:
        cost = image_models.model_of(row, ports.catalog).provider_cost
    except InvalidRequest:
        return 0
    return cost.micro_usd(images=len(prediction.output), predict_time_s=prediction.predict_time_s)
