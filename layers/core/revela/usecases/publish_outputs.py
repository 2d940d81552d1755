"""Publish outputs that were judged, and settle. Nothing else puts an image where somebody can see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from revela.domain.change import ModelWrite
from revela.domain.errors import Transient
from revela.domain.generation import Blocked, Generation, Output, Quarantined
from revela.domain.job import Event, Failure, State
from revela.domain.judgement import Judgement
from revela.domain.personal_model import PersonalModel
from revela.domain.policy import PUBLISHING_NEEDS_S
from revela.domain.retry import OUTPUTS_UNUSABLE
from revela.ports import ModelRef, Ports, Provenance, Ref, Thumbnail
from revela.usecases.ended_predictions import retry_or_end
from revela.usecases.moving import Move, move

# No output is larger when it is downloaded; its provenance adds some hundred bytes.
IMAGE_MAX_BYTES = 33 * 1024 * 1024
# Ends that leave files in quarantine, or where they were published, for who ended it to delete.
LEAVES_FILES = frozenset({"moderated", "model_closed", "judge_unavailable"})

# Tells a row that this process still holds the lease of.
Mine = Callable[[Generation], bool]


class JudgedImage(NamedTuple):
    """An image in quarantine with what its judge said; `thumbnail` if one was made already."""

    image: Quarantined
    judgement: Judgement
    thumbnail: Thumbnail | None = None


def publish_outputs(row: Generation, judged: Sequence[JudgedImage], *, mine: Mine, ports: Ports) -> None:
    """Copy what was allowed to where its owner finds it, and settle: blocked images are not charged.

    Nothing is shown of a person whose consent was withdrawn, however late.

    Raises:
        Transient: try again, with what is in quarantine.
    """
    outputs: tuple[Output, ...] = ()
    if not _is_closed(row, _model_of(row, ports)):
        allowed = (found for found in judged if found.judgement.allowed)
        outputs = tuple(_publish(row, found, ports) for found in allowed)
    blocked = tuple(_blocked(found, ports) for found in judged if not found.judgement.allowed)

    def settle(seen: Generation) -> Move | None:
        if not mine(seen):
            return None
        model = _model_of(seen, ports)
        if _is_closed(seen, model):
            closed = Failure(code="model_closed")
            return Move(Event.MODEL_CLOSED, State.FAILED, changes={"quarantined": ()}, failure=closed)
        settled = Move(
            Event.OUTPUTS_SAVED,
            State.SUCCEEDED,
            changes={"quarantined": (), "outputs": outputs, "blocked": blocked},
            charge=min(seen.credits_held, len(outputs) * seen.credits_per_image),
            delivered=len(outputs),
            blocked=len(blocked),
            strike=bool(blocked),
            model=ModelWrite(model, model) if model else None,
        )
        if outputs:
            return settled
        failure = Failure(code="moderated", detail=_categories(blocked))
        return replace(settled, event=Event.OUTPUTS_BLOCKED, to=State.FAILED, failure=failure)

    # Who has lost the lease leaves quarantine to its new holder, who may be copying from there.
    ended = move(Ref(row.user_id, row.id), settle, ports=ports, seen=row)
    if not ended.moved or ended.row is None:
        return
    if ended.row.blocked:
        ports.telemetry.count("ImagesBlocked", len(blocked))
        ports.telemetry.info("images_blocked", generation_id=row.id, categories=_categories(blocked))
    tidy_up(ended.row, ports=ports)


def give_up(row: Generation, reasons: Sequence[str], *, mine: Mine, ports: Ports) -> None:
    """Have the images made again, or fail: nothing of what was delivered can be used."""
    detail = ",".join(reasons)
    ports.telemetry.warning("outputs_unusable", generation_id=row.id, reasons=detail)

    def decide(seen: Generation) -> Move | None:
        if not mine(seen):
            return None
        ended = retry_or_end(seen, Event.OUTPUTS_UNUSABLE, OUTPUTS_UNUSABLE, detail, ports)
        return replace(ended, changes={**ended.changes, "quarantined": ()})

    move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)


def tidy_up(row: Generation, *, ports: Ports) -> None:
    """Delete what a generation that has ended left in quarantine, but for what can be appealed.

    Who published images and then met the withdrawal of consent has published them in vain.
    """
    code = row.failure.code if row.failure else None
    if not (row.outputs or row.blocked or code in LEAVES_FILES):
        return
    kept = {image.key for image in row.blocked}
    keys = (quarantine_key(row, index) for index in range(row.num_outputs))
    ports.objects.delete([key for key in keys if key not in kept])
    if code == "model_closed":
        ports.objects.delete_prefix(row.published_prefix)


def time_to_publish(ports: Ports, until: datetime) -> bool:
    """Tell whether what publishing needs is left before this process ends."""
    return ports.clock.now() + timedelta(seconds=PUBLISHING_NEEDS_S) <= until


def quarantine_key(row: Generation, index: int) -> str:
    return f"{row.quarantine_prefix}{row.attempt}/{index}"


def provenance_of(row: Generation) -> Provenance:
    """Return what its images say of themselves; a personal model is named by what it grew from."""
    return Provenance(generation_id=row.id, model=row.own.fine_tune if row.own else row.model)


def _model_of(row: Generation, ports: Ports) -> PersonalModel | None:
    return ports.models.get(ModelRef(row.user_id, row.model)) if row.own else None


def _is_closed(row: Generation, model: PersonalModel | None) -> bool:
    return row.own is not None and (model is None or model.consent.withdrawn_at is not None)


def _publish(row: Generation, found: JudgedImage, ports: Ports) -> Output:
    image = found.image
    stem = f"{row.published_prefix}{row.attempt}-{image.index}"
    key, thumbnail_key = f"{stem}.{image.extension}", f"{stem}.thumbnail.webp"
    thumbnail = found.thumbnail or _thumbnail(row, image, ports)
    ports.objects.copy(image.key, key, content_type=image.content_type)
    ports.objects.put_bytes(thumbnail_key, thumbnail.data, content_type="image/webp")
    return Output(
        index=image.index,
        key=key,
        content_type=image.content_type,
        width=image.width,
        height=image.height,
        size_bytes=image.size_bytes,
        sha256=image.sha256,
        thumbnail_key=thumbnail_key,
        thumbnail_width=thumbnail.width,
        thumbnail_height=thumbnail.height,
    )


def _thumbnail(row: Generation, image: Quarantined, ports: Ports) -> Thumbnail:
    with ports.objects.fetch(image.key, max_bytes=IMAGE_MAX_BYTES) as file:
        if file is None:
            raise Transient("an image has gone from quarantine since it was judged")
        return ports.pictures.thumbnail(file.path, provenance_of(row))


def _blocked(found: JudgedImage, ports: Ports) -> Blocked:
    category, kept = found.judgement.category, ports.policies.blocked_kept
    assert category is not None
    return Blocked(
        index=found.image.index,
        category=category,
        key=found.image.key if kept else None,
        appealable_until=ports.clock.now() + kept if kept else None,
    )


def _categories(blocked: Sequence[Blocked]) -> str:
    return ",".join(sorted({image.category for image in blocked}))
