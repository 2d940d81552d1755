"""Publish outputs that were judged, and settle. Nothing else puts an image where somebody can see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from revela.domain.change import ModelWrite
from revela.domain.generation import Blocked, Generation, Output, Quarantined
from revela.domain.job import Event, Failure, State
from revela.domain.judgement import Judgement
from revela.domain.personal_model import PersonalModel
from revela.domain.policy import PUBLISHING_NEEDS_S
from revela.domain.retry import OUTPUTS_UNUSABLE
from revela.ports import ModelRef, Ports, Provenance, Ref, Thumbnail
from revela.usecases import personal_models
from revela.usecases.ended_predictions import retry_or_end
from revela.usecases.moving import Move, move
from revela.usecases.prompt_checks import NO_STRIKE

THUMBNAIL = ".thumbnail.webp"

CLOSED = replace(personal_models.CLOSED, changes={"quarantined": ()})

# Tells a row that this process still holds the lease of.
Mine = Callable[[Generation], bool]


class JudgedImage(NamedTuple):
    """An image in quarantine with what its judge said; `thumbnail` None where it is not allowed."""

    image: Quarantined
    judgement: Judgement
    thumbnail: Thumbnail | None


def publish_outputs(
    row: Generation, judged: Sequence[JudgedImage], *, mine: Mine, ports: Ports
) -> Generation | None:
    """Copy what was allowed to where its owner finds it, and settle: blocked images are not charged.

    Return the row if this call has ended it: then it is to be tidied up. Nothing is shown of a person whose
    consent was withdrawn, however late.

    Raises:
        Transient: try again, with what is in quarantine.
    """
    seen = ports.generations.get(Ref(row.user_id, row.id))
    if seen is None or not mine(seen) or not _lease_runs(seen, ports):
        # This process slept: somebody else may have settled, and its owner deleted what was to be published.
        return None
    outputs = tuple(
        _publish(row, found.image, found.thumbnail, ports)
        for found in judged
        if found.judgement.allowed and found.thumbnail is not None
    )
    # From when they lie in quarantine, which the bucket empties by itself.
    kept_since = row.judging_since or ports.clock.now()
    blocked = tuple(_blocked(found, kept_since, ports) for found in judged if not found.judgement.allowed)

    def settle(seen: Generation) -> Move | None:
        if not mine(seen):
            return None
        model = _model_of(seen, ports)
        if _is_closed(seen, model):
            return CLOSED
        settled = Move(
            Event.OUTPUTS_SAVED,
            State.SUCCEEDED,
            changes={"quarantined": (), "outputs": outputs, "blocked": blocked},
            charge=min(seen.credits_held, len(outputs) * seen.credits_per_image),
            delivered=len(outputs),
            blocked=len(blocked),
            strike=any(image.category not in NO_STRIKE for image in blocked),
            model=ModelWrite(model, model) if model else None,
        )
        if outputs:
            return settled
        failure = Failure(code="moderated", detail=_categories(blocked))
        return replace(settled, event=Event.OUTPUTS_BLOCKED, to=State.FAILED, failure=failure)

    # Who has lost the lease leaves quarantine to its new holder, who may be copying from there.
    ended = move(Ref(row.user_id, row.id), settle, ports=ports, seen=seen)
    if not ended.moved or ended.row is None:
        return None
    if ended.row.blocked:
        ports.telemetry.count("ImagesBlocked", len(blocked))
        ports.telemetry.info("images_blocked", generation_id=row.id, categories=_categories(blocked))
    return ended.row


def end_if_closed(row: Generation, *, mine: Mine, ports: Ports) -> Generation | None:
    """End a job whose person has withdrawn: nobody looks at its images any more, not even a judge."""
    if not _is_closed(row, _model_of(row, ports)):
        return None
    ended = move(Ref(row.user_id, row.id), lambda seen: CLOSED if mine(seen) else None, ports=ports, seen=row)
    return ended.row if ended.moved else None


def give_up(row: Generation, reasons: Sequence[str], *, mine: Mine, ports: Ports) -> Generation | None:
    """Have the images made again, or fail: nothing of what was delivered can be used.

    Return the row if this call has ended its attempt: then it is to be tidied up. Nothing is deleted before,
    for whoever holds the lease by now may have published there. Raises Transient: try again.
    """
    detail = ",".join(reasons)
    tell_unusable(row, reasons, ports=ports)

    def decide(seen: Generation) -> Move | None:
        if not mine(seen):
            return None
        ended = retry_or_end(seen, Event.OUTPUTS_UNUSABLE, OUTPUTS_UNUSABLE, detail, ports)
        return replace(ended, changes={**ended.changes, "quarantined": ()})

    ended = move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)
    return ended.row if ended.moved else None


def tell_unusable(row: Generation, reasons: Sequence[str], *, ports: Ports) -> None:
    """Tell operators why some of what was delivered is not published."""
    ports.telemetry.warning("outputs_unusable", generation_id=row.id, reasons=",".join(reasons))


def tidy_up(row: Generation, *, ports: Ports, attempt: int | None = None) -> None:
    """Delete what the row's attempt, or an earlier one, left behind, but for what can be appealed.

    For attempts that have ended. A process that died may have published what was then blocked, or given up,
    or whose person then withdrew: what the row does not show goes from there as well. Raises Transient:
    somebody has to do it again.
    """
    attempt = row.attempt if attempt is None else attempt
    kept = {image.key for image in row.blocked}
    shown = {output.index for output in row.outputs} if attempt == row.attempt else set()
    left = [quarantine_key(row, attempt, index) for index in shown]
    left += _keys_of(row, attempt, (index for index in range(row.num_outputs) if index not in shown))
    ports.objects.delete([key for key in left if key not in kept])


def time_to_publish(ports: Ports, until: datetime) -> bool:
    """Tell whether what publishing needs is left before this process ends."""
    return ports.clock.now() + timedelta(seconds=PUBLISHING_NEEDS_S) <= until


def quarantine_key(row: Generation, attempt: int, index: int) -> str:
    return f"{row.quarantine_prefix}{attempt}/{index}"


def provenance_of(row: Generation) -> Provenance:
    """Return what its images say of themselves; a personal model is named by what it grew from."""
    return Provenance(generation_id=row.id, model=row.own.fine_tune if row.own else row.model)


def _lease_runs(row: Generation, ports: Ports) -> bool:
    return row.lease_until is not None and row.lease_until > ports.clock.now()


def _model_of(row: Generation, ports: Ports) -> PersonalModel | None:
    return ports.models.get(ModelRef(row.user_id, row.model)) if row.own else None


def _is_closed(row: Generation, model: PersonalModel | None) -> bool:
    return row.own is not None and (model is None or model.consent.withdrawn_at is not None)


def _publish(row: Generation, image: Quarantined, thumbnail: Thumbnail, ports: Ports) -> Output:
    stem = _stem(row, row.attempt, image.index)
    key, thumbnail_key = f"{stem}.{image.extension}", f"{stem}{THUMBNAIL}"
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


def _keys_of(row: Generation, attempt: int, indices: Iterable[int]) -> list[str]:
    """Return wherever an attempt may have put these images."""
    endings = (".jpg", ".png", ".webp", THUMBNAIL)
    return [
        key
        for index in indices
        for key in (
            quarantine_key(row, attempt, index),
            *(f"{_stem(row, attempt, index)}{ending}" for ending in endings),
        )
    ]


def _stem(row: Generation, attempt: int, index: int) -> str:
    return f"{row.published_prefix}{attempt}-{index}"


def _blocked(found: JudgedImage, kept_since: datetime, ports: Ports) -> Blocked:
    category, kept = found.judgement.category, ports.policies.blocked_kept
    assert category is not None
    return Blocked(
        index=found.image.index,
        category=category,
        key=found.image.key if kept else None,
        appealable_until=kept_since + kept if kept else None,
    )


def _categories(blocked: Sequence[Blocked]) -> str:
    return ",".join(sorted({image.category for image in blocked}))
