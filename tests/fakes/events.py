from __future__ import annotations

from collections.abc import Sequence

from revela.domain.events import DomainEvent
from tests.fakes.calls import Calls, port_call


class FakeEvents:
    """Keeps what was told; positions in `refused` are not taken by the next call."""

    def __init__(self, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self.told: list[DomainEvent] = []
        self.refused: set[int] = set()

    @port_call
    def publish(self, events: Sequence[DomainEvent]) -> list[int]:
        refused, self.refused = self.refused, set()
        self.told += [event for position, event in enumerate(events) if position not in refused]
        return sorted(position for position in refused if position < len(events))
