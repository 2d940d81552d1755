"""Save outputs: each into quarantine, marked for what it is, then before the judge."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from revela.domain.errors import OutputUnusable, ProviderTransient, Transient
from revela.domain.generation import Generation, Quarantined
from revela.domain.job import Event, State
from revela.domain.judgement import Judgement, Ticket
from revela.domain.policy import JUDGE_FIRST, OUTPUTS_LATE, SAVING_RETRY, SAVING_RETRY_MAX
from revela.domain.prediction import Prediction
from revela.domain.retry import backoff
from revela.ports import Ports, Ref, Thumbnail
from revela.usecases.moving import Move, move
from revela.usecases.publish_outputs import (
    JudgedImage,
    Mine,
    end_if_closed,
    give_up,
    provenance_of,
    publish_outputs,
    quarantine_key,
    tell_unusable,
    tidy_up,
    time_to_publish,
)


class _Held(NamedTuple):
    """An image in quarantine, and what was made of it while its file was here."""

    image: Quarantined
    rendering: bytes
    thumbnail: Thumbnail


def save_outputs(row: Generation, prediction: Prediction, *, ports: Ports, until: datetime) -> None:
    """Quarantine what was delivered and have it judged; publish it if the judge answers at once.

    `row` carries the lease that this process took. A judge that takes its time, or is away, is awaited in a
    state of its own: by then nothing is lost any more when the provider deletes its files.

    Raises:
        Transient: it has ended, and something is left to do: deliver the message again.
    """

    def mine(seen: Generation) -> bool:
        return seen.state is State.SAVING and seen.lease_until == row.lease_until

    try:
        ended = end_if_closed(row, mine=mine, ports=ports) or _saved(row, prediction, mine, ports, until)
    except Transient as error:
        left = _delay(row, mine, error, ports)
        if left is not None and not left.state.has_outputs:
            # It had ended before that: whatever is left to do, the message that comes again does it.
            raise
        return
    if ended is not None:
        tidy_up(ended, ports=ports)


def _saved(
    row: Generation, prediction: Prediction, mine: Mine, ports: Ports, until: datetime
) -> Generation | None:
    """Return the row if it, or its attempt, has ended with that."""
    held, reasons = _quarantine(row, prediction, ports)
    if not held:
        # The provider deletes outputs after an hour; what was not saved by then is lost.
        return give_up(row, reasons or ["gone"], mine=mine, ports=ports)
    if reasons:
        tell_unusable(row, reasons, ports=ports)
    said = _ask(row, held, ports, until)
    judged = [
        JudgedImage(one.image, found, one.thumbnail)
        for one, found in zip(held, said, strict=True)
        if isinstance(found, Judgement)
    ]
    if len(judged) == len(held) and time_to_publish(ports, until):
        return publish_outputs(row, judged, mine=mine, ports=ports)
    _await_judge(row, held, said, mine, ports)
    return None


def _quarantine(row: Generation, prediction: Prediction, ports: Ports) -> tuple[list[_Held], list[str]]:
    """Return what is good, and why the rest is not.

    Raises:
        ProviderTransient: something is not served for now, and may be before the provider deletes the others.
    """
    good: list[_Held] = []
    reasons: list[str] = []
    away: ProviderTransient | None = None
    for index, url in enumerate(prediction.output[: row.num_outputs]):
        try:
            good.append(_held(row, index, url, ports))
        except OutputUnusable as unusable:
            reasons.append(unusable.reason)
        except ProviderTransient as error:
            away = error
            reasons.append("not_served")
    if away is not None and not (good and _is_late(row, prediction, ports)):
        raise away
    return good, reasons


def _held(row: Generation, index: int, url: str, ports: Ports) -> _Held:
    key, provenance = quarantine_key(row, row.attempt, index), provenance_of(row)
    with ports.outputs.download(url) as file:
        picture = ports.pictures.inspect(file.path)
        ports.pictures.mark(file.path, provenance)
        ports.objects.put_file(key, file.path, content_type=picture.content_type)
        with file.path.open("rb") as published:
            sha256 = hashlib.file_digest(published, "sha256").hexdigest()
        image = Quarantined(
            index=index,
            key=key,
            content_type=picture.content_type,
            extension=picture.extension,
            width=picture.width,
            height=picture.height,
            size_bytes=file.path.stat().st_size,
            sha256=sha256,
        )
        thumbnail = ports.pictures.thumbnail(file.path, provenance)
        return _Held(image, ports.pictures.rendering(file.path), thumbnail)


def _is_late(row: Generation, prediction: Prediction, ports: Ports) -> bool:
    ended_at = prediction.completed_at or row.claimed_at
    return ended_at is not None and ports.clock.now() - ended_at > OUTPUTS_LATE


def _ask(
    row: Generation, held: Sequence[_Held], ports: Ports, until: datetime
) -> Sequence[Judgement | Ticket | None]:
    """Return what the judge says of each, None where it could not be asked."""
    if not time_to_publish(ports, until):
        return [None] * len(held)
    try:
        said = ports.image_judge.ask([one.rendering for one in held])
    except Transient as error:
        ports.telemetry.count("JudgeUnavailable")
        ports.telemetry.warning(
            "judge_unavailable", generation_id=row.id, reason=str(error) or type(error).__name__
        )
        return [None] * len(held)
    count_cost(said, ports)
    return said


def count_cost(said: Sequence[Judgement | Ticket | None], ports: Ports) -> None:
    """Count what the house pays for being told."""
    paid = sum(found.cost_micro_usd for found in said if isinstance(found, Judgement))
    if paid:
        ports.telemetry.count("JudgingCostMicroUsd", paid)


def _await_judge(
    row: Generation,
    held: Sequence[_Held],
    said: Sequence[Judgement | Ticket | None],
    mine: Mine,
    ports: Ports,
) -> None:
    images = tuple(
        one.image.model_copy(update={"found": found}) for one, found in zip(held, said, strict=True)
    )

    def decide(seen: Generation) -> Move | None:
        if not mine(seen):
            return None
        now = ports.clock.now()
        return Move(
            Event.JUDGE_AWAITED,
            State.JUDGING,
            changes={
                "quarantined": images,
                "judging_since": now,
                "due_at": now + JUDGE_FIRST,
                "judge_waits": 0,
            },
        )

    move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)


def _delay(row: Generation, mine: Mine, error: Transient, ports: Ports) -> Generation | None:
    """Give the lease back; reconcile asks the provider again and has the saving repeated. Return the row.

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

    return move(Ref(row.user_id, row.id), decide, ports=ports, seen=row).row
