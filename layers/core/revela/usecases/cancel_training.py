"""Cancel a training."""

from __future__ import annotations

from revela.domain.training import Training
from revela.ports import Ports, Ref
from revela.usecases.cancels import Codes, cancel

CODES = Codes(saving="training_saving", ended="training_ended")


def cancel_training(ref: Ref, *, ports: Ports, free: bool = False) -> Training:
    """Return the training: canceled, or still running with `cancel_requested_at` set.

    `free`: as of `cancels.cancel`.

    Raises:
        NotFound: the user has no such training.
        NotNow: its version is being recorded, or it has ended otherwise.
    """
    row = cancel(ref, CODES, free=free, ports=ports)
    assert isinstance(row, Training)
    return row
