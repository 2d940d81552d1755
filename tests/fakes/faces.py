from __future__ import annotations

from pathlib import Path

from revela.domain.photo import AgeRange, Box, Face, FaceReport, Unreadable
from tests.fakes.calls import Calls, port_call

ONE_ADULT = FaceReport(
    (Face(Box(0.3, 0.2, 0.25, 0.35), confidence=0.99, age=AgeRange(25, 35)),), knows_age=True
)


class FakeCelebrities:
    """Sees somebody famous when told to; with `failure` set, it raises that instead."""

    def __init__(self, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self.famous = False
        self.failure: Exception | None = None

    @port_call
    def appears(self, jpeg: Path) -> bool:
        if self.failure is not None:
            raise self.failure
        return self.famous


class FakeFaces:
    """Finds `found` on every picture; with `failure` set, it raises that instead."""

    def __init__(self, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self.found: FaceReport | Unreadable = ONE_ADULT
        self.failure: Exception | None = None

    @port_call
    def inspect(self, jpeg: Path) -> FaceReport | Unreadable:
        if self.failure is not None:
            raise self.failure
        return self.found
