"""Delete a generation and everything stored for it: objects first, so that it can be resumed."""

from __future__ import annotations

from revela.domain.errors import Conflict, NotFound, NotNow
from revela.domain.generation import Generation
from revela.domain.job import Event, State
from revela.domain.policy import DELETING_DUE
from revela.ports import Ports, Ref
from revela.usecases.moving import Move, move


def delete_generation(ref: Ref, *, ports: Ports) -> None:
    """Delete it whole; deleting again, or resuming after a crash, is the same call.

    Raises:
        NotFound: the user has no such generation.
        NotNow: it has not ended yet.
    """

    def decide(row: Generation) -> Move | None:
        if row.state.live:
            raise NotNow("generation_running")
        if row.state is State.DELETING:
            return None
        due_at = ports.clock.now() + DELETING_DUE
        return Move(Event.DELETED, State.DELETING, changes={"due_at": due_at})

    row, _ = move(ref, decide, ports=ports)
    if row is None:
        raise NotFound("not_found")
    # By prefix, not by what the row lists: a worker that died while saving left more than it recorded.
    ports.objects.delete_prefix(row.published_prefix)
    ports.objects.delete_prefix(row.quarantine_prefix)
    try:
        ports.generations.remove(row)
    except Conflict:
        # Someone else resumes it; they find nothing left to delete but the row.
        ports.telemetry.info("delete_taken_over", generation_id=row.id)
        return
    ports.telemetry.info("generation_deleted", generation_id=row.id)
