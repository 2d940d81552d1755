from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from revela.adapters.dynamodb.health import KEPT, DynamoHealth
from revela.domain.errors import Conflict, Transient
from revela.domain.model_health import ModelHealth
from revela.ports import Health
from tests.contract.aws import aws, deploy_tables
from tests.contract.wire import refused, wire
from tests.fakes.clock import START, FakeClock
from tests.fakes.health import FakeHealth

NEW = ModelHealth("flux-dev")
DOWN = NEW.failed(START).failed(START).failed(START)


@pytest.fixture(params=["memory", "dynamodb"])
def processes(request: pytest.FixtureRequest) -> Iterator[tuple[Health, Health]]:
    """Two processes that watch the same models."""
    if request.param == "memory":
        shared = FakeHealth()
        yield shared, shared
        return
    with aws():
        tables = deploy_tables()
        yield DynamoHealth(tables, FakeClock()), DynamoHealth(tables, FakeClock())


def written(health: Health, *versions: ModelHealth) -> None:
    for version in versions:
        health.put(version)


def test_a_model_nobody_reported_is_well(processes: tuple[Health, Health]) -> None:
    assert processes[0].get("flux-dev") == NEW


def test_what_one_process_writes_another_reads(processes: tuple[Health, Health]) -> None:
    one, other = processes
    written(one, first := NEW.failed(START), second := first.failed(START), second.failed(START))

    assert other.get("flux-dev") == DOWN
    assert other.get("sdxl") == ModelHealth("sdxl")


def test_a_change_of_what_has_changed_meanwhile_conflicts(processes: tuple[Health, Health]) -> None:
    one, other = processes
    written(one, NEW.failed(START))

    with pytest.raises(Conflict):
        other.put(NEW.failed(START))
    other.put(other.get("flux-dev").succeeded())

    assert one.get("flux-dev").failures == 0


def test_a_read_is_kept_for_some_seconds() -> None:
    clock = FakeClock()
    with aws(), wire() as between:
        tables = deploy_tables()
        health, other = DynamoHealth(tables, clock), DynamoHealth(tables, FakeClock())
        between.calls.clear()
        for _ in range(3):
            assert health.get("flux-dev") == NEW
        assert between.operations() == ["GetItem"]

        other.put(NEW.failed(START))
        assert health.get("flux-dev") == NEW
        clock.advance(KEPT + timedelta(milliseconds=1))
        assert health.get("flux-dev").failures == 1


def test_a_store_that_is_away_is_transient() -> None:
    with aws(), wire() as between:
        health = DynamoHealth(deploy_tables(), FakeClock())
        between.break_next("GetItem", refused("InternalServerError"))
        with pytest.raises(Transient):
            health.get("flux-dev")
        between.break_next("PutItem", refused("ProvisionedThroughputExceededException"))
        with pytest.raises(Transient):
            health.put(NEW.failed(START))
