from __future__ import annotations

import json
from typing import NoReturn

import pytest

from finish_generation.handler import handler
from revela.domain.errors import ProviderTransient, Transient
from revela.domain.job import State
from revela.usecases.cancel_generation import cancel_generation
from tests.fakes import picture_bytes
from tests.unit.functions.worker import (
    JOB,
    PREDICTION_ID,
    WorkerPorts,
    deliver,
    message_ids,
    sample,
    samples,
)
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.system import System
from tests.unit.usecases.trouble import meanwhile

FINISH_TIMEOUT_S = 120


def case(name: str) -> str:
    return f"finish_generation/{name}"


@pytest.fixture(autouse=True)
def job(workers: WorkerPorts) -> None:
    """The samples' job: its create was not answered, its images lie where the sample says."""
    row = workers.accept()
    workers.provider.refuse(ProviderTransient("connection reset"))
    System(workers).started(row)
    (record,) = sample(case("succeeded"))["Records"]
    for number, url in enumerate(json.loads(record["body"])["prediction"]["output"]):
        workers.outputs.files[url] = picture_bytes(name=str(number))


def hear(workers: WorkerPorts, name: str) -> list[str]:
    return deliver(handler, sample(case(name)), remaining_s=FINISH_TIMEOUT_S)


@pytest.mark.parametrize("name", ["starting", "processing"])
def test_a_prediction_that_runs_is_adopted(workers: WorkerPorts, name: str) -> None:
    assert hear(workers, name) == []

    assert (workers.job.state, workers.job.prediction_id) == (State.PROCESSING, PREDICTION_ID)


def test_success_is_saved_and_charged(workers: WorkerPorts) -> None:
    hear(workers, "starting")

    assert hear(workers, "succeeded") == []

    row = workers.job
    assert (row.state, row.credits_charged, row.predict_time_s) == (State.SUCCEEDED, 6, 3.667)
    assert [o.key for o in row.outputs] == [
        f"users/ana/generations/{JOB.id}/1-0.webp",
        f"users/ana/generations/{JOB.id}/1-1.webp",
    ]


def test_a_failure_is_recorded_and_refunded(workers: WorkerPorts) -> None:
    assert hear(workers, "failed") == []

    row = workers.job
    assert (row.state, row.credits_refunded) == (State.FAILED, 6)
    assert row.failure is not None
    assert row.failure.code == "moderated"


def test_canceled_as_asked_is_canceled(workers: WorkerPorts) -> None:
    hear(workers, "processing")
    cancel_generation(JOB, ports=workers)

    assert hear(workers, "canceled") == []

    assert (workers.job.state, workers.job.credits_refunded) == (State.CANCELED, 6)


def test_canceled_without_our_asking_took_too_long(workers: WorkerPorts) -> None:
    assert hear(workers, "canceled") == []

    assert workers.job.state is State.FAILED
    assert workers.job.failure is not None
    assert workers.job.failure.code == "timeout"


def test_aborted_is_tried_again(workers: WorkerPorts) -> None:
    assert hear(workers, "aborted") == []

    assert (workers.job.state, workers.job.failures) == (State.QUEUED, 1)


def test_what_cannot_be_read_goes_to_the_dead_letters_and_holds_up_no_other(workers: WorkerPorts) -> None:
    event = sample(case("poison"))

    assert deliver(handler, event, remaining_s=FINISH_TIMEOUT_S) == message_ids(event)[1:]

    assert workers.job.state is State.PROCESSING


def test_a_message_that_fails_for_now_comes_again_alone(workers: WorkerPorts) -> None:
    started, ended = sample(case("starting")), sample(case("succeeded"))
    ended["Records"][0]["messageId"] = "11111111-1111-1111-1111-111111111111"
    batch = {"Records": started["Records"] + ended["Records"]}

    def refuse() -> NoReturn:
        raise Transient("the table is away")

    with meanwhile(workers, "FakeChanges.commit", refuse):
        assert deliver(handler, batch, remaining_s=FINISH_TIMEOUT_S) == message_ids(started)

    assert workers.job.state is State.SUCCEEDED


def test_the_functions_own_end_bounds_what_it_publishes(workers: WorkerPorts) -> None:
    assert deliver(handler, sample(case("succeeded")), remaining_s=20) == []

    assert workers.job.state is State.JUDGING
    assert not [key for key in workers.objects.stored if key.startswith("users/")]


@pytest.mark.parametrize("name", [name for name in samples("finish_generation") if "poison" not in name])
def test_a_second_delivery_of_any_sample_changes_nothing(workers: WorkerPorts, name: str) -> None:
    deliver(handler, sample(name), remaining_s=FINISH_TIMEOUT_S)
    once = workers.job

    deliver(handler, sample(name), remaining_s=FINISH_TIMEOUT_S)

    assert workers.job == once
    assert_sound(workers)


@pytest.mark.parametrize("name", samples("finish_generation"))
def test_the_samples_name_their_user_as_group(name: str) -> None:
    for record in sample(name)["Records"]:
        assert record["attributes"]["MessageGroupId"] == JOB.user_id
