"""A prediction belongs to one attempt of one job for longer than anything is heard of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.job import State
from revela.domain.policy import START_LEASE
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA, System, ref

pytestmark = pytest.mark.usefixtures("several_places")

# As template.yaml has the queue of webhooks keep a message.
NEWS_KEPT = timedelta(days=4)


def time_to_live_passes(ports: FakePorts, by: timedelta) -> None:
    """Let time pass, and the table drop what has expired by then."""
    now = ports.clock.advance(by)
    claims = ports.store.predictions
    for expired in [id_ for id_, claim in claims.items() if claim.expires_at <= now]:
        del claims[expired]


def test_the_latest_news_of_an_attempt_that_was_given_up_orphans_nothing(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    given_up = ports.provider.start(system.prediction(row).id)
    system.hear(row, ports.provider.fail(given_up.id))
    ports.clock.advance(timedelta(minutes=1))
    row = system.started(row)
    row = system.hear(row, ports.provider.succeed(system.prediction(row).id))
    assert (row.state, row.attempt) == (State.SUCCEEDED, 2)

    time_to_live_passes(ports, NEWS_KEPT)
    system.tell(ref(row), given_up, attempt=1)

    assert ports.telemetry.counts["PredictionsOrphaned"] == 0
    assert not ports.provider.canceled
    assert system.row(row) == row


def test_what_a_twin_has_settled_is_not_adopted_when_a_lease_is_over(
    system: System, ports: FakePorts
) -> None:
    theirs = system.succeeded(BIA, seed=7)
    row = system.starting(ANA, created=False, seed=7)

    time_to_live_passes(ports, START_LEASE)
    system.reconcile()

    assert system.row(row).state is State.QUEUED
    assert system.row(theirs).prediction_id == system.prediction(theirs).id
