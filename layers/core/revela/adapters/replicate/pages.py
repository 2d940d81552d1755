"""Lists of Replicate's, page by page: {previous, next, results}, newest first, a hundred at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from revela.adapters.replicate.client import Endpoint, ReplicateClient
from revela.domain.errors import ProviderTransient

Item = TypeVar("Item", bound=BaseModel)

PAGES_MAX = 100


class PageBody(BaseModel):
    results: list[Any]
    next: str | None = None


def pages(
    client: ReplicateClient, target: Endpoint, item: type[Item], *, query: Mapping[str, str] | None = None
) -> Iterator[list[Item]]:
    """Yield the items of each page to the last; an item that cannot be read is left out, and told.

    Raises ProviderTransient rather than end early: who reads a list concludes from what it lacks.
    """
    return following(client, target, item, client.get(target, PageBody, query=query))


def following(
    client: ReplicateClient, target: Endpoint, item: type[Item], page: PageBody
) -> Iterator[list[Item]]:
    """Yield the items of a page that is there, and of those after it."""
    for _ in range(PAGES_MAX):
        yield [read for raw in page.results if (read := _read(raw, item, client)) is not None]
        if page.next is None:
            return
        page = client.get_next(target, PageBody, page.next)
    raise ProviderTransient(f"the list has more than {PAGES_MAX} pages")


def _read(raw: Any, item: type[Item], client: ReplicateClient) -> Item | None:
    try:
        return item.model_validate(raw)
    except ValidationError:
        client.telemetry.warning("replicate_item_unreadable", kind=item.__name__)
        return None
