from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from revela.domain.errors import (
    NotFound,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
    Transient,
)
from revela.domain.job import State
from revela.domain.policy import START_LEASE
from revela.domain.prediction import Prediction
from revela.ports import Ref
from revela.usecases.delete_generation import delete_generation
from revela.usecases.polling import PATIENCE, poll_predictions
from revela.usecases.reconcile_jobs import reconcile_jobs
from tests.fakes import FakePorts
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.system import BIA, System, ref
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("several_places")


def test_a_job_lives_by_polling_alone(system: System, ports: FakePorts) -> None:
    ports.webhook_urls.base = None
    row = system.started(system.accept(num_outputs=2))
    assert row.prediction_id
    ports.provider.succeed(row.prediction_id)

    system.reconcile(after=timedelta(seconds=30))
    assert system.row(row).state is State.PROCESSING  # it never downloads
    system.deliver_finishes()

    assert system.row(row).state is State.SUCCEEDED


def test_a_running_prediction_is_looked_at_again_later(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.start(system.prediction(row).id)
    gaps = []
    for _ in range(3):
        system.until_due(row)
        due_at = system.row(row).due_at
        assert due_at is not None
        gaps.append((due_at - ports.clock.now()).total_seconds())

    # Doubled, but never past the deadline and its margin: 120 + 30 s after the claim.
    assert gaps == [30, 60, 30]
    assert not ports.commands.finished


def test_an_aborted_prediction_is_noticed_though_no_webhook_tells(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.abort(system.prediction(row).id)

    system.until_due(row)
    system.deliver_finishes()

    assert (system.row(row).state, system.row(row).failures) == (State.QUEUED, 1)


def test_many_are_read_by_pages_and_the_last_few_one_by_one(system: System, ports: FakePorts) -> None:
    rows = [system.processing() for _ in range(8)]
    ports.provider.page_size = 2
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)
    hidden = system.prediction(rows[0])
    ports.provider.predictions[hidden.id] = hidden.model_copy(
        update={"created_at": ports.clock.now() - timedelta(days=1)}
    )
    ports.calls.names.clear()

    system.reconcile(after=timedelta(seconds=30))

    names = [n for n in ports.calls.names if n.startswith("FakeProvider") and "secret" not in n]
    assert names == ["FakeProvider._page"] * 3 + ["FakeProvider.get_prediction"] * 2
    assert len(ports.commands.finished) == 8


def test_few_are_read_one_by_one(system: System, ports: FakePorts) -> None:
    for _ in range(3):
        system.processing()
    ports.calls.names.clear()

    system.reconcile(after=timedelta(seconds=30))

    assert ports.calls.names.count("FakeProvider.get_prediction") == 3
    assert "FakeProvider._page" not in ports.calls.names


def test_a_prediction_the_provider_does_not_know_any_more_is_made_again(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    del ports.provider.predictions[system.prediction(row).id]

    system.until_due(row)
    system.deliver_finishes()

    assert (system.row(row).state, system.row(row).failures) == (State.QUEUED, 1)


@pytest.mark.parametrize(
    "error", [ProviderTransient("502"), ProviderThrottled("slow down"), ProviderRejected("not an id")]
)
def test_one_answer_that_fails_does_not_discard_the_others(
    error: Exception, system: System, ports: FakePorts
) -> None:
    rows = [system.processing() for _ in range(3)]
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)
    ports.provider.failures.append(error)

    system.reconcile(after=timedelta(seconds=30))
    system.deliver_finishes()

    assert sorted(system.row(r).state for r in rows) == [State.PROCESSING, State.SUCCEEDED, State.SUCCEEDED]


def test_a_listing_that_fails_is_made_up_for_by_single_requests(system: System, ports: FakePorts) -> None:
    rows = [system.processing() for _ in range(5)]
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)
    ports.provider.failures.append(ProviderNotFound("no such page"))

    system.reconcile(after=timedelta(seconds=30))
    system.deliver_finishes()

    assert {system.row(r).state for r in rows} == {State.SUCCEEDED}


def test_a_finish_message_that_cannot_be_sent_is_sent_next_time(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.succeed(system.prediction(row).id)
    ports.commands.failure = Transient("the queue is away")
    system.until_due(row)
    ports.commands.failure = None

    system.until_due(row)
    system.deliver_finishes()

    assert system.row(row).state is State.SUCCEEDED


def test_a_pace_that_cannot_be_asked_ends_no_run(system: System, ports: FakePorts) -> None:
    rows = [system.processing() for _ in range(5)]
    deleted = system.succeeded()
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)
    with dies_after(ports, "FakeChanges.commit"):
        delete_generation(ref(deleted), ports=ports)

    def refuse() -> None:
        raise Transient("the table is away")

    with meanwhile(ports, "FakePace.reserve_read", refuse):
        system.reconcile(after=timedelta(minutes=2))
    system.deliver_finishes()

    assert {system.row(r).state for r in rows} == {State.SUCCEEDED}
    assert ref(deleted) not in ports.store.generations


def test_a_listing_that_is_throttled_slows_down_and_is_made_up_for(system: System, ports: FakePorts) -> None:
    rows = [system.processing() for _ in range(5)]
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)
    ports.provider.failures.append(ProviderThrottled("slow down", 5))
    due = ports.clock.now() + timedelta(seconds=30)

    system.reconcile(after=timedelta(seconds=30))
    assert ports.clock.now() >= due + timedelta(seconds=5)
    system.deliver_finishes()

    assert {system.row(r).state for r in rows} == {State.SUCCEEDED}


