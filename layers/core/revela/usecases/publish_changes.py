"""Publish changes: turn what a table's stream says of generations into events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from revela.domain.events import DomainEvent, GenerationSeen, event_of
from revela.ports import Ports


@dataclass(frozen=True)
class RowChange:
    """A row before and after one write; `before` None: it was new."""

    before: GenerationSeen | None
    after: GenerationSeen


def publish_changes(changes: Sequence[RowChange], *, ports: Ports) -> set[int]:
    """Publish what the changes mean, in their order; return the positions of those to be delivered again.

    A stream is delivered at least once: an event may be told twice, with the same id.
    """
    news: list[tuple[int, DomainEvent]] = [
        (position, event)
        for position, change in enumerate(changes)
        if (event := event_of(change.before, change.after)) is not None
    ]
    untold = ports.events.publish([event for _, event in news]) if news else []
    if untold:
        ports.telemetry.warning("events_not_published", count=len(untold))
    ports.telemetry.count("EventsPublished", len(news) - len(untold))
    return {news[index][0] for index in untold}
