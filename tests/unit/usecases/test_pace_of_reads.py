"""Polling keeps to the pace of the provider's other limit, and learns it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import ProviderThrottled
from revela.usecases.polling import ONE_CALL_NEEDS, poll_predictions
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, System
from tests.unit.usecases.trouble import meanwhile


@pytest.fixture(autouse=True)
def ana_has_several_places(system: System) -> None:
    system.subscribe(ANA, plan="studio")


@pytest.mark.parametrize(("jobs", "call"), [(1, "get_prediction"), (4, "_page")])
def test_a_refused_read_slows_the_reads_of_everybody(
    jobs: int, call: str, system: System, ports: FakePorts
) -> None:
    rows = [system.processing() for _ in range(jobs)]
    now = ports.clock.now()

    def refuse() -> None:
        raise ProviderThrottled("slow down", 7)

    with meanwhile(ports, f"FakeProvider.{call}", refuse):
        poll_predictions(rows, ports=ports, until=now + ONE_CALL_NEEDS + timedelta(seconds=3))

    assert ports.telemetry.values["ReadsPerMinute"] == [pytest.approx(3000 / 1.01 / 1.03, rel=1e-3)]
    later = now + timedelta(minutes=1)
    assert ports.pace.reserve_read(now=now, before=later) == now + timedelta(seconds=7)
