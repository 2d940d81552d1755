"""Our client's operations beside predictions, over the stand-in: each does what its name says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

import pytest

from revela.adapters.replicate.account import account
from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.collections import Collections
from revela.adapters.replicate.deployments import Deployments
from revela.adapters.replicate.files import Files
from revela.adapters.replicate.hardware import hardware
from revela.adapters.replicate.models import Models
from revela.adapters.replicate.predictions import Predictions
from revela.adapters.replicate.search import search
from revela.adapters.replicate.trainings import Trainings
from revela.adapters.replicate.versions import Versions
from revela.domain.errors import ProviderNotFound, ProviderRejected, ProviderUnauthorized
from revela.domain.prediction import PredictionStatus
from tests.contract.photo_zips import photo_zip
from tests.contract.providers import StandInScene, stand_in_scene

FLUX = ("black-forest-labs", "flux-dev")
SDXL = ("stability-ai", "sdxl")
TRAINER = ("ostris", "flux-dev-lora-trainer")
SDXL_VERSION = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"


@pytest.fixture
def scene() -> Iterator[StandInScene]:
    with stand_in_scene() as scene:
        yield scene


@pytest.fixture
def client(scene: StandInScene) -> ReplicateClient:
    return scene.client


def created_model(client: ReplicateClient) -> None:
    Models(client).create(
        owner="acme", name="faces", visibility="private", hardware="gpu-t4", description="Faces"
    )


def test_from_photos_to_a_prediction_with_what_was_learned(
    scene: StandInScene, client: ReplicateClient
) -> None:
    created_model(client)
    zip_ = Files(client).create(
        io.BytesIO(photo_zip()), filename="trn_1-1.zip", content_type="application/zip", metadata={"n": 1}
    )
    trainings = Trainings(client)
    version = next(Versions(client).pages(*TRAINER))[0].id
    created = trainings.create(
        owner=TRAINER[0],
        name=TRAINER[1],
        version=version,
        destination="acme/faces",
        training_input={"input_images": zip_.urls.get, "trigger_word": "ANA"},
        webhook_url="https://hooks.example.com/training",
    )
    scene.passes(2)
    scene.passes(600)
    done = trainings.get(created.id)

    assert created.status is PredictionStatus.STARTING
    assert (done.status, done.error) == (PredictionStatus.SUCCEEDED, None)
    assert done.output is not None
    assert done.output.version is not None
    assert done.predict_time_s is not None
    assert scene.stand_in.network.statuses == ["processing", "succeeded"]
    assert [row.id for row in chain.from_iterable(trainings.pages())] == [created.id]
    predicted = Predictions(client).create(version=done.output.version, model_input={"prompt": "ANA"})
    scene.passes(40)
    assert len(Predictions(client).get(predicted.id).output) == 1

    owner_and_name, _, made = done.output.version.partition(":")
    assert owner_and_name == "acme/faces"
    Versions(client).delete("acme", "faces", made)
    scene.passes(120)
    with pytest.raises(ProviderNotFound):
        Versions(client).get("acme", "faces", made)
    Models(client).delete("acme", "faces")
    with pytest.raises(ProviderNotFound):
        Models(client).get("acme", "faces")


def test_a_training_is_canceled(client: ReplicateClient) -> None:
    created_model(client)
    version = next(Versions(client).pages(*TRAINER))[0].id
    created = Trainings(client).create(
        owner=TRAINER[0],
        name=TRAINER[1],
        version=version,
        destination="acme/faces",
        training_input={"input_images": "https://files.example.com/photos.zip"},
    )

    assert Trainings(client).cancel(created.id).status is PredictionStatus.CANCELED


def test_a_destination_of_others_is_not_found(client: ReplicateClient) -> None:
    version = next(Versions(client).pages(*TRAINER))[0].id

    with pytest.raises(ProviderNotFound, match="training destination"):
        Trainings(client).create(
            owner=TRAINER[0],
            name=TRAINER[1],
            version=version,
            destination="somebody/faces",
            training_input={"input_images": "https://files.example.com/photos.zip"},
        )


def test_models_are_read_changed_and_searched(client: ReplicateClient) -> None:
    created_model(client)
    models = Models(client)
    flux = models.get(*FLUX)

    assert flux.is_official
    assert flux.latest_version is not None
    assert flux.latest_version.openapi_schema is not None
    assert models.get("acme", "faces").latest_version is None
    assert models.update("acme", "faces", description="Better", readme="# Faces").description == "Better"
    assert models.readme("acme", "faces") == "# Faces"
    by_age = next(models.pages(sort_by="model_created_at", sort_direction="asc"))
    assert (by_age[0].name, by_age[-1].name) == ("sdxl", "faces")
    assert [m.name for m in next(models.search("sdxl"))] == ["sdxl"]
    (example,) = next(models.examples(*FLUX))
    assert example.status is PredictionStatus.SUCCEEDED
    assert Versions(client).get(*SDXL, SDXL_VERSION).cog_version == "0.8.1"


def test_a_deployment_is_made_used_changed_and_deleted(scene: StandInScene, client: ReplicateClient) -> None:
    deployments = Deployments(client)
    made = deployments.create(
        name="fast",
        model="stability-ai/sdxl",
        version=SDXL_VERSION,
        hardware="gpu-l40s",
        min_instances=0,
        max_instances=2,
    )
    prediction = deployments.predict("acme", "fast", model_input={"prompt": "a fox"}, cancel_after_s=300)

    assert made == deployments.get("acme", "fast") == next(deployments.pages())[0]
    assert Predictions(client).get(prediction.id).deployment == "acme/fast"
    changed = deployments.update("acme", "fast", max_instances=3).current_release
    assert changed is not None
    assert changed.number == 2
    with pytest.raises(ProviderRejected):
        deployments.delete("acme", "fast")
    scene.passes(16 * 60)
    deployments.delete("acme", "fast")
    with pytest.raises(ProviderNotFound):
        deployments.get("acme", "fast")


def test_a_file_tells_its_checksum_and_when_it_goes(scene: StandInScene, client: ReplicateClient) -> None:
    files = Files(client)
    made = files.create(io.BytesIO(b"photos"), filename="ünïcode.bin", metadata={"training": "trn_1"})

    assert (made.size, made.metadata) == (6, {"training": "trn_1"})
    assert made.checksums is not None
    assert len(made.checksums["sha256"]) == 64
    assert made.created_at is not None
    assert made.expires_at is not None
    assert (made.expires_at - made.created_at).total_seconds() == 24 * 3600
    assert files.get(made.id) == made == next(files.pages())[0]
    files.delete(made.id)
    with pytest.raises(ProviderNotFound):
        files.delete(made.id)


def test_what_everybody_can_read(client: ReplicateClient) -> None:
    assert account(client).username == "acme"
    assert "gpu-h100" in {row.sku for row in hardware(client)}
    collections = next(Collections(client).pages())
    assert Collections(client).get(collections[0].slug).models
    found = search(client, "flux", limit=1)
    assert (len(found.models), found.collections[0].slug) == (1, "flux")
    assert search(client, "flux", limit=10_000).models


def test_what_is_others_cannot_be_changed(client: ReplicateClient) -> None:
    with pytest.raises(ProviderUnauthorized):
        Models(client).update(*FLUX, description="mine")
    with pytest.raises(ProviderUnauthorized):
        Versions(client).delete(*SDXL, SDXL_VERSION)


def test_predictions_are_listed_from_a_time_or_all(scene: StandInScene, client: ReplicateClient) -> None:
    predictions = Predictions(client)
    made = predictions.create(version="black-forest-labs/flux-dev", model_input={"prompt": "a fox"})
    later = datetime.fromtimestamp(scene.now().timestamp() + 1, UTC)

    assert [row.id for row in next(predictions.pages())] == [made.id]
    assert next(predictions.pages(created_after=later)) == []
