from __future__ import annotations

from collections import Counter
from typing import NamedTuple


class Line(NamedTuple):
    level: str
    event: str
    fields: dict[str, object]


class FakeTelemetry:
    """Keeps what was said."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.counts: Counter[str] = Counter()
        self.values: dict[str, list[float]] = {}

    def debug(self, event: str, **fields: object) -> None:
        self.lines.append(Line("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(Line("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(Line("warning", event, fields))

    def count(self, metric: str, value: float = 1, *, unit: str = "Count") -> None:
        self.counts[metric] += 1
        self.values.setdefault(metric, []).append(value)

    def events(self, level: str | None = None) -> list[str]:
        return [line.event for line in self.lines if level in (None, line.level)]
