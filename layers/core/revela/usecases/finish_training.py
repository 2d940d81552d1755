"""Finish a training: act on what the provider said of it, from a webhook or a poll."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from revela.domain.change import ModelWrite
from revela.domain.errors import Conflict, InvalidRequest, OutputUnusable, Permanent, Transient
from revela.domain.job import Event, State
from revela.domain.personal_model import ModelState, TrainedVersion
from revela.domain.policy import PUBLISHING_NEEDS_S, SAVING_RETRY, SAVING_RETRY_MAX, TRAINING_SAVING_LEASE
from revela.domain.prediction import Prediction, PredictionStatus
from revela.domain.retry import backoff
from revela.domain.training import Training
from revela.domain.training_errors import (
    NO_VERSION,
    TRAINING_ABORTED,
    TRAINING_TIMED_OUT,
    training_rule_for,
)
from revela.ports import ModelRef, Ports, ProviderReport, Ref
from revela.usecases.ended_predictions import Rules, ended_without_result
from revela.usecases.model_health import report_failure, report_success
from revela.usecases.moving import Move, move
from revela.usecases.provider_predictions import claim_of, disown, record_prediction
from revela.usecases.training_uploads import forget_upload

OF_TRAININGS = Rules(
    failed=training_rule_for, aborted=TRAINING_ABORTED, canceled=TRAINING_TIMED_OUT, empty=NO_VERSION
)
WEIGHTS_TYPE = "application/x-tar"
# Then the training is settled without a copy of its weights: its version works, and its hold must end.
SAVING_TRIES = 8


def finish_training(report: ProviderReport, *, ports: Ports, until: datetime) -> None:
    """Adopt a running training, or record a succeeded one and settle, or retry or fail the rest.

    `until`: when this process ends. Whatever the row already knows changes nothing.

    Raises:
        Transient: deliver the message again.
    """
    ref, prediction = report.ref, report.prediction
    if not prediction.status.terminal:
        record_prediction(ref, prediction, attempt=report.attempt, ports=ports)
        return

    def decide(row: Training) -> Move | None:
        if not row.owns(prediction.id, attempt=report.attempt):
            return None
        if row.state is State.SAVING:
            return _decide_saving(row, ports)
        if not row.state.at_provider:
            return None
        return _decide_ended(row, prediction, ports)

    try:
        row, moved = move(ref, decide, ports=ports)
    except Conflict:
        ports.telemetry.warning("prediction_owned_by_another", job_id=ref.id, prediction_id=prediction.id)
        return
    if moved and row is not None:
        _tell_health(row, prediction, ports)
        if row.state is State.SAVING:
            _save(row, prediction, ports=ports, until=until)
        else:
            forget_upload(row, ports=ports)
        return
    ports.telemetry.info(
        "nothing_to_finish", training_id=ref.id, prediction_id=prediction.id, status=prediction.status
    )
    if row is None or row.prediction_id != prediction.id:
        disown(prediction, ref, ports=ports)
    _forget_unrecorded(row, prediction, ports)


def _forget_unrecorded(row: Training | None, prediction: Prediction, ports: Ports) -> None:
    """Delete a version that came too late for its row: it is somebody's face, and nothing else names it."""
    version = prediction.trained_version
    if version is None or (row is not None and row.trained_version == version):
        return
    try:
        ports.provider.delete_version(version)
    except Permanent as error:
        ports.telemetry.warning(
            "version_not_deleted", prediction_id=prediction.id, reason=type(error).__name__
        )
        return
    ports.telemetry.info("version_deleted", prediction_id=prediction.id)


def _decide_ended(row: Training, prediction: Prediction, ports: Ports) -> Move:
    now = ports.clock.now()
    facts: dict[str, object] = {
        "started_at": prediction.started_at or row.started_at,
        "predict_time_s": prediction.predict_time_s,
        "provider_cost_micro_usd": row.provider_cost_micro_usd + _cost(row, prediction, ports),
    }
    claim = claim_of(row, prediction.id, ports=ports) if row.state is State.STARTING else None
    if prediction.status is PredictionStatus.SUCCEEDED and prediction.trained_version:
        lease = now + TRAINING_SAVING_LEASE
        saving = {"prediction_id": prediction.id, "lease_until": lease, "due_at": lease}
        trained = {"trained_version": prediction.trained_version, "progress_percent": 100, "left_s": 0}
        return Move(
            Event.PROVIDER_SUCCEEDED, State.SAVING, changes=facts | saving | trained, prediction=claim
        )
    return ended_without_result(row, prediction, OF_TRAININGS, facts, claim, ports=ports)


