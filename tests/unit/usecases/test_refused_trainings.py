"""A training that the provider refuses: it waits with its hold, or fails without charge."""

from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import (
    OutOfCredit,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnauthorized,
    ProviderUnavailable,
)
from revela.domain.job import State
from revela.domain.retry import OUT_OF_CREDIT_WAIT, UNAUTHORIZED_WAIT
from tests.fakes import FakePorts
from tests.unit.usecases.training_system import TrainingSystem


@pytest.mark.parametrize(
    ("error", "at_least"),
    [
        (ProviderThrottled("429", 40.0), timedelta(seconds=40)),
        (OutOfCredit("402"), OUT_OF_CREDIT_WAIT),
        (ProviderUnauthorized("401"), UNAUTHORIZED_WAIT),
        (ProviderUnavailable("503"), timedelta(0)),
        (ProviderNotFound("404"), timedelta(0)),
    ],
)
def test_a_create_that_is_refused_for_now_waits_with_its_hold(
    trainings: TrainingSystem, ports: FakePorts, error: Exception, at_least: timedelta
) -> None:
    now = ports.clock.now()
    ports.provider.refuse(error)

    row = trainings.begin(trainings.train())

    assert (row.state, row.refusals, row.failures) == (State.QUEUED, 1, 0)
    assert row.not_before is not None
    assert row.not_before == row.due_at
    assert row.not_before >= now + at_least
    assert trainings.account().held == row.credits_held
    row = trainings.when_due(row)
    assert (row.state, row.attempt) == (State.PROCESSING, 2)
    assert trainings.kept_uploads() == [row.input_file_id]


@pytest.mark.parametrize("error", [OutOfCredit("402"), ProviderUnauthorized("401")])
def test_a_refusal_of_the_account_stops_images_as_well(
    trainings: TrainingSystem, ports: FakePorts, error: Exception
) -> None:
    ports.provider.refuse(error)

    row = trainings.begin(trainings.train())

    assert ports.pace.blocked_until() == row.not_before


def test_a_training_that_came_too_fast_slows_no_images_down(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    ports.provider.refuse(ProviderThrottled("429", 40.0))

    trainings.begin(trainings.train())

    assert ports.pace.blocked_until() is None
    assert "CreatesPerMinute" not in ports.telemetry.counts
    assert ports.telemetry.counts["ReadsPerMinute"] == 1


def test_what_the_provider_rejects_for_good_fails_without_charge(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    ports.provider.refuse(ProviderRejected("422", ("input.steps",)))

    row = trainings.begin(trainings.train())

    assert row.failure is not None
    assert (row.state, row.failure.code) == (State.FAILED, "provider_rejected")
    assert row.failure.detail == "input.steps"
    assert row.credits_refunded == row.credits_held
    assert not trainings.kept_uploads()


def test_photos_that_the_provider_does_not_take_fail_it(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.train()
    # Asked for its name, for the destination, and then given the archive.
    ports.provider.ensure_destination = lambda destination: None  # type: ignore[method-assign]  # the upload is next
    ports.provider.account_name = lambda: "revela"  # type: ignore[method-assign]  # as above
    ports.provider.failures.append(ProviderRejected("413"))

    row = trainings.begin(row)

    assert row.failure is not None
    assert (row.state, row.failure.code) == (State.FAILED, "photos_refused")


@pytest.mark.parametrize(
    "error",
    [
        ProviderTransient("502"),
        ProviderThrottled("429", 5.0),
        ProviderUnauthorized("401"),
        ProviderRejected("422"),
        ProviderNotFound("404"),
    ],
)
def test_without_an_account_or_a_destination_it_waits_and_claims_nothing(
    trainings: TrainingSystem, ports: FakePorts, error: Exception
) -> None:
    ports.provider.failures.append(error)

    row = trainings.begin(trainings.train())

    assert (row.state, row.attempt, row.refusals) == (State.QUEUED, 0, 1)
    assert row.not_before is not None
    assert row.not_before > ports.clock.now()
    assert not ports.provider.trainings
    assert trainings.when_due(row).state is State.PROCESSING


def test_a_destination_that_vanishes_before_the_create_is_made_again(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.train()
    ports.calls.before = lambda call: (
        ports.provider.destinations.clear() if call == "FakeProvider.create_training" else None
    )
    row = trainings.begin(row)
    ports.calls.before = lambda call: None
    assert (row.state, row.refusals) == (State.QUEUED, 1)

    row = trainings.when_due(row)

    assert row.state is State.PROCESSING
