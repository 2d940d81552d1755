"""How a model fares at the provider: after repeated failures of its own it rests for some minutes.

Only what says that the model itself is away counts (404 on a create, E8765), never what an input or the
account did. One success clears its name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# So many failures in a row, of any jobs, and the model rests.
FAILURES_MAX = 3
RESTS_FOR = timedelta(minutes=5)


@dataclass(frozen=True)
class ModelHealth:
    """`failures` counts those since the last success; `version` guards the stored item, 0 means none."""

    model_id: str
    failures: int = 0
    unavailable_until: datetime | None = None
    version: int = 0

    def rests_until(self, now: datetime) -> datetime | None:
        """Return when the model is tried again; None when it may be used."""
        until = self.unavailable_until
        return until if until is not None and until > now else None

    def failed(self, now: datetime) -> ModelHealth:
        """Return the health after a failure: a model back from its rest rests again after the first."""
        failures = self.failures + 1
        until = now + RESTS_FOR if failures >= FAILURES_MAX else None
        return replace(self, failures=failures, unavailable_until=until, version=self.version + 1)

    def succeeded(self) -> ModelHealth:
        return replace(self, failures=0, unavailable_until=None, version=self.version + 1)
