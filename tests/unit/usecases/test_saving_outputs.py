from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import Conflict, OutputUnusable, ProviderTransient, Transient
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.policy import SAVING_LEASE, SAVING_RETRY_MAX
from revela.domain.prediction import Prediction
from tests.fakes import FakePorts, picture_bytes
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.system import ANA, FINISH_TIMEOUT, System
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile

AWAY = ProviderTransient("the delivery is away")

pytestmark = pytest.mark.usefixtures("several_places")


def succeed(system: System, row: Generation, outputs: list[bytes | Exception]) -> Prediction:
    """End the row's prediction with these files, or errors, behind its URLs."""
    prediction = system.prediction(row)
    urls = [f"https://replicate.delivery/{prediction.id}/{n}" for n in range(len(outputs))]
    system.ports.outputs.files.update(zip(urls, outputs, strict=True))
    return system.ports.provider.succeed(prediction.id, urls)


def restart(system: System, row: Generation) -> Generation:
    assert system.row(row).state is State.QUEUED
    system.ports.clock.advance(timedelta(minutes=10))
    return system.started(row)


# How many there are, and how good


def test_fewer_images_than_asked_are_charged_as_delivered(system: System) -> None:
    row = system.processing(model="flux-dev", num_outputs=4)

    row = system.hear(row, succeed(system, row, [picture_bytes(), picture_bytes(), picture_bytes()]))

    assert row.state is State.SUCCEEDED
    assert (row.credits_held, row.credits_charged, row.credits_refunded) == (12, 9, 3)
    assert system.account().images_today == 3


def test_more_images_than_asked_are_neither_published_nor_charged(system: System) -> None:
    row = system.processing(num_outputs=2)

    row = system.hear(row, succeed(system, row, [picture_bytes(name=str(n)) for n in range(3)]))

    assert len(row.outputs) == row.credits_charged == 2


def test_an_unusable_image_is_left_out_and_not_charged(system: System, ports: FakePorts) -> None:
    row = system.processing(num_outputs=4)
    outputs: list[bytes | Exception] = [
        picture_bytes(),
        b"<html>not an image</html>",
        OutputUnusable("too_large"),
        picture_bytes(),
    ]

    row = system.hear(row, succeed(system, row, outputs))

    assert row.state is State.SUCCEEDED
    assert [o.index for o in row.outputs] == [0, 3]
    assert (row.credits_charged, row.credits_refunded) == (2, 2)
    assert len(ports.objects.stored) == 4  # two images, two thumbnails
    (told,) = (line for line in ports.telemetry.lines if line.event == "outputs_unusable")
    assert told.fields == {"generation_id": row.id, "reasons": "not_an_image,too_large"}


def test_no_usable_image_is_tried_once_more_and_then_refunded(system: System, ports: FakePorts) -> None:
    row = system.processing(num_outputs=2)
    row = system.hear(row, succeed(system, row, [b"junk", OutputUnusable("forbidden_address")]))
    assert (row.state, row.failures) == (State.QUEUED, 1)

    row = restart(system, row)
    row = system.hear(row, succeed(system, row, [b"junk", b"junk"]))

    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == "outputs_missing"
    assert row.credits_refunded == 2


def test_success_without_any_output_is_tried_once_more_and_then_refunded(system: System) -> None:
    row = system.processing()
    row = restart(system, system.hear(row, succeed(system, row, [])))

    row = system.hear(row, succeed(system, row, []))

    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == "outputs_missing"
    assert row.attempt == 2


# When it does not work at once


def test_a_download_that_fails_for_now_is_repaired_by_reconcile(system: System, ports: FakePorts) -> None:
    row = system.processing(num_outputs=2)
    done = succeed(system, row, [picture_bytes(), AWAY])

    row = system.hear(row, done)
    assert row.state is State.SAVING
    assert row.lease_until is None
    assert row.due_at is not None
    assert ports.clock.now() < row.due_at <= ports.clock.now() + timedelta(seconds=30)

    ports.outputs.files[done.output[1]] = picture_bytes()
    system.reconcile(after=timedelta(seconds=30))
    system.deliver_finishes()
    assert system.row(row).state is State.SUCCEEDED
    assert len(system.row(row).outputs) == 2


def settled_within_the_hour(system: System, row: Generation) -> Generation:
    """Let reconcile have the saving repeated until it has ended, or the provider has deleted everything."""
    ports, begun = system.ports, system.ports.clock.now()
    while system.row(row).state is State.SAVING:
        system.until_due(row)
        if ports.clock.now() - begun >= timedelta(hours=1):
            ports.outputs.files.clear()
        system.deliver_finishes()
    return system.row(row)


