"""Judge outputs that wait in quarantine: hear what the judge said meanwhile, ask again what it did not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from revela.domain.errors import JudgeUnavailable, OutputUnusable, TicketVoid, Transient
from revela.domain.generation import Generation, Quarantined
from revela.domain.job import Event, Failure, State
from revela.domain.judgement import Judgement, Ticket
from revela.domain.policy import JUDGE_FIRST, JUDGE_MAX
from revela.domain.retry import backoff
from revela.ports import Fetched, Ports, Ref
from revela.usecases.moving import Move, Moved, move
from revela.usecases.publish_outputs import (
    JudgedImage,
    Mine,
    end_if_closed,
    give_up,
    provenance_of,
    publish_outputs,
    tidy_up,
    time_to_publish,
)
from revela.usecases.save_outputs import count_cost

Made = TypeVar("Made")

# No output is larger when it is downloaded; its provenance adds some hundred bytes.
IMAGE_MAX_BYTES = 33 * 1024 * 1024


def judge_outputs(row: Generation, *, ports: Ports, until: datetime) -> None:
    """Publish when every image is judged; else wait for the judge, as long as the installation says.

    `row` carries the lease that this process took.

    Raises:
        Transient: it has ended, and something is left to do: deliver the message again.
    """

    def mine(seen: Generation) -> bool:
        return seen.state is State.JUDGING and seen.lease_until == row.lease_until

    with ExitStack() as open_files:
        quarantine = _Quarantine(row, open_files, ports)
        ended = end_if_closed(row, mine=mine, ports=ports) or _judged(row, quarantine, mine, ports, until)
    if ended is not None:
        tidy_up(ended, ports=ports)


class _Quarantine:
    """What is fetched from there in one visit, each file once."""

    def __init__(self, row: Generation, open_files: ExitStack, ports: Ports) -> None:
        self._row = row
        self._open_files = open_files
        self._ports = ports
        self._files: dict[str, Fetched | None] = {}

    def made_of(self, image: Quarantined, make: Callable[[Path], Made]) -> Made | None:
        """Return what is made of the file; None when it has gone, or is no image any more."""
        if image.key not in self._files:
            fetched = self._ports.objects.fetch(image.key, max_bytes=IMAGE_MAX_BYTES)
            self._files[image.key] = self._open_files.enter_context(fetched)
        file, reason = self._files[image.key], "gone"
        try:
            if file is not None:
                return make(file.path)
        except OutputUnusable as unusable:
            reason = unusable.reason
        self._ports.telemetry.warning(
            "quarantine_incomplete", generation_id=self._row.id, index=image.index, reason=reason
        )
        return None


def _judged(
    row: Generation, quarantine: _Quarantine, mine: Mine, ports: Ports, until: datetime
) -> Generation | None:
    """Return the row if it, or its attempt, has ended with that."""
    images = [_heard(row, image, ports) for image in row.quarantined]
    trouble: Transient | None = None
    try:
        images = _asked(images, quarantine, ports, until)
        if not images:
            return give_up(row, ["gone"], mine=mine, ports=ports)
        if all(isinstance(image.found, Judgement) for image in images) and time_to_publish(ports, until):
            ready = _ready(row, images, quarantine, ports)
            if not ready:
                return give_up(row, ["gone"], mine=mine, ports=ports)
            return publish_outputs(row, ready, mine=mine, ports=ports)
    except Transient as error:
        _tell(row, error, ports)
        trouble = error
    left = _wait(row, tuple(images), mine, ports)
    if left.row is None or left.row.state.has_outputs:
        return None
    if trouble is not None and not left.moved:
        # It had ended before that: whatever is left to do, the message that comes again does it.
        raise trouble
    return left.row if left.moved else None


def _heard(row: Generation, image: Quarantined, ports: Ports) -> Quarantined:
    """Return the image with what was said of it since the judge was asked."""
    if not isinstance(image.found, Ticket):
        return image
    try:
        said = ports.image_judge.answer(image.found)
    except TicketVoid:
        return image.model_copy(update={"found": None})
    except Transient as error:
        _tell(row, error, ports)
        return image
    count_cost([said], ports)
    return image.model_copy(update={"found": said})


def _asked(
    images: Sequence[Quarantined], quarantine: _Quarantine, ports: Ports, until: datetime
) -> list[Quarantined]:
    """Return the images, those that no judge was asked about asked now; without those that are gone."""
    if not time_to_publish(ports, until):
        # What would be said could be lost with this process, and is paid for.
        return list(images)
    renderings: dict[int, bytes] = {}
    gone: set[int] = set()
    for image in images:
        if image.found is not None:
            continue
        if rendering := quarantine.made_of(image, ports.pictures.rendering):
            renderings[image.index] = rendering
        else:
            gone.add(image.index)
    said = dict(
        zip(renderings, ports.image_judge.ask(list(renderings.values())), strict=True) if renderings else ()
    )
    count_cost(list(said.values()), ports)
    return [
        image.model_copy(update={"found": said.get(image.index, image.found)})
        for image in images
        if image.index not in gone
    ]


def _ready(
    row: Generation, images: Sequence[Quarantined], quarantine: _Quarantine, ports: Ports
) -> list[JudgedImage]:
    """Return what can be published or blocked; an image that has gone from quarantine is neither."""
    ready: list[JudgedImage] = []
    make_thumbnail = partial(ports.pictures.thumbnail, provenance=provenance_of(row))
    for image in images:
        judgement = image.found
        assert isinstance(judgement, Judgement)
        thumbnail = quarantine.made_of(image, make_thumbnail) if judgement.allowed else None
        if judgement.allowed and thumbnail is None:
            continue
        ready.append(JudgedImage(image, judgement, thumbnail))
    return ready


def _wait(row: Generation, images: tuple[Quarantined, ...], mine: Mine, ports: Ports) -> Moved[Generation]:
    """Give the lease back, or end the job whose judge was awaited for too long."""
    fraction = ports.entropy.fraction()
    wait = backoff(JUDGE_FIRST, row.judge_waits, fraction=fraction, maximum=JUDGE_MAX)
    # Where all is judged it is the bucket that is awaited, until it has nothing any more.
    awaits_judge = not all(isinstance(image.found, Judgement) for image in images)

    def decide(seen: Generation) -> Move | None:
        if not mine(seen):
            return None
        now = ports.clock.now()
        since = seen.judging_since or now
        if awaits_judge and now - since > ports.policies.judge_patience:
            away = Failure(code="judge_unavailable")
            return Move(Event.JUDGE_AWAY, State.FAILED, changes={"quarantined": ()}, failure=away)
        return Move(
            Event.JUDGING_DELAYED,
            State.JUDGING,
            changes={
                "quarantined": images,
                "lease_until": None,
                "due_at": now + wait,
                "judge_waits": seen.judge_waits + 1,
            },
        )

    return move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)


def _tell(row: Generation, error: Transient, ports: Ports) -> None:
    if isinstance(error, JudgeUnavailable):
        ports.telemetry.count("JudgeUnavailable")
    ports.telemetry.warning(
        "judging_delayed", generation_id=row.id, reason=str(error) or type(error).__name__
    )
