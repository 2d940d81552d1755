from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from revela.domain.job import State
from revela.domain.ledger import EntryKind
from revela.domain.prediction import PredictionStatus
from revela.ports import Ref
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA, System, ref
from tests.unit.usecases.trouble import meanwhile

pytestmark = pytest.mark.usefixtures("several_places")


# The way it goes


def test_a_generation_from_request_to_images(system: System, ports: FakePorts) -> None:
    row = system.accept(model="flux-dev", num_outputs=4, format="jpg")
    system.deliver_starts()
    prediction = system.prediction(row)
    row = system.hear(row, ports.provider.start(prediction.id))
    assert row.state is State.PROCESSING
    ports.clock.advance(timedelta(seconds=9))

    row = system.hear(row, ports.provider.succeed(prediction.id))

    assert row.state is State.SUCCEEDED
    assert (row.credits_held, row.credits_charged, row.credits_refunded) == (12, 12, 0)
    assert row.completed_at == ports.clock.now()
    assert row.failure is None
    assert [o.index for o in row.outputs] == [0, 1, 2, 3]
    account = system.account()
    assert (account.available, account.held, account.spent, account.running) == (308, 0, 12, 0)
    (capture,) = [e for e in ports.store.ledger_of(account.account_id) if e.cause == row.id]
    assert (capture.kind, capture.credits, capture.balance) == (EntryKind.CAPTURE, -12, 308)
    assert capture.price_version == ports.catalog.price_version


def test_what_is_published_is_what_the_provider_made(system: System, ports: FakePorts) -> None:
    row = system.processing(model="sdxl", num_outputs=1, width=768, height=512)
    done = ports.provider.succeed(system.prediction(row).id)
    made = ports.outputs.files[done.output[0]]
    assert isinstance(made, bytes)

    (output,) = system.hear(row, done).outputs

    assert output.key == f"users/{ANA}/generations/{row.id}/1-0.png"
    published = ports.objects.stored[output.key]
    assert published.data.startswith(made)
    assert published.content_type == "image/png"
    assert (output.width, output.height, output.content_type) == (768, 512, "image/png")
    assert output.sha256 == hashlib.sha256(published.data).hexdigest()
    assert output.size_bytes == len(published.data)
    assert (output.thumbnail_width, output.thumbnail_height) == (512, 341)
    assert ports.objects.stored[output.thumbnail_key].content_type == "image/webp"


def test_nothing_stays_in_quarantine(system: System, ports: FakePorts) -> None:
    system.succeeded(num_outputs=4)

    assert not [key for key in ports.objects.stored if key.startswith("quarantine/")]


def test_the_place_goes_to_who_has_waited_longest(system: System, ports: FakePorts) -> None:
    running = system.processing(BIA)
    waiting = [system.accept(BIA), system.accept(BIA)]

    system.hear(running, ports.provider.succeed(system.prediction(running).id))

    assert [system.row(r).state for r in waiting] == [State.QUEUED, State.WAITING]
    assert ports.commands.started == [ref(waiting[0])]


def test_a_plan_with_one_at_once_works_off_its_line_one_by_one(system: System, ports: FakePorts) -> None:
    rows = [system.accept(BIA) for _ in range(6)]

    for at, row in enumerate(rows):
        states = [system.row(r).state for r in rows]
        assert states == [State.SUCCEEDED] * at + [State.QUEUED] + [State.WAITING] * (5 - at)
        system.deliver_starts()
        system.hear(row, ports.provider.succeed(system.prediction(row).id))

    assert system.account(BIA).running == system.account(BIA).waiting == 0


def test_what_the_provider_bills_is_kept_for_analysis(system: System) -> None:
    by_image = system.succeeded(model="flux-dev", num_outputs=2)
    by_second = system.succeeded(model="sdxl", num_outputs=2)

    assert by_image.provider_cost_micro_usd == 50_000
    assert by_second.provider_cost_micro_usd == 2_437  # 2.5 s at 0.000975


