from __future__ import annotations

import pytest

from revela.domain.job import State
from revela.domain.policy import POLL_FIRST, TRAINING_POLL_MAX
from revela.usecases import polling
from tests.fakes import FakePorts
from tests.unit.usecases.training_system import TrainingSystem

BAR = "flux_train_replicate:  {percent}%|###   | {step}/{steps} [10:00<{left},  1.05s/it, lr: 4.0e-04]"


def prints(trainings: TrainingSystem, ports: FakePorts, at: str, step: int, left: str) -> None:
    logs = BAR.format(percent=step // 10, step=step, steps=1000, left=left)
    ports.provider.trainings[at] = ports.provider.trainings[at].model_copy(update={"logs": logs})


def test_the_row_tells_how_far_it_is_and_how_long_it_takes(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running(steps=1000)
    at = ports.provider.start(trainings.newest(row).id).id
    assert (row.progress_percent, row.left_s) == (None, None)

    prints(trainings, ports, at, 480, "09:04")
    row = trainings.when_due(row)
    assert (row.progress_percent, row.left_s) == (48, 544)

    prints(trainings, ports, at, 700, "05:00")
    row = trainings.when_due(row)
    assert (row.progress_percent, row.left_s) == (70, 300)
    assert row.state is State.PROCESSING


def test_logs_without_a_bar_leave_it_as_it_is(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    prediction = ports.provider.start(trainings.newest(row).id)
    ports.provider.trainings[prediction.id] = prediction.model_copy(update={"logs": "Downloading weights"})

    row = trainings.when_due(row)

    assert row.progress_percent is None


def test_a_bar_that_stands_still_is_not_written_again(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running(steps=1000)
    at = ports.provider.start(trainings.newest(row).id).id
    prints(trainings, ports, at, 480, "09:04")
    row = trainings.when_due(row)

    again = trainings.when_due(row)

    # The visit alone.
    assert again.version == row.version + 1


def test_telling_its_progress_does_not_change_when_it_is_looked_at(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running(steps=1000)
    at = ports.provider.start(trainings.newest(row).id).id
    waits = []
    for step in (100, 200, 300, 400):
        prints(trainings, ports, at, step, "09:04")
        row = trainings.when_due(row)
        assert row.due_at is not None
        waits.append(row.due_at - ports.clock.now())

    assert waits == [POLL_FIRST, *[TRAINING_POLL_MAX] * 3]


def test_a_new_attempt_begins_at_nothing(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running(steps=1000)
    at = ports.provider.start(trainings.newest(row).id).id
    prints(trainings, ports, at, 900, "00:30")
    trainings.when_due(row)

    row = trainings.report(row, ports.provider.fail(at))
    row = trainings.when_due(row)

    assert (row.state, row.progress_percent, row.left_s) == (State.PROCESSING, None, None)


def test_each_of_many_is_asked_for_the_listing_has_no_logs(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    trainings.subscribe(plan="developer", amount=2000)
    rows = [trainings.running(steps=1000) for _ in range(6)]
    for row in rows:
        prints(trainings, ports, trainings.newest(row).id, 500, "05:00")

    trainings.reconcile(after=POLL_FIRST)

    assert {trainings.now(row).progress_percent for row in rows} == {50}


def test_very_many_are_read_by_the_page(
    trainings: TrainingSystem, ports: FakePorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "TRAINING_GETS", 4)
    trainings.subscribe(plan="developer", amount=2000)
    rows = [trainings.running(steps=1000) for _ in range(6)]
    done = [trainings.done(row) for row in rows]
    ports.calls.names.clear()

    trainings.reconcile(after=POLL_FIRST)

    assert {told.prediction.id for told in ports.commands.take_finished()} == {p.id for p in done}
    assert ports.calls.names.count("FakeProvider._page") == 1
    assert ports.calls.names.count("FakeProvider.get_training") <= polling.SINGLE_GETS
