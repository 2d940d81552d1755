"""How a job of any kind is canceled: at once while it is ours alone, then by asking the provider."""

from __future__ import annotations

from typing import NamedTuple

from revela.domain.errors import NotFound, NotNow
from revela.domain.job import AnyJob, Event, Job, State
from revela.ports import Ports, Ref
from revela.usecases.moving import Move, Moved, move, send_starts


class Codes(NamedTuple):
    """The errors of a kind of job that cannot be canceled any more."""

    saving: str
    ended: str


def cancel(ref: Ref, codes: Codes, *, free: bool, ports: Ports) -> Job:
    """Return the job: canceled, or still running with `cancel_requested_at` set.

    Asking again changes nothing. `free`: it is not charged, whatever the provider bills for the time it ran.

    Raises:
        NotFound: the user has no such job.
        NotNow: it is being saved, or has ended otherwise.
    """

    def decide(row: AnyJob) -> Move | None:
        if row.state in (State.WAITING, State.QUEUED):
            return Move(Event.CANCEL_REQUESTED, State.CANCELED)
        if row.state.has_outputs:
            raise NotNow(codes.saving)
        if row.state.at_provider:
            if row.cancel_requested_at is not None and row.cancel_is_free >= free:
                return None
            now = ports.clock.now()
            return Move(
                Event.CANCEL_REQUESTED,
                row.state,
                changes={
                    "cancel_requested_at": row.cancel_requested_at or now,
                    "cancel_is_free": free,
                    "due_at": now,
                    "visits": 0,
                },
            )
        if row.state is State.CANCELED:
            return None
        if row.state is State.DELETING:
            raise NotFound("not_found")
        raise NotNow(codes.ended, state=row.state.value)

    moved: Moved[Job] = move(ref, decide, ports=ports)
    if moved.row is None:
        raise NotFound("not_found")
    if moved.moved and moved.row.cancel_requested_at is not None:
        # Workers hold the provider's token, not the API: this wakes one to pass the cancel on.
        send_starts([ref], ports=ports)
    return moved.row