@pytest.mark.parametrize("away", [{0}, {3}, {0, 1, 3}])
def test_images_that_are_never_served_do_not_cost_their_neighbours(
    away: set[int], system: System, ports: FakePorts
) -> None:
    row = system.processing(num_outputs=4)
    outputs: list[bytes | Exception] = [AWAY if n in away else picture_bytes(name=str(n)) for n in range(4)]
    completed_at = ports.clock.now()
    row = system.hear(row, succeed(system, row, outputs))
    assert row.state is State.SAVING

    row = settled_within_the_hour(system, row)

    assert row.state is State.SUCCEEDED
    assert [o.index for o in row.outputs] == [n for n in range(4) if n not in away]
    assert (row.credits_charged, row.credits_refunded) == (4 - len(away), len(away))
    assert timedelta(minutes=45) < ports.clock.now() - completed_at < timedelta(minutes=50)


def test_an_image_that_is_served_at_last_is_delivered_with_all_others(
    system: System, ports: FakePorts
) -> None:
    row = system.processing(num_outputs=4)
    done = succeed(system, row, [AWAY, picture_bytes(), AWAY, picture_bytes()])
    row = system.hear(row, done)
    for _ in range(5):
        ports.outputs.files[done.output[0]] = picture_bytes()
        system.until_due(row)
        system.deliver_finishes()
        assert system.row(row).state is State.SAVING
    ports.outputs.files[done.output[2]] = picture_bytes()

    row = settled_within_the_hour(system, row)

    assert (row.state, row.credits_charged) == (State.SUCCEEDED, 4)
    assert [o.index for o in row.outputs] == [0, 1, 2, 3]


def test_when_an_image_is_late_is_told_without_the_providers_word_too(
    system: System, ports: FakePorts
) -> None:
    row = system.processing(num_outputs=2)
    done = succeed(system, row, [AWAY, picture_bytes()]).model_copy(update={"completed_at": None})
    row = system.hear(row, done)
    ports.clock.advance(timedelta(minutes=44))
    row = system.hear(row, done)
    assert row.state is State.SAVING
    ports.clock.advance(timedelta(minutes=2))

    row = system.hear(row, done)

    assert (row.state, row.credits_charged) == (State.SUCCEEDED, 1)


def test_a_delayed_saving_is_no_failure_of_the_job(system: System) -> None:
    row = system.saving()

    assert (row.failures, row.save_failures, row.attempt) == (0, 1, 1)


def test_the_same_message_delivered_again_repairs_a_delayed_saving_too(system: System) -> None:
    row = system.saving()

    assert system.hear(row, system.prediction(row)).state is State.SUCCEEDED


