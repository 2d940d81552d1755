"""A whole life of jobs, with the process killed before and after every single call to the outside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from revela.domain.errors import NotFound, NotNow
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.delete_generation import delete_generation
from tests.fakes import FakePorts
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.system import ANA, System, ref
from tests.unit.usecases.trouble import Crash

Scenario = Callable[[System], None]


def accept(system: System, key: str) -> Generation:
    """Accept as a client does that repeats its request until it is answered."""
    for _ in range(2):
        try:
            return system.accept(ANA, key=key, num_outputs=2)
        except Crash:
            continue
    raise AssertionError("one call was to be killed, not two")


def surviving(act: Callable[[], object]) -> None:
    """Do it; when the process dies, do it again, as a redelivered message or an impatient user would."""
    try:
        act()
    except Crash:
        act()


def delivered(system: System) -> None:
    """Deliver every message that waits, again if its worker dies."""
    for at in system.ports.commands.take_started():
        surviving(partial(system.start, system.row(at)))
    for told in system.ports.commands.take_finished():
        surviving(partial(system.tell, told.ref, told.prediction, attempt=told.attempt))


def success(system: System) -> None:
    first, second = accept(system, "1"), accept(system, "2")
    for row in (first, second):
        delivered(system)
        report(system, row)
    delivered(system)


def retry_then_success(system: System) -> None:
    row = accept(system, "1")
    delivered(system)
    report(system, row, error="E8367")
    system.ports.clock.advance(timedelta(seconds=5))
    surviving(system.reconcile)
    delivered(system)
    report(system, row)


def cancel_in_flight(system: System) -> None:
    row = accept(system, "1")
    delivered(system)

    def cancel() -> None:
        try:
            cancel_generation(ref(row), ports=system.ports)
        except NotNow:
            assert system.row(row).state is not State.PROCESSING

    surviving(cancel)
    delivered(system)
    surviving(system.reconcile)
    delivered(system)


def delete(system: System) -> None:
    success(system)

    def remove() -> None:
        for row in list(system.ports.store.generations.values()):
            try:
                delete_generation(ref(row), ports=system.ports)
            except NotFound:
                pass
            except NotNow:
                assert row.state in (State.QUEUED, State.WAITING, State.STARTING, State.SAVING)

    surviving(remove)


def report(system: System, row: Generation, *, error: str | None = None) -> None:
    """Let the job's latest prediction end, and the webhook that says so arrive."""
    predictions = system.predictions(row)
    if not predictions or predictions[-1].status.terminal:
        return  # its worker died before it got there
    provider = system.ports.provider
    ended = provider.fail(predictions[-1].id, error) if error else provider.succeed(predictions[-1].id)
    attempt = len(predictions)
    surviving(lambda: system.tell(ref(row), ended, attempt=attempt))


def run(scenario: Scenario, *, moment: str = "", call: int = 0) -> FakePorts:
    """Play the scenario, the process dying at one call; then let time pass until nothing is left to do."""
    ports = FakePorts()
    system = System(ports)
    calls = 0

    def die(_: str) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Crash

    if moment:
        setattr(ports.calls, moment, die)
    scenario(system)
    ports.calls.before = ports.calls.after = lambda _: None
    assert_sound(ports)
    for _ in range(60):
        if all(row.state.terminal for row in ports.store.generations.values()):
            break
        system.reconcile(after=timedelta(minutes=1))
        delivered(system)
        for prediction in list(ports.provider.predictions.values()):
            if not prediction.status.terminal:
                ports.provider.succeed(prediction.id)
        assert_sound(ports)
    return ports


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("scenario", [success, retry_then_success, cancel_in_flight, delete])
def test_a_crash_at_any_call_loses_and_doubles_nothing(scenario: Scenario, moment: str) -> None:
    calls = len(run(scenario).calls.names)
    assert calls > 10

    for call in range(1, calls + 1):
        ports = run(scenario, moment=moment, call=call)

        where = f"{scenario.__name__}: the process died {moment} call {call}"
        rows = ports.store.generations.values()
        assert all(row.state.terminal for row in rows), where
        assert all(row.state in (State.SUCCEEDED, State.CANCELED) for row in rows), where
        account = ports.store.accounts[ANA]
        assert (account.held, account.running, account.waiting) == (0, 0, 0), where
        succeeded = {o.key for row in rows for o in row.outputs} | {
            o.thumbnail_key for row in rows for o in row.outputs
        }
        assert {k for k in ports.objects.stored if k.startswith("users/")} == succeeded, where
