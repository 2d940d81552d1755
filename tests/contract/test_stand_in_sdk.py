"""Replicate's official Python SDK works against the stand-in unchanged, over real sockets."""

import contextlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import Any

import httpx
import pytest
from PIL import Image
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError
from replicate.pagination import paginate
from replicate.webhook import InvalidSignatureError, WebhookSigningSecret

from tests.contract.photo_zips import photo_zip
from tests.contract.replicate_stand_in import SECRET, TOKEN, server

FLUX_DEV = "black-forest-labs/flux-dev"
SCHNELL = "black-forest-labs/flux-schnell"
SDXL = "stability-ai/sdxl:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"

LLAMA_GUARD = "meta/llama-guard-3-8b:146d1220d447cdcc639bc17c5f6137416042abee6ae153a2615e6ef5749205c8"


@pytest.fixture
def sdk(replicate_server: str) -> Iterator[Client]:
    client = Client(api_token=TOKEN, base_url=replicate_server)
    client.poll_interval = 0.02
    yield client
    client._client.close()


def _order(origin: str, **orders: Any) -> None:
    httpx.post(f"{origin}/_control", json=orders).raise_for_status()


@contextlib.contextmanager
def _receiver() -> Iterator[tuple[int, "Queue[tuple[dict[str, str], str]]"]]:
    """The port of a webhook receiver on this machine, and what it received."""
    received: Queue[tuple[dict[str, str], str]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            received.put((dict(self.headers), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    receiver = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=receiver.serve_forever)
    thread.start()
    try:
        yield receiver.server_port, received
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()


def test_create_wait_and_get(sdk: Client) -> None:
    prediction = sdk.predictions.create(version=FLUX_DEV, input={"prompt": "a lighthouse", "num_outputs": 2})
    prediction.wait()
    assert prediction.status == "succeeded"
    assert prediction.progress is not None
    assert (prediction.progress.current, prediction.progress.total) == (28, 28)
    urls: list[str] = prediction.output or []
    assert len(urls) == 2
    assert sdk.predictions.get(prediction.id).output == urls
    image = Image.open(io.BytesIO(httpx.get(urls[0]).content))
    assert (image.format, image.size) == ("WEBP", (1024, 1024))


def test_run_in_sync_mode_returns_the_files(sdk: Client) -> None:
    for model in (SCHNELL, SDXL):
        (url,) = sdk.run(model, input={"prompt": "a lighthouse"})
        assert Image.open(io.BytesIO(httpx.get(url).content)).size == (1024, 1024)


def test_run_returns_the_text_of_a_model_that_puts_out_one(sdk: Client) -> None:
    assert sdk.run(LLAMA_GUARD, input={"prompt": "a lighthouse #unsafe:S1,S10"}) == "unsafe\nS1,S10"


def test_run_without_sync_mode_polls(sdk: Client) -> None:
    (url,) = sdk.run(SCHNELL, input={"prompt": "a lighthouse"}, wait=False)
    assert url.endswith("/out-0.webp")


def test_an_official_model_by_name(sdk: Client) -> None:
    prediction = sdk.models.predictions.create(SCHNELL, input={"prompt": "a lighthouse"})
    prediction.wait()
    assert prediction.status == "succeeded"


def test_cancel(sdk: Client, replicate_server: str) -> None:
    _order(replicate_server, slow_predictions={"count": 1, "queue_s": 0, "predict_s": 1000})
    prediction = sdk.predictions.create(version=FLUX_DEV, input={"prompt": "a lighthouse"})
    prediction.cancel()
    assert prediction.status == "canceled"


def test_a_failed_run_raises_its_error(sdk: Client, replicate_server: str) -> None:
    _order(replicate_server, fail_predictions={"count": 1, "error": "CUDA out of memory."})
    with pytest.raises(ModelError) as caught:
        sdk.run(SCHNELL, input={"prompt": "a lighthouse"})
    assert caught.value.prediction.error == "CUDA out of memory."


def test_pages() -> None:
    with server() as origin:
        sdk = Client(api_token=TOKEN, base_url=origin)
        created = [sdk.predictions.create(version=SCHNELL, input={"prompt": ""}).id for _ in range(120)]
        first = sdk.predictions.list()
        assert first.next is not None
        second = sdk.predictions.list(first.next)
        everything = [row.id for page in paginate(sdk.predictions.list) for row in page]
        sdk._client.close()

    assert [row.id for row in (*first, *second)] == everything == created[::-1]


def test_models_versions_hardware_and_account(sdk: Client) -> None:
    model = sdk.models.get(FLUX_DEV)
    assert model.latest_version is not None
    assert "prompt" in model.latest_version.openapi_schema["components"]["schemas"]["Input"]["required"]
    assert model.versions.list()[0] == model.versions.get(model.latest_version.id)
    assert "gpu-h100" in {row.sku for row in sdk.hardware.list()}
    assert sdk.accounts.current().username


def test_collections(sdk: Client) -> None:
    collection = sdk.collections.get(sdk.collections.list()[0].slug)
    assert FLUX_DEV in {model.id for model in collection}


def test_a_model_is_created_found_trained_run_and_deleted(sdk: Client, replicate_server: str) -> None:
    model = sdk.models.create("acme", "faces", visibility="private", hardware="gpu-t4")
    assert model.id in {row.id for page in paginate(sdk.models.list) for row in page}
    assert [row.id for row in sdk.models.search("sdxl")] == ["stability-ai/sdxl"]
    trainer = sdk.models.get("ostris/flux-dev-lora-trainer").latest_version
    assert trainer is not None
    with io.BytesIO(photo_zip()) as photos:
        training = sdk.trainings.create(
            version=f"ostris/flux-dev-lora-trainer:{trainer.id}",
            input={"input_images": sdk.files.create(photos, filename="a.zip").urls["get"]},
            destination=model.id,
        )
    for _ in range(2):  # the zip is fetched in between
        _order(replicate_server, advance_s=60)
    training.reload()
    assert training.status == "succeeded"
    assert training.id in {row.id for row in sdk.trainings.list()}
    version = (training.output or {})["version"]
    (url,) = sdk.run(version, input={"prompt": "TOK at the sea"})
    assert Image.open(io.BytesIO(httpx.get(url).content)).size == (1024, 1024)
    # Its return value tells 204 from all else, and the document says 202.
    sdk.models.get(model.id).versions.delete(version.partition(":")[2])
    _order(replicate_server, advance_s=120)
    assert sdk.models.delete(model.id)


def test_a_training_is_canceled(sdk: Client, replicate_server: str) -> None:
    _order(replicate_server, slow_trainings={"count": 1, "queue_s": 10_000, "predict_s": 1})
    destination = sdk.models.create("acme", "canceled", visibility="private", hardware="gpu-t4")
    trainer = sdk.models.get("replicate/fast-flux-trainer").versions.list()[0]
    training = sdk.trainings.create(
        model="replicate/fast-flux-trainer",
        version=trainer.id,
        input={"input_images": "https://files.example.com/a.zip"},
        destination=destination.id,
    )
    training.cancel()
    assert training.status == "canceled"


def test_files(sdk: Client) -> None:
    with io.BytesIO(b"hello") as content:
        file = sdk.files.create(content, filename="a.txt", content_type="text/plain", metadata={"n": 1})
    assert (file.name, file.content_type, file.size) == ("a.txt", "text/plain", 5)
    assert file.metadata == {"n": 1}
    assert sdk.files.get(file.id) == file
    assert file in sdk.files.list()
    assert sdk.files.delete(file.id)
    with pytest.raises(ReplicateError) as gone:
        sdk.files.get(file.id)
    assert gone.value.status == 404


def test_a_local_file_as_an_input_is_uploaded_by_the_sdk(sdk: Client) -> None:
    (url,) = sdk.run(SCHNELL, input={"prompt": "a lighthouse", "output_format": "png"})
    with io.BytesIO(httpx.get(url).content) as image:
        (again,) = sdk.run(FLUX_DEV, input={"prompt": "a storm", "image": image})
    assert Image.open(io.BytesIO(httpx.get(again).content)).size == (1024, 1024)


def test_deployments(sdk: Client, replicate_server: str) -> None:
    model, _, version = SDXL.partition(":")
    made = sdk.deployments.create(
        name="fast", model=model, version=version, hardware="gpu-l40s", min_instances=0, max_instances=1
    )
    assert made.id in {row.id for row in sdk.deployments.list()}
    changed = sdk.deployments.update(made.owner, made.name, max_instances=2)
    assert changed.current_release is not None
    assert changed.current_release.number == 2
    prediction = sdk.deployments.get(made.id).predictions.create(input={"prompt": "a lighthouse"})
    prediction.wait()
    assert prediction.status == "succeeded"
    _order(replicate_server, advance_s=1000)
    assert sdk.deployments.delete(made.owner, made.name)


def test_webhooks_validate(sdk: Client) -> None:
    secret = sdk.webhooks.default.secret()
    assert secret.key == SECRET
    with _receiver() as (port, received):
        prediction = sdk.predictions.create(
            version=SCHNELL,
            input={"prompt": "a lighthouse"},
            webhook=f"http://api.localhost:{port}/hook?id=1",
            webhook_events_filter=["completed"],
        )
        headers, body = received.get(timeout=30)

    assert prediction.id in body
    assert headers["host" if "host" in headers else "Host"] == f"api.localhost:{port}"
    sdk.webhooks.validate(headers=headers, body=body, secret=secret)
    with pytest.raises(InvalidSignatureError):
        sdk.webhooks.validate(headers=headers, body=body + " ", secret=secret)
    with pytest.raises(InvalidSignatureError):
        sdk.webhooks.validate(headers=headers, body=body, secret=WebhookSigningSecret(key="whsec_AAAA"))


def test_errors_arrive_as_the_sdk_knows_them(replicate_server: str, sdk: Client) -> None:
    with pytest.raises(ReplicateError) as refused:
        sdk.predictions.create(version=SCHNELL, input={})
    assert (refused.value.status, refused.value.title) == (422, "Input validation failed")

    stranger = Client(api_token="r8_wrong", base_url=replicate_server)
    with pytest.raises(ReplicateError) as unauthenticated:
        stranger.accounts.current()
    stranger._client.close()
    assert (unauthenticated.value.status, unauthenticated.value.title) == (401, "Unauthenticated")
