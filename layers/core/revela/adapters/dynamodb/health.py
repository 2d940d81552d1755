from __future__ import annotations

from datetime import datetime, timedelta

from pynamodb.exceptions import PutError

from revela.adapters.dynamodb.failures import condition_failed, transient
from revela.adapters.dynamodb.tables import HealthRow, Tables
from revela.domain.errors import Conflict
from revela.domain.model_health import ModelHealth
from revela.ports import Clock

# What a process read is good for so long: everybody asks, and little changes.
KEPT = timedelta(seconds=5)


class DynamoHealth:
    """One item per model that ever failed. Two processes may differ for as long as a read is kept."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock
        self._known: dict[str, tuple[datetime, ModelHealth]] = {}

    def get(self, model_id: str) -> ModelHealth:
        now = self._clock.now()
        known = self._known.get(model_id)
        if known and abs(now - known[0]) < KEPT:
            return known[1]
        row = self._tables.health
        try:
            with transient():
                health = _health(row.get(_key(model_id)))
        except row.DoesNotExist:
            health = ModelHealth(model_id)
        self._known[model_id] = (now, health)
        return health

    def put(self, health: ModelHealth) -> None:
        kind = self._tables.health
        row = kind(
            _key(health.model_id),
            failures=health.failures,
            unavailable_until=health.unavailable_until,
            version=health.version,
        )
        before = health.version - 1
        self._known.pop(health.model_id, None)
        try:
            with transient():
                row.save(condition=kind.version == before if before else kind.id.does_not_exist())
        except PutError as error:
            if condition_failed(error):
                raise Conflict(["health"]) from error
            raise


def _key(model_id: str) -> str:
    return f"health#{model_id}"


def _health(row: HealthRow) -> ModelHealth:
    return ModelHealth(
        model_id=row.id.removeprefix("health#"),
        failures=int(row.failures),
        unavailable_until=row.unavailable_until,
        version=int(row.version),
    )
