from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import (
    ProviderTransient,
)
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.usecases.cancel_generation import cancel_generation
from tests.fakes import FakePorts
from tests.unit.usecases.system import System, ref
from tests.unit.usecases.trouble import meanwhile

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("several_places")


def past_deadline(system: System, row: Generation) -> None:
    assert row.deadline_at is not None
    system.reconcile(after=row.deadline_at - system.ports.clock.now() + timedelta(seconds=31))


def test_a_prediction_past_its_deadline_is_canceled_and_fails(system: System, ports: FakePorts) -> None:
    row = system.processing(num_outputs=2)

    past_deadline(system, row)
    assert ports.provider.canceled == [row.prediction_id]
    system.deliver_finishes()

    row = system.row(row)
    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == "timeout"
    assert row.credits_refunded == 2


def test_the_deadline_counts_from_the_claim_however_long_the_job_was_queued(
    system: System, ports: FakePorts
) -> None:
    row = system.accept(model="sdxl")
    ports.clock.advance(timedelta(minutes=30))

    row = system.started(row)

    (request,) = ports.provider.requests.values()
    assert row.deadline_at == ports.clock.now() + timedelta(seconds=request.cancel_after_s)


def test_what_had_succeeded_when_the_deadline_passed_is_saved(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.succeed(system.prediction(row).id)

    past_deadline(system, row)
    system.deliver_finishes()

    assert system.row(row).state is State.SUCCEEDED
    assert not ports.provider.canceled


def test_what_succeeds_while_we_cancel_it_is_saved(system: System, ports: FakePorts) -> None:
    row = system.processing()
    assert row.prediction_id
    prediction_id = row.prediction_id

    with meanwhile(ports, "FakeProvider.cancel_prediction", lambda: ports.provider.succeed(prediction_id)):
        past_deadline(system, row)
    system.deliver_finishes()

    assert system.row(row).state is State.SUCCEEDED


def test_a_prediction_that_does_not_obey_ends_its_job_all_the_same(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.obeys_cancel = False

    past_deadline(system, row)

    row = system.row(row)
    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == "timeout"


def test_the_deadline_of_one_attempt_does_not_end_the_next(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.obeys_cancel = False

    def fails_and_is_started_anew() -> None:
        system.hear(row, ports.provider.fail(system.prediction(row).id))
        ports.clock.advance(timedelta(seconds=10))
        system.start(row)

    with meanwhile(ports, "FakeChanges.commit", fails_and_is_started_anew, nth=2):
        past_deadline(system, row)

    assert (system.row(row).state, system.row(row).attempt) == (State.PROCESSING, 2)


def test_a_prediction_that_does_not_obey_the_user_is_told_again_and_ends_at_its_deadline(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    ports.provider.obeys_cancel = False
    cancel_generation(ref(row), ports=ports)
    for _ in range(3):
        system.until_due(row)
    assert len(ports.provider.canceled) == 3
    assert system.row(row).state is State.PROCESSING

    past_deadline(system, row)

    assert system.row(row).state is State.CANCELED


def test_a_cancel_is_repeated_soon_however_long_the_job_has_run(system: System, ports: FakePorts) -> None:
    row = system.processing(model="sdxl")
    for _ in range(3):
        system.until_due(row)
    cancel_generation(ref(row), ports=ports)
    ports.provider.failures.append(ProviderTransient("502"))

    system.until_due(row)
    due_at = system.row(row).due_at

    assert due_at is not None
    assert due_at - ports.clock.now() <= timedelta(seconds=15)


def test_a_cancel_is_not_repeated_past_the_deadline(system: System, ports: FakePorts) -> None:
    row = system.processing(model="sdxl")
    ports.provider.obeys_cancel = False
    cancel_generation(ref(row), ports=ports)
    while system.row(row).state is State.PROCESSING:
        system.until_due(row)

    assert row.deadline_at is not None
    assert ports.clock.now() - row.deadline_at < MINUTE


def test_however_long_the_provider_is_silent_it_is_asked_every_few_minutes(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    cancel_generation(ref(row), ports=ports)
    ports.calls.before = lambda name: _fail_on(name, "FakeProvider.get_prediction")
    for _ in range(12):
        system.until_due(row)

    due_at = system.row(row).due_at
    assert due_at is not None
    assert due_at - ports.clock.now() == timedelta(minutes=4)


def test_a_cancel_nobody_answers_at_the_deadline_is_tried_again(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.calls.before = lambda name: _fail_on(name, "FakeProvider.cancel_prediction")
    past_deadline(system, row)
    assert system.row(row).state is State.PROCESSING

    ports.calls.before = lambda _: None
    system.until_due(row)
    system.deliver_finishes()
    assert system.row(row).state is State.FAILED


def _fail_on(name: str, call: str) -> None:
    if name == call:
        raise ProviderTransient("502")
