"""Cancel a generation."""

from __future__ import annotations

from revela.domain.generation import Generation
from revela.ports import Ports, Ref
from revela.usecases.cancels import Codes, cancel

CODES = Codes(saving="generation_saving", ended="generation_ended")


def cancel_generation(ref: Ref, *, ports: Ports, free: bool = False) -> Generation:
    """Return the generation: canceled, or still running with `cancel_requested_at` set.

    `free`: as of `cancels.cancel`.

    Raises:
        NotFound: the user has no such generation.
        NotNow: it is being saved, or has ended otherwise.
    """
    row = cancel(ref, CODES, free=free, ports=ports)
    assert isinstance(row, Generation)
    return row
