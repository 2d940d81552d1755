"""The stand-in's trainings: from a zip to a version that can be predicted with."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from local.replicate import trainings
from local.replicate.spoiling import ConnectionDropped
from tests.contract.photo_zips import photo_zip
from tests.contract.replicate_stand_in import WEBHOOK, InProcess

pytestmark = pytest.mark.anyio

OSTRIS = "ostris/flux-dev-lora-trainer"
FAST = "replicate/fast-flux-trainer"
SDXL = "stability-ai/sdxl"
ZIP_URL = "https://files.example.com/trn_1-1.zip"
DESTINATION = {"owner": "acme", "name": "faces", "visibility": "private", "hardware": "gpu-t4"}


@pytest.fixture
async def account(replicate: InProcess) -> InProcess:
    """An account with a model to push to, and a zip to learn from."""
    replicate.network.files[ZIP_URL] = photo_zip()
    assert (await replicate.api.post("/v1/models", json=DESTINATION)).status_code == 201
    return replicate


async def path_of(replicate: InProcess, trainer: str = OSTRIS) -> str:
    model = (await replicate.api.get(f"/v1/models/{trainer}")).json()
    return f"/v1/models/{trainer}/versions/{model['latest_version']['id']}/trainings"


async def train(
    replicate: InProcess, given: dict[str, Any] | None = None, trainer: str = OSTRIS, **fields: Any
) -> dict[str, Any]:
    body = {"destination": "acme/faces", "input": {"input_images": ZIP_URL} | (given or {})} | fields
    reply = await replicate.api.post(await path_of(replicate, trainer), json=body)
    assert reply.status_code == 201, reply.text
    return replicate.dict_of(reply)


async def show(replicate: InProcess, training: dict[str, Any]) -> dict[str, Any]:
    return replicate.dict_of(await replicate.api.get(f"/v1/trainings/{training['id']}"))


async def ended(replicate: InProcess, training: dict[str, Any]) -> dict[str, Any]:
    await replicate.pass_time(2)  # it begins, and with it the fetching of the zip
    await replicate.pass_time(600)
    return await show(replicate, training)


async def version_of(replicate: InProcess, trainer: str = OSTRIS) -> str:
    version: str = (await ended(replicate, await train(replicate, trainer=trainer)))["output"]["version"]
    return version


async def test_a_training_starts_without_output_and_says_no_destination(account: InProcess) -> None:
    created = await train(account)

    assert created["status"] == "starting"
    assert created.keys().isdisjoint({"output", "destination", "started_at", "completed_at", "metrics"})


@pytest.mark.parametrize("trainer", [OSTRIS, FAST, SDXL])
async def test_it_ends_with_a_version_of_the_destination_and_weights(
    account: InProcess, trainer: str
) -> None:
    done = await ended(account, await train(account, trainer=trainer))
    name, _, version = done["output"]["version"].partition(":")
    model = (await account.api.get("/v1/models/acme/faces")).json()
    weights = await account.api.get(done["output"]["weights"])

    assert (done["status"], name, model["latest_version"]["id"]) == ("succeeded", "acme/faces", version)
    assert "1000/1000" in done["logs"]
    assert done["metrics"]["predict_time"] > 0
    with tarfile.open(fileobj=io.BytesIO(weights.content)) as tar:
        assert tar.getnames() == ["output/flux_train_replicate/lora.safetensors"]


@pytest.mark.parametrize(
    ("trainer", "field"), [(OSTRIS, "guidance_scale"), (FAST, "go_fast"), (SDXL, "negative_prompt")]
)
async def test_the_version_can_be_predicted_with_and_takes_what_its_kind_takes(
    account: InProcess, trainer: str, field: str
) -> None:
    version = await version_of(account, trainer)
    done = await account.finished(version, {"prompt": "TOK at the sea", "seed": 7})
    model = (await account.api.get("/v1/models/acme/faces")).json()
    properties = model["latest_version"]["openapi_schema"]["components"]["schemas"]["Input"]["properties"]

    assert (done["status"], done["model"]) == ("succeeded", "acme/faces")
    assert (await account.api.get(done["output"][0])).status_code == 200
    assert field in properties
    assert model["run_count"] == 1


async def test_two_versions_of_one_destination_draw_different_pictures(account: InProcess) -> None:
    pictures = []
    for _ in range(2):
        version = await version_of(account)
        done = await account.finished(version, {"prompt": "TOK", "seed": 7, "megapixels": "0.25"})
        pictures.append((await account.api.get(done["output"][0])).content)

    assert pictures[0] != pictures[1]


async def test_a_fine_tune_makes_custom_sizes_and_starts_from_images(account: InProcess) -> None:
    version = await version_of(account)
    given = {"prompt": "TOK", "aspect_ratio": "custom", "width": 512, "height": 300, "output_format": "png"}
    done = await account.finished(version, given)
    png = (await account.api.get(done["output"][0])).content

    assert (int.from_bytes(png[16:20]), int.from_bytes(png[20:24])) == (512, 288)


async def test_its_webhooks_are_those_of_a_prediction(account: InProcess) -> None:
    created = await train(account, webhook=WEBHOOK, webhook_events_filter=["start", "completed"])
    done = await ended(account, created)

    assert account.network.statuses == ["processing", "succeeded"]
    assert account.network.bodies[-1] == done


async def test_its_urls_lead_to_it_as_a_prediction_and_cancel_it(account: InProcess) -> None:
    created = await train(account)
    seen = await account.api.get(created["urls"]["get"])
    canceled = await account.api.post(created["urls"]["cancel"])

    assert (seen.json()["id"], seen.json()["output"]) == (created["id"], None)
    assert canceled.json()["status"] == "canceled"
    assert (await show(account, created))["status"] == "canceled"


async def test_a_canceled_training_makes_no_version(account: InProcess) -> None:
    created = await train(account)
    await account.pass_time(2)
    reply = await account.api.post(f"/v1/trainings/{created['id']}/cancel")
    done = await ended(account, created)

    assert reply.json()["status"] == done["status"] == "canceled"
    assert (await account.api.get("/v1/models/acme/faces")).json()["latest_version"] is None


async def test_orders_fail_and_slow_trainings_only(account: InProcess) -> None:
    error = "Failed to create trained image after successful training run."
    await account.order(
        fail_trainings={"count": 1, "error": error},
        slow_trainings={"count": 1, "queue_s": 30, "predict_s": 100},
    )
    created = await train(account)
    await account.pass_time(29)
    assert (await show(account, created))["status"] == "starting"
    await account.pass_time(2)
    await account.pass_time(45)
    assert (await show(account, created))["status"] == "processing"
    await account.pass_time(10)
    done = await show(account, created)

    assert (done["status"], done["error"]) == ("failed", error)
    assert "output" not in done
    assert (await ended(account, await train(account)))["status"] == "succeeded"


async def test_a_zip_that_cannot_be_fetched_fails_it(account: InProcess) -> None:
    done = await ended(account, await train(account, {"input_images": "https://files.example.com/gone.zip"}))

    assert (done["status"], done["error"]) == ("failed", "Failed to download an input file: HTTP 404")


async def test_a_destination_deleted_meanwhile_fails_it(account: InProcess) -> None:
    created = await train(account)
    assert (await account.api.delete("/v1/models/acme/faces")).status_code == 204

    assert (await ended(account, created))["status"] == "failed"


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"destination": "acme/nothing"}, 404, "The specified training destination does not exist"),
        ({"destination": "black-forest-labs/flux-dev"}, 404, "The specified training destination"),
        ({"input": {}}, 422, "- input: input_images is required"),
        ({"input": {"input_images": ZIP_URL, "steps": 2}}, 422, "greater than or equal to 3"),
        ({"input": {"input_images": ZIP_URL, "optimizer": "sgd"}}, 422, "must be one of the following"),
        ({"input": {"input_images": "photos.zip"}}, 422, "Does not match format 'uri'"),
        ({"input": 7}, 422, "Invalid type"),
        ({"webhook": "http://example.com"}, 422, "webhook"),
        ({"webhook_events_filter": ["end"]}, 422, "webhook_events_filter"),
    ],
)
async def test_what_cannot_be_trained_is_refused(
    account: InProcess, change: dict[str, Any], status: int, detail: str
) -> None:
    body = {"destination": "acme/faces", "input": {"input_images": ZIP_URL}} | change
    reply = await account.api.post(await path_of(account), json=body)

    assert reply.status_code == status
    assert detail in reply.json()["detail"]
    assert (await account.counters())["trainings"] == 0


async def test_only_a_trainer_trains(account: InProcess) -> None:
    body = {"destination": "acme/faces", "input": {"input_images": ZIP_URL}}
    path = await path_of(account, "black-forest-labs/flux-dev")
    unknown = f"/v1/models/{OSTRIS}/versions/{'0' * 64}/trainings"

    assert (await account.api.post(path, json=body)).status_code == 422
    assert (await account.api.post(unknown, json=body)).status_code == 404


async def test_a_list_is_by_the_hundred_newest_first_without_logs(account: InProcess) -> None:
    created = [(await train(account))["id"] for _ in range(101)]
    first = (await account.api.get("/v1/trainings")).json()
    second = (await account.api.get(first["next"])).json()

    assert [row["id"] for row in first["results"] + second["results"]] == created[::-1]
    assert "logs" not in first["results"][0]


async def test_the_oldest_that_are_over_are_dropped_beyond_a_bound(
    account: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainings, "KEPT_TRAININGS", 1)
    over = await train(account)
    await account.api.post(f"/v1/trainings/{over['id']}/cancel")
    running = [await train(account) for _ in range(2)]

    assert (await account.api.get(f"/v1/trainings/{over['id']}")).status_code == 404
    assert [(await show(account, training))["status"] for training in running] == ["starting", "starting"]


async def test_the_schema_tells_what_a_training_takes(account: InProcess) -> None:
    model = (await account.api.get(f"/v1/models/{OSTRIS}")).json()
    schemas = model["latest_version"]["openapi_schema"]["components"]["schemas"]

    assert schemas["TrainingInput"]["required"] == ["input_images"]
    assert schemas["TrainingInput"]["properties"]["steps"]["maximum"] == 6000
    assert "adamw8bit" in schemas["optimizer"]["enum"]


@pytest.mark.parametrize("path", ["/v1/trainings/nobody", "/v1/trainings/nobody/cancel"])
async def test_an_unknown_training_is_not_found(replicate: InProcess, path: str) -> None:
    reply = await (replicate.api.post(path) if path.endswith("cancel") else replicate.api.get(path))
    assert reply.status_code == 404


async def test_a_deleted_version_goes_after_a_while_with_all_it_made(account: InProcess) -> None:
    trained = await ended(account, await train(account))
    version = trained["output"]["version"].partition(":")[2]
    done = await account.finished(trained["output"]["version"], {"prompt": "TOK"})
    path = f"/v1/models/acme/faces/versions/{version}"
    reply = await account.api.delete(path)
    assert (reply.status_code, (await account.api.get(path)).status_code) == (202, 200)

    await account.pass_time(61)

    assert (await account.api.get(path)).status_code == 404
    assert (await account.api.get(f"/v1/predictions/{done['id']}")).status_code == 404
    assert (await account.api.get(done["output"][0])).status_code == 404
    assert (await account.api.get(trained["output"]["weights"])).status_code == 404
    assert (await account.api.delete("/v1/models/acme/faces")).status_code == 204


async def test_a_training_whose_create_was_never_answered_is_found_by_its_photos(account: InProcess) -> None:
    await account.order(drop_connection={"count": 1, "scope": "trainings"})
    with pytest.raises(ConnectionDropped):
        await train(account)
    (row,) = (await account.api.get("/v1/trainings")).json()["results"]

    assert row["input"]["input_images"] == ZIP_URL
    assert (await ended(account, row))["status"] == "succeeded"


async def test_a_model_with_versions_cannot_be_deleted(account: InProcess) -> None:
    trained = await ended(account, await train(account))
    refused = await account.api.delete("/v1/models/acme/faces")

    assert refused.status_code == 422
    assert (await account.api.get("/v1/models/acme/faces")).json()["latest_version"] is not None
    assert (await account.api.get(trained["output"]["weights"])).status_code == 200


async def test_a_retraining_adds_a_version_and_leaves_the_first_usable(account: InProcess) -> None:
    first, second = await version_of(account), await version_of(account)
    listed = (await account.api.get("/v1/models/acme/faces/versions")).json()["results"]

    assert [f"acme/faces:{row['id']}" for row in listed] == [second, first]
    assert (await account.finished(first, {"prompt": "TOK"}))["status"] == "succeeded"