def test_in_a_process_that_is_nearly_over_the_provider_is_not_asked(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)
    ports.clock.advance(START_LEASE)
    ports.calls.names.clear()

    poll_predictions([system.row(row)], ports=ports, until=ports.clock.now() + timedelta(seconds=14))

    assert "FakeProvider._page" not in ports.calls.names
    assert system.row(row).state is State.STARTING


def test_what_there_is_no_time_to_ask_after_stays_due(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.clock.advance(timedelta(minutes=1))

    assert reconcile_jobs(ports=ports, until=ports.clock.now() + timedelta(seconds=20)) == 0

    assert system.row(row).due_at == row.due_at


def test_a_process_that_is_stopped_while_it_reads_has_told_what_it_read(
    system: System, ports: FakePorts
) -> None:
    rows = [system.processing() for _ in range(8)]
    ports.provider.page_size = 2
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)

    ports.clock.advance(timedelta(minutes=1))
    with dies_before(ports, "FakeProvider._page", nth=3):
        system.reconcile()

    assert len(ports.commands.finished) == 4


def test_of_what_no_page_shows_the_oldest_is_asked_first(system: System, ports: FakePorts) -> None:
    rows = []
    for _ in range(3):
        rows.append(system.processing())
        ports.clock.advance(timedelta(seconds=1))
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)

    poll_predictions(list(reversed(rows)), ports=ports, until=ports.clock.now() + timedelta(seconds=55))

    assert [told.ref.id for told in ports.commands.finished] == [row.id for row in rows]


def test_the_old_are_read_although_there_is_no_time_to_read_all_that_is_newer(
    system: System, ports: FakePorts
) -> None:
    system.subscribe(BIA, plan="studio")
    ports.provider.page_size = 2
    old = [system.processing() for _ in range(6)]
    ports.clock.advance(timedelta(minutes=5))
    new = [system.processing(BIA) for _ in range(8)]
    for row in (*old, *new):
        ports.provider.succeed(system.prediction(row).id)
    pages = ports.provider._page

    def slow_page(predictions: Sequence[Prediction], start: int) -> Sequence[Prediction]:
        ports.clock.advance(timedelta(seconds=12))
        return pages(predictions, start)

    ports.provider._page = slow_page  # type: ignore[method-assign]  # it only takes its time

    poll_predictions([*old, *new], ports=ports, until=ports.clock.now() + timedelta(seconds=50))

    told = {command.ref.id for command in ports.commands.finished}
    assert told >= {row.id for row in old}
    assert not told >= {row.id for row in new}


def test_a_pace_that_cannot_be_told_of_a_refusal_ends_no_run(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.failures.append(ProviderThrottled("slow down", 5))

    def refuse() -> None:
        raise Transient("the table is away")

    with meanwhile(ports, "FakePace.read_refused", refuse):
        poll_predictions([row], ports=ports, until=ports.clock.now() + timedelta(seconds=55))

    assert "pace_not_told" in ports.telemetry.events("warning")


def test_every_shard_has_its_turn_when_runs_are_short_of_time(system: System, ports: FakePorts) -> None:
    first_asked = set()
    due = ports.generations.due
    asked: list[int] = []

    def note(shard: int, *, until: datetime, limit: int) -> list[Ref]:
        asked.append(shard)
        return due(shard, until=until, limit=limit)

    ports.generations.due = note  # type: ignore[method-assign]  # it only watches
    for _ in range(4):
        asked.clear()
        system.reconcile(after=timedelta(minutes=1))
        assert sorted(asked) == [0, 1, 2, 3]
        first_asked.add(asked[0])

    assert first_asked == {0, 1, 2, 3}


@pytest.mark.parametrize("answer", [ProviderRejected("422"), ProviderTransient("502")])
def test_a_cancel_that_is_never_answered_does_not_keep_the_job_for_ever(
    answer: Exception, system: System, ports: FakePorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = system.processing()

    def refuse(_: str) -> None:
        raise answer

    monkeypatch.setattr(ports.provider, "cancel_prediction", refuse)
    assert row.deadline_at is not None
    patience_ends = row.deadline_at + PATIENCE
    while system.row(row).state is State.PROCESSING:
        assert ports.clock.now() < patience_ends + timedelta(minutes=10)
        system.until_due(row)

    ended = system.row(row)
    assert ports.clock.now() >= patience_ends
    assert (ended.state, ended.credits_charged) == (State.FAILED, 0)
    assert ended.failure is not None
    assert ended.failure.code == "timeout"
    assert_sound(ports)


@pytest.mark.parametrize("fault", [NotFound("not_found"), ValueError("unreadable")])
def test_a_row_that_faults_does_not_keep_the_poll_from_the_others(
    fault: Exception, system: System, ports: FakePorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [system.processing() for _ in range(2)]
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)
    asked: list[str] = []
    real = type(ports.provider).get_prediction

    def get(prediction_id: str) -> Prediction:
        asked.append(prediction_id)
        if len(asked) == 1:
            raise fault
        return real(ports.provider, prediction_id)

    monkeypatch.setattr(ports.provider, "get_prediction", get)
    system.reconcile(after=timedelta(minutes=1))
    system.deliver_finishes()

    assert sorted(system.row(row).state for row in rows) == [State.PROCESSING, State.SUCCEEDED]
