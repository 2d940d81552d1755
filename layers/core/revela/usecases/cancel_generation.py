"""Cancel a generation: at once while it is ours alone, by asking the provider once it has it."""

from __future__ import annotations

from revela.domain.errors import NotFound, NotNow
from revela.domain.generation import Generation
from revela.domain.job import Event, State
from revela.ports import Ports, Ref
from revela.usecases.moving import Move, move, send_starts


def cancel_generation(ref: Ref, *, ports: Ports) -> Generation:
    """Return the generation: canceled, or still running with `cancel_requested_at` set.

    Asking again changes nothing.

    Raises:
        NotFound: the user has no such generation.
        NotNow: it is being saved, or has ended otherwise.
    """

    def decide(row: Generation) -> Move | None:
        if row.state in (State.WAITING, State.QUEUED):
            return Move(Event.CANCEL_REQUESTED, State.CANCELED)
        if row.state is State.SAVING:
            raise NotNow("generation_saving")
        if row.state.at_provider:
            if row.cancel_requested_at is not None:
                return None
            now = ports.clock.now()
            return Move(
                Event.CANCEL_REQUESTED,
                row.state,
                changes={"cancel_requested_at": now, "due_at": now, "visits": 0},
            )
        if row.state is State.CANCELED:
            return None
        if row.state is State.DELETING:
            raise NotFound("not_found")
        raise NotNow("generation_ended", state=row.state.value)

    row, moved = move(ref, decide, ports=ports)
    if row is None:
        raise NotFound("not_found")
    if moved and row.cancel_requested_at is not None:
        # Workers hold the provider's token, not the API: this wakes one to pass the cancel on.
        send_starts([ref], ports=ports)
    return row
