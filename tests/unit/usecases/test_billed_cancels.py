"""Cancels of what the provider was already running: free up to the plan's number of a day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.generation import Generation
from revela.domain.job import State
from revela.usecases.cancel_generation import cancel_generation
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, System, ref

FREE_CANCELS = 3  # of the plan "free"


def _cancel_running(system: System, ports: FakePorts) -> Generation:
    row = system.processing()
    ports.provider.start(system.prediction(row).id)
    cancel_generation(ref(row), ports=ports)
    return system.hear(row, ports.provider.end_canceled(system.prediction(row).id))


def test_the_first_cancels_of_a_day_are_free(system: System, ports: FakePorts) -> None:
    for _ in range(FREE_CANCELS):
        row = _cancel_running(system, ports)
        assert (row.state, row.credits_charged) == (State.CANCELED, 0)

    assert ports.store.accounts[ANA].cancels_today == FREE_CANCELS
    assert ports.store.accounts[ANA].spent == 0


def test_beyond_them_a_cancel_is_charged_as_the_provider_bills_it(system: System, ports: FakePorts) -> None:
    rows = [_cancel_running(system, ports) for _ in range(FREE_CANCELS + 1)]

    assert rows[-1].state is State.CANCELED
    assert rows[-1].credits_charged == rows[-1].credits_held
    assert rows[-1].credits_refunded == 0
    assert ports.store.accounts[ANA].spent == rows[-1].credits_held


def test_the_next_day_they_are_free_again(system: System, ports: FakePorts) -> None:
    for _ in range(FREE_CANCELS + 1):
        _cancel_running(system, ports)
    ports.clock.advance(timedelta(days=1))

    assert _cancel_running(system, ports).credits_charged == 0
    assert ports.store.accounts[ANA].cancels_today == 1


def test_a_cancel_counts_for_the_day_on_which_it_ends(system: System, ports: FakePorts) -> None:
    for _ in range(FREE_CANCELS):
        _cancel_running(system, ports)
    overnight = system.processing()
    ports.provider.start(system.prediction(overnight).id)
    ports.clock.advance(timedelta(days=1))

    cancel_generation(ref(overnight), ports=ports)
    row = system.hear(overnight, ports.provider.end_canceled(system.prediction(overnight).id))

    assert (row.state, row.credits_charged) == (State.CANCELED, 0)
    assert ports.store.accounts[ANA].cancels_today == 1


@pytest.mark.parametrize("how", ["end_canceled", "abort"])
def test_what_never_ran_is_not_counted(how: str, system: System, ports: FakePorts) -> None:
    row = system.processing()
    cancel_generation(ref(row), ports=ports)
    row = system.hear(row, getattr(ports.provider, how)(system.prediction(row).id))

    assert (row.state, row.credits_charged) == (State.CANCELED, 0)
    assert ports.store.accounts[ANA].cancels_today == 0


def test_cancels_of_our_own_deadline_are_nobodys_cancel(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.start(system.prediction(row).id)
    row = system.hear(row, ports.provider.end_canceled(system.prediction(row).id))

    assert (row.state, row.credits_charged) == (State.FAILED, 0)
    assert ports.store.accounts[ANA].cancels_today == 0