def _decide_saving(row: Training, ports: Ports) -> Move | None:
    now = ports.clock.now()
    if row.lease_until is not None and row.lease_until > now:
        return None
    lease = now + TRAINING_SAVING_LEASE
    changes: dict[str, object] = {"lease_until": lease, "due_at": lease}
    if row.lease_until is not None:
        # Whoever held it died, of what may be too much for the next one as well.
        changes["save_failures"] = row.save_failures + 1
    return Move(Event.SAVING_RECLAIMED, State.SAVING, changes=changes)


def _tell_health(row: Training, prediction: Prediction, ports: Ports) -> None:
    if prediction.status is PredictionStatus.SUCCEEDED:
        report_success(row.runs, ports=ports)
    elif prediction.status is PredictionStatus.FAILED and training_rule_for(prediction.error).model_is_away:
        report_failure(row.runs, ports=ports)


def _save(row: Training, prediction: Prediction, *, ports: Ports, until: datetime) -> None:
    """Copy the weights if they are to be kept, add the version to its model, settle."""

    def under_my_lease(seen: Training) -> bool:
        return seen.state is State.SAVING and seen.lease_until == row.lease_until

    try:
        weights_key = _copy_weights(row, prediction, ports)
        if ports.clock.now() + timedelta(seconds=PUBLISHING_NEEDS_S) > until:
            raise Transient("not enough time left to settle")
    except Transient as error:
        _delay(row, under_my_lease, error, ports)
        return

    def settle(seen: Training) -> Move | None:
        if not under_my_lease(seen):
            return None
        model = ports.models.get(ModelRef(seen.user_id, seen.model_id))
        if model is None or model.state is ModelState.DELETING:
            # Nobody is left to use it: its version goes with the model, and nothing is charged.
            return Move(Event.OUTPUTS_UNUSABLE, State.CANCELED)
        now = ports.clock.now()
        assert seen.trained_version is not None
        version = TrainedVersion(
            id=seen.training_id,
            provider_version=seen.trained_version,
            trainer=seen.trainer,
            fine_tune=seen.fine_tune,
            trained_at=now,
            shows_faces=seen.shows_faces,
            weights_key=weights_key,
        )
        return Move(
            Event.OUTPUTS_SAVED,
            State.SUCCEEDED,
            changes={"weights_key": weights_key},
            charge=seen.credits_held,
            model=ModelWrite(model, model.with_version(version, now=now)),
        )

    saved, _ = move(Ref(row.user_id, row.id), settle, ports=ports, seen=row)
    if saved is not None and saved.state.terminal:
        forget_upload(saved, ports=ports)


def _copy_weights(row: Training, prediction: Prediction, ports: Ports) -> str | None:
    """Keep the weights; without them the version still works at the provider."""
    if prediction.weights_url is None or not ports.policies.copies_weights:
        return None
    if row.save_failures >= SAVING_TRIES:
        ports.telemetry.warning("weights_not_copied", training_id=row.id, reason="tried too often")
        return None
    key = f"{row.weights_prefix}trained_model.tar"
    try:
        with ports.weights.download(prediction.weights_url) as file:
            ports.objects.put_file(key, file.path, content_type=WEIGHTS_TYPE)
    except OutputUnusable as unusable:
        ports.telemetry.warning("weights_not_copied", training_id=row.id, reason=unusable.reason)
        return None
    return key


def _delay(row: Training, mine: Callable[[Training], bool], error: Transient, ports: Ports) -> None:
    """Give the lease back; reconcile has the saving repeated."""
    ports.telemetry.warning(
        "saving_delayed", training_id=row.id, attempt=row.attempt, reason=type(error).__name__
    )
    fraction = ports.entropy.fraction()
    wait = backoff(SAVING_RETRY, row.save_failures, fraction=fraction, maximum=SAVING_RETRY_MAX)

    def decide(seen: Training) -> Move | None:
        if not mine(seen):
            return None
        again = {"lease_until": None, "due_at": ports.clock.now() + wait}
        changes = {**again, "save_failures": seen.save_failures + 1}
        return Move(Event.SAVING_DELAYED, State.SAVING, changes=changes)

    move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)


def _cost(row: Training, prediction: Prediction, ports: Ports) -> int:
    """Return what the provider bills for this training, in millionths of a US dollar."""
    try:
        cost = ports.catalog.trainer(row.trainer).provider_cost
    except InvalidRequest:
        return 0
    return cost.micro_usd(images=0, predict_time_s=prediction.predict_time_s)
