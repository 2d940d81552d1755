"""Finish a generation: act on what the provider said of its prediction, from a webhook or a poll."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from revela.domain.errors import Conflict, InvalidRequest, OutputUnusable, Transient
from revela.domain.generation import Generation, Output
from revela.domain.job import Event, State
from revela.domain.policy import PUBLISHING_NEEDS_S, SAVING_LEASE, SAVING_RETRY, SAVING_RETRY_MAX
from revela.domain.prediction import Prediction, PredictionStatus
from revela.domain.retry import (
    ABORTED,
    NO_OUTPUT,
    OUTPUTS_UNUSABLE,
    TIMED_OUT,
    backoff,
    rule_for,
)
from revela.ports import Picture, Ports, ProviderReport, Ref, Thumbnail
from revela.usecases import image_models
from revela.usecases.ended_predictions import Rules, ended_without_result, retry_or_end
from revela.usecases.model_health import report_failure, report_success
from revela.usecases.moving import Move, move
from revela.usecases.provider_predictions import claim_of, disown, record_prediction

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

    def decide(row: Generation) -> Move | None:
        if not row.owns(prediction.id, attempt=command.attempt):
            return None
        if row.state is State.SAVING:
            return _decide_saving(row, prediction, ports)
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
    if moved and row is not None:
        _tell_health(row, prediction, ports)
        if row.state is State.SAVING:
            _save(row, prediction, ports=ports, until=until)
        return
    ports.telemetry.info(
        "nothing_to_finish", generation_id=ref.id, prediction_id=prediction.id, status=prediction.status
    )
    if row is None or row.prediction_id != prediction.id:
        disown(prediction, ref, ports=ports)
    elif row.state is State.SUCCEEDED:
        # Who settled may have died before tidying up; the message that comes again does it.
        ports.objects.delete([_quarantine_key(row, output.index) for output in row.outputs])


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


def _decide_saving(row: Generation, prediction: Prediction, ports: Ports) -> Move | None:
    now = ports.clock.now()
    if row.lease_until is not None and row.lease_until > now:
        return None
    if not prediction.output:
        # The provider deletes outputs after an hour; what was not saved by then is lost.
        return retry_or_end(row, Event.OUTPUTS_UNUSABLE, OUTPUTS_UNUSABLE, "gone", ports)
    lease = now + SAVING_LEASE
    return Move(Event.SAVING_RECLAIMED, State.SAVING, changes={"lease_until": lease, "due_at": lease})


@dataclass(frozen=True)
class _Quarantined:
    index: int
    key: str
    size_bytes: int
    sha256: str
    picture: Picture
    thumbnail: Thumbnail


def _save(row: Generation, prediction: Prediction, *, ports: Ports, until: datetime) -> None:
    """Copy outputs to quarantine, publish them, settle. `row` carries the lease this process took."""
    ref = Ref(row.user_id, row.id)

    def under_my_lease(seen: Generation) -> bool:
        return seen.state is State.SAVING and seen.lease_until == row.lease_until

    try:
        quarantined, reasons = _quarantine(row, prediction, ports)
        if not quarantined:
            ports.telemetry.warning("outputs_unusable", generation_id=row.id, reasons=",".join(reasons))

            def give_up(seen: Generation) -> Move | None:
                if not under_my_lease(seen):
                    return None
                return retry_or_end(seen, Event.OUTPUTS_UNUSABLE, OUTPUTS_UNUSABLE, ",".join(reasons), ports)

            move(ref, give_up, ports=ports, seen=row)
            return
        if ports.clock.now() + timedelta(seconds=PUBLISHING_NEEDS_S) > until:
            raise Transient("not enough time left to publish")
        outputs = tuple(_publish(row, item, ports) for item in quarantined)
    except Transient as error:
        _delay(row, under_my_lease, error, ports)
        return

    def settle(seen: Generation) -> Move | None:
        if not under_my_lease(seen):
            return None
        return Move(
            Event.OUTPUTS_SAVED,
            State.SUCCEEDED,
            changes={"outputs": outputs},
            charge=min(seen.credits_held, len(outputs) * seen.credits_per_image),
            delivered=len(outputs),
        )

    # Who has lost the lease leaves quarantine to its new holder, who may be copying from there.
    if move(ref, settle, ports=ports, seen=row).moved:
        ports.objects.delete([item.key for item in quarantined])


def _quarantine(
    row: Generation, prediction: Prediction, ports: Ports
) -> tuple[list[_Quarantined], list[str]]:
    """Return what is good, and why the rest is not."""
    good: list[_Quarantined] = []
    reasons: list[str] = []
    for index, url in enumerate(prediction.output[: row.num_outputs]):
        key = _quarantine_key(row, index)
        try:
            with ports.outputs.download(url) as file:
                picture = ports.pictures.inspect(file.path)
                ports.objects.put_file(key, file.path, content_type=picture.content_type)
                thumbnail = ports.pictures.thumbnail(file.path)
        except OutputUnusable as unusable:
            reasons.append(unusable.reason)
            continue
        good.append(_Quarantined(index, key, file.size_bytes, file.sha256, picture, thumbnail))
    return good, reasons


def _quarantine_key(row: Generation, index: int) -> str:
    return f"{row.quarantine_prefix}{row.attempt}/{index}"


def _publish(row: Generation, item: _Quarantined, ports: Ports) -> Output:
    stem = f"{row.published_prefix}{row.attempt}-{item.index}"
    key, thumbnail_key = f"{stem}.{item.picture.extension}", f"{stem}.thumbnail.webp"
    ports.objects.copy(item.key, key, content_type=item.picture.content_type)
    ports.objects.put_bytes(thumbnail_key, item.thumbnail.data, content_type="image/webp")
    return Output(
        index=item.index,
        key=key,
        content_type=item.picture.content_type,
        width=item.picture.width,
        height=item.picture.height,
        size_bytes=item.size_bytes,
        sha256=item.sha256,
        thumbnail_key=thumbnail_key,
        thumbnail_width=item.thumbnail.width,
        thumbnail_height=item.thumbnail.height,
    )


def _delay(row: Generation, mine: Callable[[Generation], bool], error: Transient, ports: Ports) -> None:
    """Give the lease back; reconcile asks the provider again and has the saving repeated.

    Ends by itself: an hour after the prediction the provider says that its outputs are gone.
    """
    ports.telemetry.warning(
        "saving_delayed", generation_id=row.id, attempt=row.attempt, reason=type(error).__name__
    )
    fraction = ports.entropy.fraction()
    wait = backoff(SAVING_RETRY, row.save_failures, fraction=fraction, maximum=SAVING_RETRY_MAX)

    def decide(seen: Generation) -> Move | None:
        if not mine(seen):
            return None
        return Move(
            Event.SAVING_DELAYED,
            State.SAVING,
            changes={
                "lease_until": None,
                "due_at": ports.clock.now() + wait,
                "save_failures": seen.save_failures + 1,
            },
        )

    move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)


def _cost(row: Generation, prediction: Prediction, ports: Ports) -> int:
    """Return what the provider bills for this prediction, in millionths of a US dollar.

    A model may have left the catalog since; what it cost is no reason to lose its images.
    """
    try:
        cost = image_models.model_of(row, ports.catalog).provider_cost
    except InvalidRequest:
        return 0
    return cost.micro_usd(images=len(prediction.output), predict_time_s=prediction.predict_time_s)
