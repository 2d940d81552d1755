"""Trainings, uploads, destinations and versions: over the fake and over our client to Replicate's API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from revela.adapters.replicate.models import Models
from revela.domain.errors import ProviderNotFound, ProviderRejected, ProviderThrottled, ProviderTransient
from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import CreateTraining
from tests.contract.photo_zips import photo_zip
from tests.contract.providers import FakeScene, Scene, StandInScene, stand_in_scene
from tests.fakes import load_catalog

TRAINER = load_catalog().trainer()
# Longer than the stand-in takes for a thousand steps.
ALL_OF_IT = 7_200


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


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "photos.zip"
    path.write_bytes(photo_zip())
    return path


def asked(scene: Scene, archive: Path) -> CreateTraining:
    """Return a create as `start_training` makes it: a destination of ours, and an upload."""
    destination = f"{scene.provider.account_name()}/revela-{TRAINER.id}"
    scene.provider.ensure_destination(destination)
    uploaded = scene.provider.upload(archive, filename="trn_1-1.zip", content_type="application/zip")
    given = {"input_images": uploaded.url, "trigger_word": "REVK", "steps": 1000}
    return CreateTraining(TRAINER.provider.reference, destination, given, None)


def ended(scene: Scene, training: Prediction) -> Prediction:
    if isinstance(scene, StandInScene):
        scene.passes(2)  # it begins, and with it the fetching of the zip
        scene.passes(ALL_OF_IT)
    else:
        scene.succeeds(training.id)
    return scene.provider.get_training(training.id)


def test_a_created_training_is_starting_and_can_be_read(scene: Scene, archive: Path) -> None:
    request = asked(scene, archive)

    created = scene.provider.create_training(request)

    assert created.status is PredictionStatus.STARTING
    assert created.input == request.input
    assert created.created_at == scene.now()
    assert (created.trained_version, created.weights_url, created.error) == (None, None, None)
    assert scene.provider.get_training(created.id) == created


def test_it_succeeds_with_a_version_of_its_destination_and_weights(scene: Scene, archive: Path) -> None:
    request = asked(scene, archive)

    done = ended(scene, scene.provider.create_training(request))

    assert done.status is PredictionStatus.SUCCEEDED
    assert done.trained_version is not None
    destination, _, version = done.trained_version.partition(":")
    assert (destination, len(version)) == (request.destination, 64)
    assert done.weights_url
    assert done.output == ()
    assert done.predict_time_s is not None
    assert done.predict_time_s > 0


def test_two_trainings_make_two_versions(scene: Scene, archive: Path) -> None:
    request = asked(scene, archive)
    done = [ended(scene, scene.provider.create_training(request)) for _ in range(2)]

    assert done[0].trained_version != done[1].trained_version


def test_a_destination_that_does_not_exist_is_not_found(scene: Scene, archive: Path) -> None:
    request = replace(asked(scene, archive), destination=f"{scene.provider.account_name()}/nowhere")

    with pytest.raises(ProviderNotFound):
        scene.provider.create_training(request)


def test_a_destination_is_made_once_and_found_again(scene: Scene) -> None:
    destination = f"{scene.provider.account_name()}/revela-test"

    scene.provider.ensure_destination(destination)
    scene.provider.ensure_destination(destination)


def test_a_cancel_ends_it_and_can_be_repeated(scene: Scene, archive: Path) -> None:
    created = scene.provider.create_training(asked(scene, archive))

    assert scene.provider.cancel_training(created.id).status is PredictionStatus.CANCELED
    assert scene.provider.cancel_training(created.id).status is PredictionStatus.CANCELED


def test_what_is_unknown_is_not_found(scene: Scene) -> None:
    for ask in (scene.provider.get_training, scene.provider.cancel_training):
        with pytest.raises(ProviderNotFound):
            ask("nothing")


def test_a_throttled_create_made_nothing_and_says_when_to_come_back(scene: Scene, archive: Path) -> None:
    request = asked(scene, archive)
    begun = scene.now()
    scene.throttles_next_training(7)

    with pytest.raises(ProviderThrottled) as throttled:
        scene.provider.create_training(request)

    assert throttled.value.retry_after_s == 7
    assert not list(scene.provider.list_trainings(created_after=begun))


def test_a_create_whose_answer_is_lost_is_not_repeated_and_is_listed_with_its_input(
    scene: Scene, archive: Path
) -> None:
    request = asked(scene, archive)
    begun = scene.now()
    scene.loses_next_answer()

    with pytest.raises(ProviderTransient):
        scene.provider.create_training(request)

    ((found,),) = scene.provider.list_trainings(created_after=begun)
    assert found.input == request.input


def test_the_list_is_newest_first_and_ends_where_it_was_told_to(scene: Scene, archive: Path) -> None:
    request = asked(scene, archive)
    created = []
    for _ in range(3):
        created.append(scene.provider.create_training(request))
        scene.a_second_passes()
    after, before = created[1].created_at, created[2].created_at
    assert after is not None
    assert before is not None

    def ids(**between: object) -> list[str]:
        return [p.id for page in scene.provider.list_trainings(**between) for p in page]  # type: ignore[arg-type]  # as named

    assert ids(created_after=after - timedelta(hours=1)) == [p.id for p in created[::-1]]
    assert ids(created_after=after) == [created[2].id, created[1].id]
    assert ids(created_after=after, created_before=before) == [created[1].id]


def test_an_upload_is_forgotten_once_and_for_all(scene: Scene, archive: Path) -> None:
    uploaded = scene.provider.upload(archive, filename="trn_1-1.zip", content_type="application/zip")

    scene.provider.delete_file(uploaded.id)
    scene.provider.delete_file(uploaded.id)

    assert uploaded.url


def test_two_uploads_are_two_files(scene: Scene, archive: Path) -> None:
    first, second = [
        scene.provider.upload(archive, filename="trn_1-1.zip", content_type="application/zip")
        for _ in range(2)
    ]

    assert first.id != second.id
    assert first.url != second.url


def test_a_version_is_deleted_once_and_for_all(scene: Scene, archive: Path) -> None:
    done = ended(scene, scene.provider.create_training(asked(scene, archive)))
    assert done.trained_version is not None

    scene.provider.delete_version(done.trained_version)
    if isinstance(scene, StandInScene):
        scene.passes(600)  # it says 202, and takes some minutes
    scene.provider.delete_version(done.trained_version)


# Our client alone


def test_a_destination_that_was_deleted_by_hand_is_made_again(stand_in: StandInScene, archive: Path) -> None:
    request = asked(stand_in, archive)
    owner, _, name = request.destination.partition("/")
    Models(stand_in.client).delete(owner, name)

    with pytest.raises(ProviderNotFound):
        stand_in.provider.create_training(request)
    stand_in.provider.ensure_destination(request.destination)

    assert stand_in.provider.create_training(request).status is PredictionStatus.STARTING


def test_its_own_answer_has_its_log_and_the_listing_leaves_it_out(
    stand_in: StandInScene, archive: Path
) -> None:
    stand_in.next_training_takes(100)
    created = stand_in.provider.create_training(asked(stand_in, archive))
    stand_in.passes(2)
    stand_in.passes(50)

    running = stand_in.provider.get_training(created.id)
    ((listed,),) = stand_in.provider.list_trainings(created_after=stand_in.now() - timedelta(hours=1))

    assert running.status is PredictionStatus.PROCESSING
    assert running.logs
    assert listed == running.model_copy(update={"logs": None})


def test_an_upload_that_is_too_large_is_rejected(stand_in: StandInScene, tmp_path: Path) -> None:
    large = tmp_path / "large.zip"
    with large.open("wb") as file:
        file.truncate(100 * 1024 * 1024 + 1)

    with pytest.raises(ProviderRejected):
        stand_in.provider.upload(large, filename="large.zip", content_type="application/zip")
