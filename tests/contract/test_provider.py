"""What every provider does: the same cases over the fake and over our client to Replicate's API."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from revela.domain.errors import (
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
)
from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import CreatePrediction
from tests.contract.providers import FakeScene, Scene, StandInScene, stand_in_scene
from tests.contract.replicate_stand_in import SECRET, WEBHOOK

INPUT = {"prompt": "a lighthouse", "num_outputs": 2, "output_format": "png", "seed": 7, "go_fast": False}


@pytest.fixture
def stand_in() -> Iterator[StandInScene]:
    with stand_in_scene() as scene:
        yield scene


@pytest.fixture(params=["fake", "client"])
def scene(request: pytest.FixtureRequest) -> Scene:
    if request.param == "fake":
        return FakeScene()
    scene = request.getfixturevalue("stand_in")
    assert isinstance(scene, StandInScene)
    return scene


def asked(**changed: Any) -> CreatePrediction:
    given: dict[str, Any] = {
        "version": "black-forest-labs/flux-schnell",
        "input": INPUT,
        "webhook_url": None,
        "cancel_after_s": 300,
    }
    return CreatePrediction(**given | changed)


def test_a_created_prediction_is_starting_and_can_be_read(scene: Scene) -> None:
    created = scene.provider.create_prediction(asked())

    assert created.status is PredictionStatus.STARTING
    assert created.input == INPUT
    assert (created.output, created.error, created.data_removed) == ((), None, False)
    assert created.created_at == scene.now()
    assert scene.provider.get_prediction(created.id) == created


def test_it_runs(scene: Scene) -> None:
    created = scene.provider.create_prediction(asked())
    scene.starts(created.id)

    found = scene.provider.get_prediction(created.id)

    assert found.status is PredictionStatus.PROCESSING
    assert not found.status.terminal
    assert found.started_at is not None


def test_it_succeeds_with_as_many_outputs_as_were_asked_for(scene: Scene) -> None:
    created = scene.provider.create_prediction(asked())
    scene.starts(created.id)
    scene.succeeds(created.id)

    found = scene.provider.get_prediction(created.id)

    assert found.status is PredictionStatus.SUCCEEDED
    assert len(set(found.output)) == 2
    assert all(url.endswith(".png") for url in found.output)
    assert found.predict_time_s is not None
    assert found.predict_time_s > 0
    assert found.completed_at is not None
    assert found.error is None


@pytest.mark.parametrize("error", ["CUDA out of memory. Tried to allocate 20.00 MiB", None])
def test_it_fails_with_the_error_it_met_or_none(scene: Scene, error: str | None) -> None:
    scene.fails_next(error)
    created = scene.provider.create_prediction(asked())
    scene.starts(created.id)
    scene.succeeds(created.id)

    found = scene.provider.get_prediction(created.id)

    assert (found.status, found.error, found.output) == (PredictionStatus.FAILED, error, ())


def test_what_has_not_started_when_its_time_is_over_is_aborted(scene: Scene) -> None:
    scene.next_waits()
    created = scene.provider.create_prediction(asked(cancel_after_s=5))
    scene.aborts(created.id)

    found = scene.provider.get_prediction(created.id)

    assert found.status is PredictionStatus.ABORTED
    assert found.status.terminal


def test_a_cancel_ends_what_runs(scene: Scene) -> None:
    created = scene.provider.create_prediction(asked())
    scene.starts(created.id)

    canceled = scene.provider.cancel_prediction(created.id)

    assert canceled.status is PredictionStatus.CANCELED
    assert scene.provider.get_prediction(created.id).status is PredictionStatus.CANCELED


def test_a_cancel_ends_what_has_not_started(scene: Scene) -> None:
    created = scene.provider.create_prediction(asked())

    assert scene.provider.cancel_prediction(created.id).status is PredictionStatus.CANCELED


def test_a_cancel_of_what_has_ended_tells_how_it_ended(scene: Scene) -> None:
    created = scene.provider.create_prediction(asked())
    scene.starts(created.id)
    scene.succeeds(created.id)

    assert scene.provider.cancel_prediction(created.id).status is PredictionStatus.SUCCEEDED
    assert scene.provider.get_prediction(created.id).status is PredictionStatus.SUCCEEDED


@pytest.mark.parametrize("unknown", ["nobody0000000000000000000", "no/such", ""])
def test_what_is_unknown_is_not_found(scene: Scene, unknown: str) -> None:
    with pytest.raises(ProviderNotFound):
        scene.provider.get_prediction(unknown)
    with pytest.raises(ProviderNotFound):
        scene.provider.cancel_prediction(unknown)


def test_an_hour_later_the_outputs_are_gone(scene: Scene) -> None:
    created = scene.provider.create_prediction(asked())
    scene.starts(created.id)
    scene.succeeds(created.id)
    scene.an_hour_passes()

    found = scene.provider.get_prediction(created.id)

    assert (found.status, found.output, found.data_removed) == (PredictionStatus.SUCCEEDED, (), True)


def test_a_throttled_create_made_nothing_and_says_when_to_come_back(scene: Scene) -> None:
    scene.throttles_next_create(9)

    with pytest.raises(ProviderThrottled) as raised:
        scene.provider.create_prediction(asked())

    assert raised.value.retry_after_s == 9
    assert scene.creates() == 0
    scene.provider.create_prediction(asked())
    assert scene.creates() == 1


def test_a_create_whose_answer_is_lost_is_not_repeated_and_can_be_found(scene: Scene) -> None:
    before = scene.now() - timedelta(minutes=1)
    scene.loses_next_answer()

    with pytest.raises(ProviderTransient) as raised:
        scene.provider.create_prediction(asked())

    assert type(raised.value) is ProviderTransient
    assert scene.creates() == 1
    (page,) = scene.provider.list_predictions(created_after=before)
    assert [found.input for found in page] == [INPUT]


def test_a_list_is_newest_first_and_by_the_hundred(scene: Scene) -> None:
    created = [scene.provider.create_prediction(asked()).id for _ in range(205)]

    pages = list(scene.provider.list_predictions(created_after=scene.now() - timedelta(minutes=1)))

    assert [len(page) for page in pages] == [100, 100, 5]
    assert [found.id for page in pages for found in page] == created[::-1]


def test_a_list_ends_where_it_was_told_to(scene: Scene) -> None:
    scene.provider.create_prediction(asked())
    scene.a_second_passes()
    since = scene.now()
    new = scene.provider.create_prediction(asked())

    assert list(scene.provider.list_predictions(created_after=since)) == [[new]]


def test_a_list_begins_where_it_was_told_to(scene: Scene) -> None:
    old = scene.provider.create_prediction(asked())
    scene.a_second_passes()
    until = scene.now()
    scene.provider.create_prediction(asked())

    since = until - timedelta(minutes=1)
    (page,) = scene.provider.list_predictions(created_after=since, created_before=until)
    assert [found.id for found in page] == [old.id]


def test_a_list_of_nothing_has_no_page(scene: Scene) -> None:
    assert list(scene.provider.list_predictions(created_after=scene.now())) == []


def test_there_is_a_secret_that_webhooks_are_signed_with(scene: Scene) -> None:
    assert scene.provider.webhook_secret().startswith("whsec_")


# Over the API alone: what a fake has no rules for


def test_the_secret_is_the_accounts(stand_in: StandInScene) -> None:
    assert stand_in.provider.webhook_secret() == SECRET


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"input": {"num_outputs": 2}}, "input"),
        ({"input": INPUT | {"num_outputs": 5}}, "input.num_outputs"),
        ({"input": INPUT | {"num_inference_steps": 28}}, "input.num_inference_steps"),
        ({"input": INPUT | {"output_format": "gif"}}, "input.output_format"),
    ],
)
def test_what_the_model_does_not_take_is_named(
    stand_in: StandInScene, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(ProviderRejected) as raised:
        stand_in.provider.create_prediction(asked(**changed))

    assert field in raised.value.invalid_fields
    assert stand_in.creates() == 0


@pytest.mark.parametrize("version", ["black-forest-labs/flux-schnell:latest", "nobody/nothing", "0" * 64])
def test_a_version_that_is_none_is_rejected(stand_in: StandInScene, version: str) -> None:
    with pytest.raises((ProviderRejected, ProviderNotFound)):
        stand_in.provider.create_prediction(asked(version=version))

    assert stand_in.creates() == 0


def test_a_deadline_ends_what_runs_too_long(stand_in: StandInScene) -> None:
    created = stand_in.provider.create_prediction(asked(cancel_after_s=10))
    stand_in.passes(9)
    assert stand_in.provider.get_prediction(created.id).status is PredictionStatus.PROCESSING

    stand_in.passes(2)
    assert stand_in.provider.get_prediction(created.id).status is PredictionStatus.CANCELED


def held(stand_in: StandInScene, *, wait_s: int, passes: float) -> Prediction:
    """Create a prediction whose answer is held, while the given time passes."""
    with ThreadPoolExecutor(max_workers=1) as caller:
        answer = caller.submit(stand_in.provider.create_prediction, asked(wait_s=wait_s))
        while stand_in.creates() == 0 and not answer.done():
            pass
        stand_in.passes(passes)
        return answer.result(timeout=10)


def test_a_held_answer_bears_the_output_of_what_has_yet_to_end(stand_in: StandInScene) -> None:
    created = held(stand_in, wait_s=60, passes=31)

    assert created.status is PredictionStatus.PROCESSING
    assert len(created.output) == 2
    stand_in.passes(1)
    ended = stand_in.provider.get_prediction(created.id)
    assert (ended.status, ended.output) == (PredictionStatus.SUCCEEDED, created.output)


def test_an_answer_is_held_no_longer_than_was_asked_for(stand_in: StandInScene) -> None:
    created = held(stand_in, wait_s=10, passes=10)

    assert (created.status, created.output) == (PredictionStatus.STARTING, ())


def test_a_webhook_is_asked_for_at_the_start_and_at_the_end(stand_in: StandInScene) -> None:
    created = stand_in.provider.create_prediction(asked(webhook_url=WEBHOOK))
    stand_in.starts(created.id)
    stand_in.succeeds(created.id)

    assert stand_in.stand_in.network.statuses == ["processing", "succeeded"]
    assert {str(request.url) for request in stand_in.stand_in.network.requests} == {WEBHOOK}


def test_without_a_webhook_nobody_is_called(stand_in: StandInScene) -> None:
    created = stand_in.provider.create_prediction(asked())
    stand_in.starts(created.id)
    stand_in.succeeds(created.id)

    assert stand_in.stand_in.network.requests == []
