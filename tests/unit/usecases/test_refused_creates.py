from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import (
    OutOfCredit,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnauthorized,
    ProviderUnavailable,
)
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.policy import START_LEASE
from tests.fakes import FakePorts
from tests.unit.usecases.system import System
from tests.unit.usecases.trouble import meanwhile

pytestmark = pytest.mark.usefixtures("several_places")


REFUSALS = [
    (ProviderThrottled("slow down", 7), timedelta(seconds=7), timedelta(seconds=7)),
    (ProviderThrottled("slow down"), timedelta(seconds=0.5), timedelta(seconds=5)),
    (OutOfCredit("top up"), timedelta(minutes=1), timedelta(minutes=1)),
    (ProviderUnauthorized("whose token?"), timedelta(minutes=2), timedelta(minutes=2)),
    (ProviderUnavailable("503"), timedelta(seconds=0.5), timedelta(seconds=5)),
]


@pytest.mark.parametrize(("refusal", "least", "most"), REFUSALS, ids=lambda v: type(v).__name__)
def test_a_refused_job_keeps_its_hold_and_comes_back_later(
    refusal: Exception, least: timedelta, most: timedelta, system: System, ports: FakePorts
) -> None:
    row = system.accept()
    ports.provider.refuse(refusal)

    assert system.start(row) == []

    row, now = system.row(row), ports.clock.now()
    assert row.state is State.QUEUED
    assert row.not_before == row.due_at
    assert row.not_before is not None
    assert now + least <= row.not_before <= now + most
    assert (row.failures, row.lost_creates) == (0, 0)
    assert row.credits_held == system.account().held == 1


def test_refusals_eat_no_retries(system: System, ports: FakePorts) -> None:
    row = system.accept()
    for _ in range(10):
        ports.provider.refuse(ProviderUnavailable("503"))
        assert system.started(row).state is State.QUEUED
        ports.clock.advance(timedelta(minutes=10))

    row = system.started(row)
    for _ in range(2):  # an unknown failure may be tried twice more
        assert system.hear(row, ports.provider.fail(system.prediction(row).id)).state is State.QUEUED
        ports.clock.advance(timedelta(minutes=10))
        row = system.started(row)

    assert row.state is State.PROCESSING
    assert row.attempt == 13


def test_repeated_refusals_wait_longer_up_to_ten_minutes(system: System, ports: FakePorts) -> None:
    row = system.accept()
    waits = []
    for _ in range(14):
        ports.provider.refuse(ProviderUnavailable("503"))
        row = system.started(row)
        assert row.not_before is not None
        waits.append(row.not_before - ports.clock.now())
        ports.clock.advance(timedelta(minutes=10))

    for times, wait in enumerate(waits):
        full = min(timedelta(seconds=5) * 2**times, timedelta(minutes=10))
        assert full / 10 <= wait <= full
    assert len(set(waits)) == len(waits)  # jitter


@pytest.mark.parametrize(
    "refusal", [ProviderThrottled("slow down", 90), OutOfCredit("top up"), ProviderUnauthorized("who?")]
)
def test_a_refusal_of_the_account_blocks_everybodys_creates(
    refusal: Exception, system: System, ports: FakePorts
) -> None:
    refused, same_batch, other = system.accept(), system.accept(), system.accept()
    ports.provider.refuse(refusal)
    system.start(refused, same_batch)
    blocked_until = ports.pace.blocked_until()
    assert blocked_until == system.row(refused).not_before

    system.start(other)

    assert not ports.provider.requests
    for row in (same_batch, other):
        due_at = system.row(row).due_at
        assert due_at is not None
        assert blocked_until is not None
        assert due_at >= blocked_until


def test_a_short_block_is_waited_for(system: System, ports: FakePorts) -> None:
    refused, next_ = system.accept(), system.accept()
    ports.provider.refuse(ProviderThrottled("slow down", 2))
    begun = ports.clock.now()

    system.start(refused, next_)

    assert system.row(next_).state is State.PROCESSING
    assert ports.clock.now() == begun + timedelta(seconds=2)


def test_a_failure_of_one_create_blocks_nobody(system: System, ports: FakePorts) -> None:
    refused, next_ = system.accept(), system.accept()
    ports.provider.refuse(ProviderUnavailable("503"))

    system.start(refused, next_)

    assert ports.pace.blocked_until() is None
    assert system.row(next_).state is State.PROCESSING


# The create is refused for good


def test_a_rejected_create_fails_the_job_and_refunds_it(system: System, ports: FakePorts) -> None:
    row = system.accept(num_outputs=4)
    ports.provider.refuse(ProviderRejected("no", ("input.prompt", "input.seed")))

    row = system.started(row)

    assert row.state is State.FAILED
    assert row.failure is not None
    assert (row.failure.code, row.failure.detail) == ("provider_rejected", "input.prompt, input.seed")
    assert (row.credits_charged, row.credits_refunded) == (0, 4)
    assert system.account().running == 0


def test_a_job_whose_model_left_the_catalog_does_not_stop_the_batch(system: System, ports: FakePorts) -> None:
    retired, fine = system.accept(model="sdxl"), system.accept()
    ports.catalog = ports.catalog.model_copy(
        update={"models": tuple(m for m in ports.catalog.models if m.id != "sdxl")}
    )

    assert system.start(retired, fine) == []

    assert system.row(retired).state is State.QUEUED
    assert system.row(fine).state is State.PROCESSING


@pytest.mark.parametrize("refusal", [ProviderUnavailable("503"), ProviderRejected("no")])
def test_a_refusal_that_comes_after_the_lease_changes_nothing(
    refusal: Exception, system: System, ports: FakePorts
) -> None:
    row = system.accept()
    ports.provider.refuse(refusal)
    given_up: list[Generation] = []

    def lease_ends_first() -> None:
        system.reconcile(after=START_LEASE)
        given_up.append(system.row(row))

    with meanwhile(ports, "FakeProvider.create_prediction", lease_ends_first):
        assert system.start(row) == []

    assert given_up == [system.row(row)]
    assert system.row(row).state is State.QUEUED
