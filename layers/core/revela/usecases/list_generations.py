"""List a user's generations, newest first, with URLs for their images."""

from __future__ import annotations

from dataclasses import dataclass

from revela.domain.job import State
from revela.ports import Page, Ports
from revela.usecases.image_models import OWN
from revela.usecases.show_generation import GenerationView, view


@dataclass(frozen=True)
class ListGenerations:
    """`state` and `model` None: any."""

    user_id: str
    limit: int
    cursor: str | None = None
    state: State | None = None
    model: str | None = None


def list_generations(command: ListGenerations, *, ports: Ports) -> Page[GenerationView]:
    """Return a page.

    Raises:
        InvalidRequest: the catalog has no such model; a bad cursor.
    """
    model = command.model
    if model is not None and not model.startswith(OWN):
        # A misspelt model would answer with an empty list, which reads as "you have none". What was made
        # with an own model outlives it.
        model = ports.catalog.model(model).id
    page = ports.generations.page(
        command.user_id, limit=command.limit, cursor=command.cursor, state=command.state, model=model
    )
    return Page(view(page.items, ports=ports), page.cursor)
