"""Show trainings of a model: the rows."""

from __future__ import annotations

from revela.domain.errors import NotFound
from revela.domain.training import Training
from revela.ports import ModelRef, Page, Ports, Ref
from revela.usecases import personal_models


def show_training(ref: Ref, *, ports: Ports) -> Training:
    """Raises NotFound when the user has no such training."""
    row = ports.trainings.get(ref)
    if row is None:
        raise NotFound("not_found")
    return row


def list_trainings(model: ModelRef, *, limit: int, cursor: str | None, ports: Ports) -> Page[Training]:
    """Return a page, newest first. Raises NotFound, InvalidRequest on a bad cursor."""
    personal_models.get(model, ports=ports)
    return ports.trainings.page(model, limit=limit, cursor=cursor)