def test_a_bucket_that_fails_for_now_delays_the_saving(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.objects.failure = Transient("the bucket is away")
    row = system.hear(row, ports.provider.succeed(system.prediction(row).id))
    assert row.state is State.SAVING

    ports.objects.failure = None
    system.reconcile(after=timedelta(seconds=30))
    system.deliver_finishes()

    assert system.row(row).state is State.SUCCEEDED


def test_publishing_does_not_begin_with_too_little_time_left(system: System, ports: FakePorts) -> None:
    row = system.processing()
    done = ports.provider.succeed(system.prediction(row).id)

    row = system.hear(row, done, time_left=timedelta(seconds=29))

    assert row.state is State.JUDGING
    assert not ports.image_judge.asked
    assert not [key for key in ports.objects.stored if key.startswith("users/")]


def test_saving_again_waits_longer_each_time_but_beats_the_providers_hour(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    done = succeed(system, row, [AWAY])
    begun = ports.clock.now()
    system.hear(row, done)
    tries = 1
    while ports.clock.now() - begun < timedelta(minutes=55):
        system.reconcile(after=timedelta(minutes=1))
        tries += len(ports.commands.finished)
        system.deliver_finishes()

    assert 12 <= tries <= 30
    ports.outputs.files[done.output[0]] = picture_bytes()
    for _ in range(11):
        system.reconcile(after=timedelta(minutes=1))
        system.deliver_finishes()
    assert system.row(row).state is State.SUCCEEDED


def test_a_finish_message_that_is_lost_is_sent_again_within_minutes(system: System, ports: FakePorts) -> None:
    row = system.saving()
    for _ in range(8):  # so many messages of reconcile are lost
        ports.clock.time = max(ports.clock.now(), system.row(row).due_at or ports.clock.now())
        system.reconcile()
        assert ports.commands.take_finished()

    due_at = system.row(row).due_at
    assert due_at is not None
    assert due_at <= ports.clock.now() + timedelta(minutes=5)


def test_outputs_that_are_gone_after_an_hour_are_made_again(system: System, ports: FakePorts) -> None:
    row = system.saving()
    gone = ports.provider.forget_output(system.prediction(row).id)
    assert gone.data_removed

    system.reconcile(after=timedelta(hours=1))
    system.deliver_finishes()

    row = system.row(row)
    assert (row.state, row.failures) == (State.QUEUED, 1)
    row = restart(system, row)
    assert system.hear(row, ports.provider.succeed(system.prediction(row).id)).credits_charged == 1


def test_outputs_that_are_gone_twice_are_refunded(system: System, ports: FakePorts) -> None:
    row = system.processing()
    for _ in range(2):
        ports.provider.succeed(system.prediction(row).id)
        ports.provider.forget_output(system.prediction(row).id)
        row = system.hear(row, system.prediction(row))
        if row.state is State.QUEUED:
            row = restart(system, row)

    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == "outputs_missing"


# Leases


def test_the_lease_outlives_the_function_and_its_longest_download() -> None:
    assert SAVING_LEASE > FINISH_TIMEOUT + timedelta(seconds=60)


def test_while_one_saves_another_delivery_is_acknowledged(system: System, ports: FakePorts) -> None:
    row = system.processing()
    done = ports.provider.succeed(system.prediction(row).id)
    seen: list[Generation] = []

    with meanwhile(ports, "FakeOutputs.download", lambda: seen.append(system.hear(row, done))):
        row = system.hear(row, done)

    (other,) = seen
    assert other.state is State.SAVING
    assert other.due_at == other.lease_until == ports.clock.now() + SAVING_LEASE
    assert row.state is State.SUCCEEDED
    assert ports.calls.names.count("FakeOutputs.download") == 1


def test_the_dead_workers_own_message_is_acknowledged_while_its_lease_lives(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    done = ports.provider.succeed(system.prediction(row).id)
    with dies_before(ports, "FakeOutputs.download"):
        system.hear(row, done)

    ports.clock.advance(SAVING_LEASE - timedelta(seconds=1))
    assert system.hear(row, done).state is State.SAVING
    assert system.reconcile() == 0

    system.reconcile(after=timedelta(seconds=1))
    system.deliver_finishes()
    assert system.row(row).state is State.SUCCEEDED


@pytest.mark.parametrize("call", ["FakeObjects.put_file", "FakeObjects.copy", "FakeObjects.put_bytes"])
def test_what_a_dead_worker_left_half_done_is_done_again(call: str, system: System, ports: FakePorts) -> None:
    row = system.processing(num_outputs=2)
    done = ports.provider.succeed(system.prediction(row).id)
    with dies_after(ports, call):
        system.hear(row, done)

    system.reconcile(after=SAVING_LEASE)
    system.deliver_finishes()

    row = system.row(row)
    assert row.state is State.SUCCEEDED
    listed = {key for o in row.outputs for key in (o.key, o.thumbnail_key)}
    assert {key for key in ports.objects.stored if key.startswith("users/")} == listed


def test_a_worker_that_dies_after_settling_has_settled(system: System, ports: FakePorts) -> None:
    row = system.processing(num_outputs=2)
    done = ports.provider.succeed(system.prediction(row).id)
    with dies_after(ports, "FakeChanges.commit", nth=2):
        system.hear(row, done)

    assert system.hear(row, done).state is State.SUCCEEDED
    assert system.account().spent == 2


def test_what_a_worker_left_in_quarantine_goes_when_its_message_comes_again(
    system: System, ports: FakePorts
) -> None:
    row = system.processing(num_outputs=2)
    done = ports.provider.succeed(system.prediction(row).id)
    with dies_before(ports, "FakeObjects.delete"):
        system.hear(row, done)
    assert [key for key in ports.objects.stored if key.startswith("quarantine/")]

    system.hear(row, done)

    assert not [key for key in ports.objects.stored if key.startswith("quarantine/")]
    assert_sound(ports)


@pytest.mark.parametrize("stuck_at", ["FakeOutputs.download", "FakeObjects.copy"])
def test_who_has_lost_the_lease_settles_nothing(stuck_at: str, system: System, ports: FakePorts) -> None:
    row = system.processing(num_outputs=2)
    done = ports.provider.succeed(system.prediction(row).id)
    took_over: list[Generation] = []

    def is_stuck_for_too_long() -> None:
        ports.clock.advance(SAVING_LEASE)
        with dies_before(ports, "FakeObjects.copy"):
            system.hear(row, done)
        took_over.append(system.row(row))

    with meanwhile(ports, stuck_at, is_stuck_for_too_long):
        row = system.hear(row, done)

    assert [row] == took_over
    assert system.account().spent == 0
    assert [key for key in ports.objects.stored if key.startswith("quarantine/")]


def test_who_has_lost_the_lease_gives_nothing_up(system: System, ports: FakePorts) -> None:
    row = system.processing()
    done = succeed(system, row, [b"junk"])
    took_over: list[Generation] = []

    def is_stuck_for_too_long() -> None:
        ports.clock.advance(SAVING_LEASE)
        with dies_before(ports, "FakeOutputs.download"):
            system.hear(row, done)
        took_over.append(system.row(row))

    with meanwhile(ports, "FakePictures.inspect", is_stuck_for_too_long):
        row = system.hear(row, done)

    assert [row] == took_over
    assert row.failures == 0


def test_who_has_lost_the_lease_deletes_nothing_of_what_was_settled_since(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    done = succeed(system, row, [picture_bytes()])
    settled: list[Generation] = []

    def sleeps_until_another_has_settled() -> None:
        ports.clock.advance(SAVING_LEASE)
        settled.append(system.hear(row, done))
        # By now the provider's hour is over.
        ports.outputs.files.clear()

    with meanwhile(ports, "FakeOutputs.download", sleeps_until_another_has_settled):
        row = system.hear(row, done)

    assert [row] == settled
    assert (row.state, row.credits_charged) == (State.SUCCEEDED, 1)
    assert {key for o in row.outputs for key in (o.key, o.thumbnail_key)} == ports.objects.stored.keys()


def test_who_has_lost_the_lease_gives_it_back_for_nobody(system: System, ports: FakePorts) -> None:
    row = system.processing()
    done = succeed(system, row, [AWAY])
    took_over: list[Generation] = []

    def is_stuck_for_too_long() -> None:
        ports.clock.advance(SAVING_LEASE)
        with dies_before(ports, "FakeOutputs.download"):
            system.hear(row, done)
        took_over.append(system.row(row))

    with meanwhile(ports, "FakeOutputs.download", is_stuck_for_too_long):
        row = system.hear(row, done)

    assert [row] == took_over
    assert row.save_failures == 0


def test_a_settlement_that_meets_another_writer_is_decided_again(system: System, ports: FakePorts) -> None:
    row = system.processing(num_outputs=2)
    done = ports.provider.succeed(system.prediction(row).id)

    with meanwhile(ports, "FakeChanges.commit", lambda: system.accept(ANA), nth=2):
        row = system.hear(row, done)

    assert row.state is State.SUCCEEDED
    assert (system.account().spent, system.account().held) == (2, 1)


def test_a_settlement_that_others_keep_from_being_written_is_made_later(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    done = ports.provider.succeed(system.prediction(row).id)
    writes = 0

    def contended(name: str) -> None:
        nonlocal writes
        if name == "FakeChanges.commit":
            writes += 1
            if writes > 1:
                raise Conflict({"account"})

    ports.calls.before = contended
    with pytest.raises(Transient):
        system.hear(row, done)
    ports.calls.before = lambda _: None

    system.reconcile(after=SAVING_LEASE)
    system.deliver_finishes()
    assert system.row(row).state is State.SUCCEEDED


def test_a_saving_that_goes_on_failing_is_tried_often_while_the_outputs_live(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    done = ports.provider.succeed(system.prediction(row).id)
    ports.outputs.files[done.output[0]] = AWAY
    row = system.hear(row, done)
    for _ in range(12):
        assert row.due_at is not None
        assert row.due_at - ports.clock.now() <= SAVING_RETRY_MAX
        system.until_due(row)
        system.deliver_finishes()
        row = system.row(row)
    assert row.save_failures >= 12


def test_a_settlement_whose_hand_over_failed_is_tidied_up_when_the_message_comes_again(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    done = ports.provider.succeed(system.prediction(row).id)

    def refuse(name: str) -> None:
        if name == "FakeGenerations.first_waiting":
            raise Transient("throttled")

    ports.calls.before = refuse
    with pytest.raises(Transient):
        system.hear(row, done)
    ports.calls.before = lambda _: None
    assert system.row(row).state is State.SUCCEEDED

    system.hear(row, done)

    assert not [key for key in ports.objects.stored if key.startswith("quarantine/")]
