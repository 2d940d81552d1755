from __future__ import annotations

from datetime import timedelta

from reconcile_jobs.handler import handler
from revela.domain.job import State
from tests.unit.functions.worker import JOB, WorkerPorts, invoke, sample
from tests.unit.usecases.system import System

SCHEDULE = "reconcile_jobs/schedule"


def test_what_is_due_is_sent_again(workers: WorkerPorts) -> None:
    workers.accept()
    workers.clock.advance(timedelta(minutes=1))

    assert invoke(handler, sample(SCHEDULE)) == {"visited": 1}

    assert workers.commands.started == [JOB]


def test_a_prediction_nobody_reported_on_is_passed_to_finishing(workers: WorkerPorts) -> None:
    row = System(workers).started(workers.accept())
    assert row.prediction_id
    ended = workers.provider.succeed(row.prediction_id)
    workers.clock.advance(timedelta(seconds=30))

    assert invoke(handler, sample(SCHEDULE)) == {"visited": 1}

    (told,) = workers.commands.finished
    assert (told.ref, told.attempt, told.prediction) == (JOB, 1, ended)


def test_nothing_due_is_nothing_done(workers: WorkerPorts) -> None:
    workers.accept()

    assert invoke(handler, sample(SCHEDULE)) == {"visited": 0}

    assert not workers.commands.started


def test_a_second_run_at_the_same_minute_acts_on_nothing(workers: WorkerPorts) -> None:
    workers.accept()
    workers.clock.advance(timedelta(minutes=1))
    invoke(handler, sample(SCHEDULE))

    assert invoke(handler, sample(SCHEDULE)) == {"visited": 0}

    assert workers.commands.started == [JOB]


def test_the_functions_own_end_bounds_what_it_begins(workers: WorkerPorts) -> None:
    workers.accept()
    workers.clock.advance(timedelta(minutes=1))

    assert invoke(handler, sample(SCHEDULE), remaining_s=5) == {"visited": 0}

    assert workers.job.state is State.QUEUED
