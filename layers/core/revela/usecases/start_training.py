"""Start a training: pack its photos, hand them to the provider, and have it trained exactly once."""

from __future__ import annotations

from datetime import datetime, timedelta

from revela.domain.change import ModelWrite
from revela.domain.errors import (
    ArchiveIncomplete,
    ProviderNotFound,
    ProviderRejected,
    ProviderTransient,
    Refused,
)
from revela.domain.job import Event, Failure, State, fingerprint
from revela.domain.policy import TRAINING_START_LEASE
from revela.domain.retry import MODEL_AWAY_WAIT, backoff
from revela.domain.training import Training
from revela.ports import ArchiveEntry, CreateTraining, ModelRef, Ports, Ref, UploadedFile
from revela.usecases import personal_models
from revela.usecases.creates import create_once, may_start, postpone, tell_pace, wait_after
from revela.usecases.model_health import rests_until
from revela.usecases.moving import Move, move
from revela.usecases.provider_predictions import cancel_at_provider
from revela.usecases.training_uploads import forget_upload

# Packing and uploading thirty photos, and a create at its time-out, must fit into what is left.
ONE_TRAINING_NEEDS = timedelta(seconds=100)
# The create and its record alone.
ONE_CREATE_NEEDS = timedelta(seconds=40)
# All versions of one trainer go under one model of our account, which holds a thousand models at most.
DESTINATION = "revela-{trainer}"


def start_training(ref: Ref, *, ports: Ports, until: datetime) -> None:
    """Take a queued training to the provider. `until`: when this process ends.

    Everything that may be repeated comes before the claim; the create comes right after it and never again.

    Raises:
        Transient: deliver the message again.
    """
    row = ports.trainings.get(ref)
    if row is None:
        return
    if row.cancel_requested_at is not None and row.state.at_provider:
        cancel_at_provider(row, ports=ports)
    now = ports.clock.now()
    if not may_start(row, now):
        return
    if resting := rests_until(row.runs, ports=ports):
        postpone(row, resting, ports)
        return
    if blocked := _blocked_until(ports, now):
        postpone(row, blocked, ports)
        return
    if now + ONE_TRAINING_NEEDS > until:
        postpone(row, now, ports)
        return
    model_ref = ModelRef(row.user_id, row.model_id)
    if personal_models.open_model(model_ref, ports=ports) is None:
        _end_closed(row, ports)
        return
    try:
        _start(row, ports, until)
    except (ProviderTransient, ProviderRejected, ProviderNotFound) as error:
        # Before the claim: nothing was created, and what was uploaded the provider forgets in a day.
        _again_later(row, error, ports)
    except Refused as error:
        # Its trainer has left the catalog: it may come back, or the job gets too old for the queue.
        ports.telemetry.warning("start_impossible", training_id=row.id, reason=str(error))


