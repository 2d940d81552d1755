"""Judge outputs that wait in quarantine: hear what the judge said meanwhile, ask again what it did not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from revela.domain.errors import JudgeUnavailable, TicketVoid, Transient
from revela.domain.generation import Generation, Quarantined
from revela.domain.job import Event, Failure, State
from revela.domain.judgement import Judgement, Ticket
from revela.domain.policy import JUDGE_FIRST, JUDGE_MAX
from revela.domain.retry import backoff
from revela.ports import Ports, Ref
from revela.usecases.moving import Move, move
from revela.usecases.publish_outputs import (
    IMAGE_MAX_BYTES,
    JudgedImage,
    Mine,
    give_up,
    publish_outputs,
    tidy_up,
    time_to_publish,
)
from revela.usecases.save_outputs import count_cost


def judge_outputs(row: Generation, *, ports: Ports, until: datetime) -> None:
    """Publish when every image is judged; else wait for the judge, as long as the installation says.

    `row` carries the lease that this process took.
    """

    def mine(seen: Generation) -> bool:
        return seen.state is State.JUDGING and seen.lease_until == row.lease_until

    images: Sequence[Quarantined] = row.quarantined
    try:
        images = [_heard(image, ports) for image in images]
        images = _asked(row, images, ports)
        if not images:
            give_up(row, ["gone"], mine=mine, ports=ports)
            return
        judged = [JudgedImage(image, image.found) for image in images if isinstance(image.found, Judgement)]
        if len(judged) == len(images) and time_to_publish(ports, until):
            publish_outputs(row, judged, mine=mine, ports=ports)
            return
    except Transient as error:
        if isinstance(error, JudgeUnavailable):
            ports.telemetry.count("JudgeUnavailable")
        ports.telemetry.warning("judging_delayed", generation_id=row.id, reason=type(error).__name__)
    _wait(row, tuple(images), mine, ports)


def _heard(image: Quarantined, ports: Ports) -> Quarantined:
    """Return the image with what was said of it since the judge was asked."""
    if not isinstance(image.found, Ticket):
        return image
    try:
        said = ports.image_judge.answer(image.found)
    except TicketVoid:
        return image.model_copy(update={"found": None})
    count_cost([said], ports)
    return image.model_copy(update={"found": said})


def _asked(row: Generation, images: Sequence[Quarantined], ports: Ports) -> list[Quarantined]:
    """Return the images, those that no judge was asked about asked now; without those that are gone."""
    renderings: dict[int, bytes] = {}
    gone: set[int] = set()
    for image in images:
        if image.found is not None:
            continue
        with ports.objects.fetch(image.key, max_bytes=IMAGE_MAX_BYTES) as file:
            if file is None:
                gone.add(image.index)
            else:
                renderings[image.index] = ports.pictures.rendering(file.path)
    said = dict(
        zip(renderings, ports.image_judge.ask(list(renderings.values())), strict=True) if renderings else ()
    )
    count_cost(list(said.values()), ports)
    if gone:
        ports.telemetry.warning("quarantine_incomplete", generation_id=row.id, missing=len(gone))
    return [
        image.model_copy(update={"found": said.get(image.index, image.found)})
        for image in images
        if image.index not in gone
    ]


def _wait(row: Generation, images: tuple[Quarantined, ...], mine: Mine, ports: Ports) -> None:
    fraction = ports.entropy.fraction()
    wait = backoff(JUDGE_FIRST, row.save_failures, fraction=fraction, maximum=JUDGE_MAX)

    def decide(seen: Generation) -> Move | None:
        if not mine(seen):
            return None
        now = ports.clock.now()
        since = seen.judging_since or seen.updated_at
        if now - since > ports.policies.judge_patience:
            away = Failure(code="judge_unavailable")
            return Move(Event.JUDGE_AWAY, State.FAILED, changes={"quarantined": ()}, failure=away)
        return Move(
            Event.JUDGING_DELAYED,
            State.JUDGING,
            changes={
                "quarantined": images,
                "lease_until": None,
                "due_at": now + wait,
                "save_failures": seen.save_failures + 1,
            },
        )

    ended = move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)
    if ended.moved and ended.row is not None and ended.row.state is State.FAILED:
        tidy_up(ended.row, ports=ports)
