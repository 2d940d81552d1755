"""What operations beside predictions send, what they repeat, and how odd an answer they bear."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from revela.adapters.replicate.account import account
from revela.adapters.replicate.client import ATTEMPTS, ReplicateClient
from revela.adapters.replicate.collections import Collections
from revela.adapters.replicate.deployments import Deployments
from revela.adapters.replicate.files import Files, download_url
from revela.adapters.replicate.hardware import hardware
from revela.adapters.replicate.models import Models
from revela.adapters.replicate.predictions import Predictions
from revela.adapters.replicate.search import search
from revela.adapters.replicate.trainings import Trainings
from revela.adapters.replicate.versions import Versions
from revela.domain.errors import ProviderNotFound, ProviderTransient
from revela.domain.prediction import PredictionStatus
from tests.unit.adapters.replicate_api import BASE_URL, NOT_JSON, TOKEN, Replicate, said

Call = Callable[[ReplicateClient], Any]
HASH = "a" * 64


@pytest.fixture
def replicate() -> Replicate:
    return Replicate()


def create_training(client: ReplicateClient) -> Any:
    return Trainings(client).create(
        owner="ostris",
        name="flux-dev-lora-trainer",
        version=HASH,
        destination="acme/faces",
        training_input={"trigger_word": "ANA"},
        webhook_url="https://api.revela.test/api/webhooks/training",
    )


def create_file(client: ReplicateClient) -> Any:
    return Files(client).create(io.BytesIO(b"photos"), filename="trn_1-1.zip", metadata={"n": 1})


def create_deployment(client: ReplicateClient) -> Any:
    return Deployments(client).create(
        name="fast", model="a/b", version=HASH, hardware="cpu", min_instances=0, max_instances=1
    )


ONCE: dict[str, Call] = {
    "training": create_training,
    "model": lambda c: Models(c).create(owner="acme", name="x", visibility="private", hardware="cpu"),
    "model update": lambda c: Models(c).update("acme", "x", description="y"),
    "deployment": create_deployment,
    "deployment update": lambda c: Deployments(c).update("acme", "x", max_instances=2),
    "deployed prediction": lambda c: Deployments(c).predict("acme", "x", model_input={}),
    "file": create_file,
}
READS: dict[str, Call] = {
    "training": lambda c: Trainings(c).get("t1"),
    "cancel": lambda c: Trainings(c).cancel("t1"),
    "trainings": lambda c: list(Trainings(c).pages()),
    "model": lambda c: Models(c).get("a", "b"),
    "models": lambda c: list(Models(c).pages()),
    "model search": lambda c: list(Models(c).search("faces")),
    "examples": lambda c: list(Models(c).examples("a", "b")),
    "version": lambda c: Versions(c).get("a", "b", HASH),
    "deployment": lambda c: Deployments(c).get("a", "b"),
    "file": lambda c: Files(c).get("f1"),
    "hardware": hardware,
    "collection": lambda c: Collections(c).get("flux"),
    "search": lambda c: search(c, "flux"),
}
DELETES: dict[str, Call] = {
    "model": lambda c: Models(c).delete("a", "b"),
    "version": lambda c: Versions(c).delete("a", "b", HASH),
    "deployment": lambda c: Deployments(c).delete("a", "b"),
    "file": lambda c: Files(c).delete("f1"),
}


@pytest.mark.parametrize("call", ONCE.values(), ids=ONCE.keys())
@pytest.mark.parametrize("failure", [said(503), said(502, NOT_JSON), httpx.ReadError("reset"), said(201, {})])
def test_what_creates_or_changes_is_sent_once(replicate: Replicate, call: Call, failure: Any) -> None:
    with pytest.raises(ProviderTransient):
        call(replicate.client(failure))

    assert len(replicate.requests) == 1
    assert replicate.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("call", READS.values(), ids=READS.keys())
@pytest.mark.parametrize("failure", [said(503), said(502, NOT_JSON), httpx.ReadError("reset")])
def test_what_only_reads_or_cancels_is_repeated(replicate: Replicate, call: Call, failure: Any) -> None:
    with pytest.raises(ProviderTransient):
        call(replicate.client(failure))

    assert len(replicate.requests) == ATTEMPTS


@pytest.mark.parametrize("call", DELETES.values(), ids=DELETES.keys())
def test_gone_at_the_second_try_was_deleted_at_the_first(replicate: Replicate, call: Call) -> None:
    call(replicate.client(httpx.ReadError("reset"), said(404, {"detail": "not found"})))

    assert [request.method for request in replicate.requests] == ["DELETE", "DELETE"]


@pytest.mark.parametrize("call", DELETES.values(), ids=DELETES.keys())
def test_gone_at_the_first_try_was_never_there(replicate: Replicate, call: Call) -> None:
    with pytest.raises(ProviderNotFound):
        call(replicate.client(said(404, {"detail": "not found"})))

    assert len(replicate.requests) == 1


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_deletion_needs_no_body(replicate: Replicate, status: int) -> None:
    Files(replicate.client(said(status, b""))).delete("f1")

    assert len(replicate.requests) == 1


def test_a_training_says_all_that_replicate_needs(replicate: Replicate) -> None:
    created = create_training(replicate.client(said(201, {"id": "t1", "status": "starting"})))

    (request,) = replicate.requests
    path = f"/models/ostris/flux-dev-lora-trainer/versions/{HASH}/trainings"
    assert str(request.url) == f"{BASE_URL}{path}"
    assert "cancel-after" not in request.headers
    assert replicate.bodies == [
        {
            "destination": "acme/faces",
            "input": {"trigger_word": "ANA"},
            "webhook": "https://api.revela.test/api/webhooks/training",
            "webhook_events_filter": ["start", "completed"],
        }
    ]
    assert (created.id, created.output) == ("t1", None)


def test_a_file_is_sent_as_a_form(replicate: Replicate) -> None:
    create_file(replicate.client(said(201, {"id": "f1", "urls": {"get": "https://api.replicate.com/f1"}})))

    (request,) = replicate.requests
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    body = request.content.decode()
    assert 'name="content"; filename="trn_1-1.zip"\r\nContent-Type: application/octet-stream' in body
    for name, value in (("filename", "trn_1-1.zip"), ("metadata", '{"n": 1}')):
        assert f'name="{name}"\r\n\r\n{value}\r\n' in body


def test_a_query_is_plain_text_by_a_method_of_its_own(replicate: Replicate) -> None:
    list(Models(replicate.client(said(200, {"results": []}))).search("faces é"))

    (request,) = replicate.requests
    assert (request.method, request.headers["content-type"]) == ("QUERY", "text/plain")
    assert request.content.decode() == "faces é"


def test_a_search_is_bounded_as_documented(replicate: Replicate) -> None:
    client = replicate.client(said(200, {}))
    for limit in (0, 7, 100):
        search(client, "a&b=c", limit=limit)

    assert [request.url.params["limit"] for request in replicate.requests] == ["1", "7", "50"]
    assert {request.url.params["query"] for request in replicate.requests} == {"a&b=c"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": None, "output": None, "error": None, "metrics": None, "logs": None, "urls": None},
        {"output": "https://replicate.delivery/weights.tar", "input": [], "created_at": "yesterday"},
        {"output": {"version": 7, "weights": None}, "error": {"code": 7}, "version": {"id": HASH}},
        {"output": [], "completed_at": 7, "metrics": {"predict_time": "long"}, "new": {"field": 1}},
    ],
)
def test_an_odd_training_is_read_all_the_same(replicate: Replicate, body: dict[str, Any]) -> None:
    client = replicate.client(said(200, {"id": "t1", "status": "succeeded"} | body))
    found = Trainings(client).get("t1")

    assert found.status is PredictionStatus.SUCCEEDED
    assert found.output is None or found.output.version is None
    assert (found.completed_at, found.predict_time_s) == (None, None)


def test_an_odd_model_is_read_all_the_same(replicate: Replicate) -> None:
    odd = {"owner": "a", "name": "b", "is_official": None, "run_count": "many", "description": 7}
    client = replicate.client(said(200, odd | {"latest_version": {}, "default_example": 7}))
    found = Models(client).get("a", "b")

    assert (found.is_official, found.run_count, found.latest_version) == (False, None, None)


def test_a_status_of_tomorrow_ends_nothing(replicate: Replicate) -> None:
    found = Trainings(replicate.client(said(200, {"id": "t1", "status": "queued"}))).get("t1")

    assert found.status is PredictionStatus.PROCESSING


def test_what_nobody_reads_is_kept_for_operators(replicate: Replicate) -> None:
    body = {"type": "user", "username": "ana", "github_url": "https://github.com/ana"}

    assert account(replicate.client(said(200, body))).model_dump()["github_url"] == body["github_url"]


@pytest.mark.parametrize("odd", ["..", "a/b", "a?b", "", " "])
def test_no_name_can_change_what_is_asked(replicate: Replicate, odd: str) -> None:
    client = replicate.client(said(200, {}))
    calls: list[Call] = [
        lambda c: Models(c).delete("acme", odd),
        lambda c: Versions(c).delete(odd, "b", HASH),
        lambda c: Deployments(c).predict(odd, "b", model_input={}),
        lambda c: Files(c).delete(odd),
        lambda c: Collections(c).get(odd),
        lambda c: Trainings(c).cancel(odd),
    ]
    for call in calls:
        with pytest.raises(ProviderNotFound):
            call(client)

    assert replicate.requests == []


def test_a_readme_is_text(replicate: Replicate) -> None:
    assert Models(replicate.client(said(200, "# Título\n".encode()))).readme("a", "b") == "# Título\n"


def test_a_deadline_is_told_only_where_there_is_one(replicate: Replicate) -> None:
    client = replicate.client(said(201, {"id": "p1", "status": "starting"}))
    Predictions(client).create(version="a/b", model_input={})
    Deployments(client).predict("a", "b", model_input={}, cancel_after_s=60)

    assert [request.headers.get("cancel-after") for request in replicate.requests] == [None, "60s"]


def test_a_download_url_is_signed_over_owner_id_and_expiry() -> None:
    # HMAC-SHA256 of "acme f1 1767268800" with the key "secret", reckoned by openssl.
    url = httpx.URL(
        download_url(
            f"{BASE_URL}/",
            "f1",
            owner="acme",
            expires_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
            signing_secret="secret",
        )
    )

    assert str(url.copy_with(query=None)) == f"{BASE_URL}/files/f1/download"
    assert (url.params["owner"], url.params["expiry"]) == ("acme", "1767268800")
    assert url.params["signature"] == "Rdj8/yAbP0FoJ+m7qcX1ynZHrOCfSLlsvEMmr3fBohY="
