"""Appeal against what was blocked of a generation."""

from __future__ import annotations

from dataclasses import dataclass

from revela.domain.errors import NotFound, NotNow
from revela.domain.generation import Appeal, Generation
from revela.domain.job import Event, State
from revela.ports import Ports, Ref
from revela.usecases.moving import Move, Moved, move


@dataclass(frozen=True)
class AppealGeneration:
    """`reason` in the user's own words, if any; it goes into no log and no event."""

    generation: Ref
    reason: str | None = None


def appeal_generation(command: AppealGeneration, *, ports: Ports) -> Generation:
    """Return the generation with its appeal; a second one changes nothing.

    Raises:
        NotFound: the user has no such generation.
        NotNow: nothing of it was blocked, or its blocked images are no longer kept.
    """

    def decide(row: Generation) -> Move | None:
        if row.state is State.DELETING:
            raise NotFound("not_found")
        if row.appeal is not None:
            return None
        now = ports.clock.now()
        if not row.appealable:
            raise NotNow("nothing_to_appeal")
        if all(image.appealable_until is None or image.appealable_until <= now for image in row.blocked):
            raise NotNow("appeal_too_late")
        appeal = Appeal(appealed_at=now, reason=command.reason)
        return Move(Event.APPEALED, row.state, changes={"appeal": appeal})

    moved: Moved[Generation] = move(command.generation, decide, ports=ports)
    if moved.row is None:
        raise NotFound("not_found")
    if moved.moved:
        ports.telemetry.count("Appeals")
        ports.telemetry.info("generation_appealed", user_id=moved.row.user_id, generation_id=moved.row.id)
    return moved.row