def _start(row: Training, ports: Ports, until: datetime) -> None:
    trainer = ports.catalog.trainer(row.trainer)
    destination = f"{ports.provider.account_name()}/{DESTINATION.format(trainer=trainer.id)}"
    ports.provider.ensure_destination(destination)
    webhook_url = ports.webhook_urls.for_job(Ref(row.user_id, row.id), row.attempt + 1)
    # Of an attempt that never came about: nobody else forgets it.
    forget_upload(row, ports=ports)
    try:
        uploaded = _upload(row, ports)
    except ArchiveIncomplete:
        _fail(row, Failure(code="photos_lost"), ports)
        return
    except ProviderRejected as error:
        _fail(row, Failure(code="photos_refused", detail=str(error)), ports)
        return
    training_input = trainer.render_training_input(row.params, row.subject, input_images_url=uploaded.url)
    slot = ports.pace.reserve_read(now=ports.clock.now(), before=until - ONE_CREATE_NEEDS)
    if slot is None:
        _forget_again(row, uploaded, ports)
        postpone(row, ports.clock.now(), ports)
        return
    ports.clock.sleep_until(slot)

    def claim(seen: Training) -> Move | None:
        now = ports.clock.now()
        # Its attempt is in the webhook's URL: a row that was claimed meanwhile is another message's.
        if not may_start(seen, now) or seen.attempt != row.attempt:
            return None
        model = personal_models.open_model(ModelRef(seen.user_id, seen.model_id), ports=ports)
        if model is None:
            return personal_models.CLOSED
        return Move(
            Event.CLAIMED,
            State.STARTING,
            # Whoever withdraws consent in this moment is heard: the claim is void, and decided anew.
            model=ModelWrite(model, model),
            changes={
                "attempt": seen.attempt + 1,
                "claimed_at": now,
                "lease_until": now + TRAINING_START_LEASE,
                "due_at": now + TRAINING_START_LEASE,
                "deadline_at": now + timedelta(seconds=trainer.deadline_s(row.params)),
                "fingerprint": fingerprint(row.provider_version, training_input),
                "destination": destination,
                "input_file_id": uploaded.id,
                "input_url": uploaded.url,
                "progress_percent": None,
                "left_s": None,
            },
        )

    claimed, moved = move(Ref(row.user_id, row.id), claim, ports=ports, seen=row)
    if claimed is None or not moved or claimed.state is not State.STARTING:
        _forget_again(row, uploaded, ports)
        return
    request = CreateTraining(row.provider_version, destination, training_input, webhook_url)
    create_once(claimed, lambda: ports.provider.create_training(request), ports=ports)
    after = ports.trainings.get(Ref(row.user_id, row.id))
    if after is not None and after.state.terminal:
        # Rejected for good: no webhook will tell, and nobody starts it again.
        forget_upload(after, ports=ports)


def _end_closed(row: Training, ports: Ports) -> None:
    def decide(seen: Training) -> Move | None:
        return personal_models.CLOSED if seen.state is State.QUEUED else None

    move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)


def _forget_again(row: Training, uploaded: UploadedFile, ports: Ports) -> None:
    forget_upload(row.model_copy(update={"input_file_id": uploaded.id}), ports=ports)


def _upload(row: Training, ports: Ports) -> UploadedFile:
    entries = [
        ArchiveEntry(f"{number:02d}.jpg", photo.key, photo.sha256)
        for number, photo in enumerate(row.photos, start=1)
    ]
    with ports.archives.pack(entries) as archive:
        # The name tells people at the provider what it is; the URL that comes back is what we go by.
        filename = f"{row.training_id}-{row.attempt + 1}.zip"
        return ports.provider.upload(archive, filename=filename, content_type="application/zip")


def _blocked_until(ports: Ports, now: datetime) -> datetime | None:
    """An account without credit, or with a bad token, trains nothing either."""
    until = ports.pace.blocked_until()
    return until if until is not None and until > now else None


def _again_later(
    row: Training, error: ProviderTransient | ProviderRejected | ProviderNotFound, ports: Ports
) -> None:
    now = ports.clock.now()
    if isinstance(error, ProviderTransient):
        wait = wait_after(error, row.refusals, ports=ports)
        tell_pace(error, sent_at=now, again_at=now + wait, row=row, ports=ports)
    else:
        # The destination cannot be had: it may be made by hand, as long as a job may be queued.
        wait = backoff(MODEL_AWAY_WAIT, row.refusals, fraction=ports.entropy.fraction())
    ports.telemetry.warning("training_not_started", training_id=row.id, reason=type(error).__name__)

    def decide(seen: Training) -> Move | None:
        if seen.state is not State.QUEUED:
            return None
        later = {"due_at": now + wait, "not_before": now + wait, "refusals": seen.refusals + 1}
        return Move(Event.POSTPONED, State.QUEUED, changes=later)

    move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)


def _fail(row: Training, failure: Failure, ports: Ports) -> None:
    def decide(seen: Training) -> Move | None:
        if seen.state is not State.QUEUED or seen.attempt != row.attempt:
            return None
        return Move(Event.INPUT_LOST, State.FAILED, failure=failure)

    move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)