def test_a_charge_names_the_price_list_that_the_job_was_accepted_by(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.catalog = ports.catalog.model_copy(update={"price_version": "of-tomorrow"})

    system.hear(row, ports.provider.succeed(system.prediction(row).id))

    (capture,) = [entry for entry in ports.store.entries.values() if entry.kind is EntryKind.CAPTURE]
    assert capture.price_version == row.price_version != "of-tomorrow"


def test_a_model_that_left_the_catalog_does_not_lose_its_images(system: System, ports: FakePorts) -> None:
    row = system.processing(model="sdxl")
    ports.catalog = ports.catalog.model_copy(
        update={"models": tuple(m for m in ports.catalog.models if m.id != "sdxl")}
    )

    assert system.hear(row, ports.provider.succeed(system.prediction(row).id)).state is State.SUCCEEDED


# Twice, in any order


def test_a_second_delivery_changes_nothing(system: System, ports: FakePorts) -> None:
    row = system.succeeded(num_outputs=2)
    stored = dict(ports.objects.stored)

    assert system.hear(row, system.prediction(row)) == row

    assert ports.objects.stored == stored
    assert system.account().spent == 2


def test_a_second_delivery_of_a_failure_eats_no_second_retry(system: System, ports: FakePorts) -> None:
    row = system.processing()
    failed = ports.provider.fail(system.prediction(row).id)
    once = system.hear(row, failed)

    twice = system.hear(row, failed)

    assert twice == once
    assert once.failures == 1
    assert ports.telemetry.counts["PredictionsOrphaned"] == 0


@pytest.mark.parametrize("late", [PredictionStatus.STARTING, PredictionStatus.PROCESSING])
def test_a_start_that_arrives_after_the_end_changes_nothing(
    late: PredictionStatus, system: System, ports: FakePorts
) -> None:
    row = system.succeeded()

    assert system.hear(row, system.prediction(row).model_copy(update={"status": late})) == row

    assert not ports.provider.canceled


def test_a_start_that_arrives_after_a_retry_began_does_not_touch_it(system: System, ports: FakePorts) -> None:
    row = system.processing()
    started = ports.provider.start(system.prediction(row).id)
    system.hear(row, ports.provider.fail(started.id))
    ports.clock.advance(timedelta(minutes=1))
    row = system.started(row)

    system.tell(ref(row), started, attempt=1)

    assert system.row(row) == row
    assert row.prediction_id != started.id
    assert not ports.provider.canceled


def test_a_success_heard_before_the_start_and_the_record_is_saved(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)

    row = system.hear(row, ports.provider.succeed(system.prediction(row).id))

    assert row.state is State.SUCCEEDED
    assert row.prediction_id == system.prediction(row).id


def test_an_old_failure_does_not_end_the_new_attempt(system: System, ports: FakePorts) -> None:
    row = system.processing()
    failed = ports.provider.fail(system.prediction(row).id)
    system.hear(row, failed)
    ports.clock.advance(timedelta(minutes=1))
    row = system.started(row)
    assert row.attempt == 2

    system.tell(ref(row), failed, attempt=1)

    assert system.row(row) == row


def test_two_deliveries_at_once_save_once(system: System, ports: FakePorts) -> None:
    row = system.processing(num_outputs=2)
    done = ports.provider.succeed(system.prediction(row).id)

    with meanwhile(ports, "FakeChanges.commit", lambda: system.hear(row, done)):
        system.hear(row, done)

    assert system.row(row).state is State.SUCCEEDED
    assert system.account().spent == 2


def test_a_job_that_is_queued_adopts_nothing(system: System, ports: FakePorts) -> None:
    stray = system.processing(BIA)
    row = system.accept()

    assert system.hear(row, system.prediction(stray)) == row


# Predictions of nobody, or of somebody else


def test_a_lost_create_answer_is_adopted_by_its_start(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)

    row = system.hear(row, ports.provider.start(system.prediction(row).id))

    assert row.state is State.PROCESSING
    assert row.prediction_id == system.prediction(row).id
    assert len(ports.provider.requests) == 1


def test_a_lost_create_answer_is_adopted_by_its_failure(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)
    failed = ports.provider.fail(system.prediction(row).id, "NSFW content detected")

    row = system.hear(row, failed)

    assert (row.state, row.prediction_id) == (State.FAILED, failed.id)


def test_a_prediction_that_no_job_owns_is_canceled_and_counted_once(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.lose_answer()
    stray = system.started(system.accept())
    running = ports.provider.start(system.prediction(stray).id)
    before = system.row(row)

    for _ in range(3):
        system.tell(ref(row), running, attempt=1)

    assert system.row(row) == before
    assert ports.provider.canceled == [running.id]
    assert ports.telemetry.counts["PredictionsOrphaned"] == 1
    assert ports.store.predictions[running.id].owner.startswith("orphan")


def test_an_orphan_is_never_adopted(system: System, ports: FakePorts) -> None:
    row = system.processing()
    lost = system.starting(created=True)
    orphan = system.prediction(lost)
    system.tell(ref(row), orphan, attempt=1)

    system.tell(ref(lost), orphan, attempt=1)

    assert system.row(lost).state is State.STARTING
    assert system.row(lost).prediction_id is None


def test_an_orphan_that_has_ended_is_counted_and_left(system: System, ports: FakePorts) -> None:
    lost = system.starting(created=True)
    done = ports.provider.succeed(system.prediction(lost).id)

    system.tell(Ref(BIA, "gen_01ARZ3NDEKTSV4RRFFQ69G5FAV"), done, attempt=1)

    assert ports.telemetry.counts["PredictionsOrphaned"] == 1
    assert not ports.provider.canceled


def test_a_prediction_bound_to_another_job_is_left_alone(system: System, ports: FakePorts) -> None:
    theirs = system.processing(BIA)
    row = system.starting(created=False)

    row = system.hear(row, system.prediction(theirs))

    assert row.state is State.STARTING
    assert not ports.provider.canceled
    assert system.row(theirs).state is State.PROCESSING


def test_a_success_bound_to_another_job_is_left_alone(system: System, ports: FakePorts) -> None:
    theirs = system.processing(BIA)
    row = system.starting(created=False)

    row = system.hear(row, ports.provider.succeed(system.prediction(theirs).id))

    assert row.state is State.STARTING
    assert not ports.objects.stored


@pytest.mark.parametrize("status", list(PredictionStatus))
def test_what_is_heard_of_another_attempt_is_not_adopted(
    status: PredictionStatus, system: System, ports: FakePorts
) -> None:
    row = system.starting(created=True)
    other = system.prediction(row).model_copy(update={"status": status})

    system.tell(ref(row), other, attempt=2)

    assert system.row(row) == row
    assert ports.telemetry.counts["PredictionsOrphaned"] == 1
    assert ports.provider.canceled == ([] if status.terminal else [other.id])
