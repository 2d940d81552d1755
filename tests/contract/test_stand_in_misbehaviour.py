"""The stand-in misbehaving on order: webhooks, predictions, answers, output files."""

from __future__ import annotations

import asyncio
import gzip
from datetime import datetime
from typing import Any

import httpx
import pytest

from local.replicate.spoiling import BOMB_BYTES, ConnectionDropped
from tests.contract.replicate_stand_in import TOKEN, WEBHOOK, InProcess

FLUX_DEV = "black-forest-labs/flux-dev"
SCHNELL = "black-forest-labs/flux-schnell"
BOTH_ENDS: dict[str, Any] = {"webhook": WEBHOOK, "webhook_events_filter": ["start", "completed"]}


@pytest.mark.anyio
async def test_a_delayed_webhook_tells_what_was_true_when_it_arose(replicate: InProcess) -> None:
    await replicate.order(delay_webhooks={"count": 1, "seconds": 120})
    await replicate.create(**BOTH_ENDS)
    await replicate.pass_time(60)
    assert replicate.network.statuses == ["succeeded"]

    await replicate.pass_time(61)
    assert replicate.network.statuses == ["succeeded", "processing"]


@pytest.mark.anyio
async def test_a_reordered_webhook_comes_after_the_next_of_its_job(replicate: InProcess) -> None:
    await replicate.order(reorder_webhooks="all")
    await replicate.create(**BOTH_ENDS)
    await replicate.pass_time(60)
    assert replicate.network.statuses == ["succeeded", "processing"]


@pytest.mark.anyio
async def test_a_reordered_webhook_that_nothing_overtakes_comes_all_the_same(replicate: InProcess) -> None:
    await replicate.order(reorder_webhooks=1)
    await replicate.create(webhook=WEBHOOK, webhook_events_filter=["completed"])
    await replicate.pass_time(2)
    assert replicate.network.statuses == []

    await replicate.pass_time(6)
    assert replicate.network.statuses == ["succeeded"]


@pytest.mark.anyio
async def test_an_aborted_prediction_never_starts_and_tells_nobody(replicate: InProcess) -> None:
    await replicate.order(abort_predictions=1)
    created = await replicate.create(**BOTH_ENDS)
    await replicate.pass_time(60)
    found = await replicate.get(created)

    assert (found["status"], "started_at" in found) == ("aborted", False)
    assert replicate.network.requests == []
    assert (await replicate.finished(SCHNELL, {"prompt": ""}))["status"] == "succeeded"


@pytest.mark.anyio
@pytest.mark.parametrize(("images", "expected"), [(0, 0), (1, 1), (9, 3)])
async def test_fewer_images_are_delivered_without_an_error(
    replicate: InProcess, images: int, expected: int
) -> None:
    await replicate.order(fewer_images={"count": 1, "images": images})
    done = await replicate.finished(FLUX_DEV, {"prompt": "a fox", "num_outputs": 3})

    assert (done["status"], done["error"], len(done["output"])) == ("succeeded", None, expected)
    assert done["logs"].count("NSFW content detected in image") == 3 - expected


@pytest.mark.anyio
async def test_odd_fields_are_in_replies_and_webhooks_alike(replicate: InProcess) -> None:
    # Held against no schema: it is what the document does not have.
    replicate.api.event_hooks = {}
    await replicate.order(odd_fields={"count": 1}, fail_predictions={"count": 1, "error": "CUDA"})
    created = await replicate.create(**BOTH_ENDS)
    await replicate.pass_time(60)
    found = await replicate.get(created)
    (row,) = (await replicate.api.get("/v1/predictions")).json()["results"]

    assert found == replicate.network.bodies[-1]
    assert found["error"] == row["error"] == {"detail": "CUDA", "code": 500}
    assert (found["logs"], found["metrics"], found["data_removed"]) == (None, None, None)
    assert found["hardware"] == created["hardware"] == "gpu-h100"
    assert len(found["created_at"].partition(".")[2]) == len("123456789Z")


@pytest.mark.anyio
async def test_odd_fields_can_be_chosen(replicate: InProcess) -> None:
    replicate.api.event_hooks = {}
    await replicate.order(odd_fields={"count": 2, "fields": ["precision"]})
    done = await replicate.finished(SCHNELL, {"prompt": ""})

    assert done["completed_at"].endswith("+00:00")
    assert "." not in done["completed_at"]
    assert datetime.fromisoformat(done["completed_at"]).tzinfo is not None
    assert (done["error"], "hardware" in done) == (None, False)


CREATE = {"version": SCHNELL, "input": {"prompt": "a lighthouse"}}


@pytest.mark.anyio
async def test_a_late_answer_tells_of_what_was_done_at_once(replicate: InProcess) -> None:
    await replicate.order(answer_late={"count": 1, "seconds": 40})
    asked = asyncio.create_task(replicate.api.post("/v1/predictions", json=CREATE))
    while (await replicate.counters())["creates"] == 0:
        await asyncio.sleep(0)
    await replicate.pass_time(39)
    await asyncio.sleep(0)
    assert not asked.done()

    await replicate.pass_time(2)
    assert (await asked).status_code == 201


@pytest.mark.anyio
async def test_a_reset_answers_what_was_held_back(replicate: InProcess) -> None:
    await replicate.order(answer_late={"count": 1, "seconds": 40})
    asked = asyncio.create_task(replicate.api.post("/v1/predictions", json=CREATE))
    while (await replicate.counters())["creates"] == 0:
        await asyncio.sleep(0)
    await replicate.order(reset=True)

    assert (await asked).status_code == 201


@pytest.mark.anyio
@pytest.mark.parametrize(("when", "creates"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize(("status", "kind"), [(500, "application/problem+json"), (502, "text/html")])
async def test_an_answer_is_an_error_before_or_after_it_was_done(
    replicate: InProcess, when: str, creates: int, status: int, kind: str
) -> None:
    replicate.api.event_hooks = {}
    await replicate.order(answer_error={"count": 1, "status": status, "when": when})
    await replicate.api.get("/v1/predictions")  # of another kind
    reply = await replicate.api.post("/v1/predictions", json=CREATE)

    assert (reply.status_code, reply.headers["content-type"].partition(";")[0]) == (status, kind)
    assert (await replicate.counters())["creates"] == creates
    assert (await replicate.api.post("/v1/predictions", json=CREATE)).status_code == 201


@pytest.mark.anyio
async def test_a_scope_says_which_requests(replicate: InProcess) -> None:
    replicate.api.event_hooks = {}
    await replicate.order(
        answer_error={"count": 1, "status": 503, "scope": "all"}, throttle={"count": 1, "scope": "trainings"}
    )
    path = f"/v1/models/{SCHNELL}/versions/0/trainings"

    assert (await replicate.api.get("/v1/account")).status_code == 503
    assert (await replicate.api.post("/v1/predictions", json=CREATE)).status_code == 201
    assert [(await replicate.api.post(path, json={})).status_code for _ in range(2)] == [429, 404]


@pytest.mark.anyio
@pytest.mark.parametrize(("when", "creates"), [("before", 0), ("after", 1)])
async def test_a_connection_is_dropped_before_or_after_it_was_done(
    replicate: InProcess, when: str, creates: int
) -> None:
    await replicate.order(drop_connection={"count": 1, "when": when})
    with pytest.raises(ConnectionDropped):
        await replicate.api.post("/v1/predictions", json=CREATE)

    assert (await replicate.counters())["creates"] == creates


@pytest.mark.anyio
@pytest.mark.parametrize(
    "orders",
    [
        {"delay_webhooks": 1},
        {"delay_webhooks": {"count": 1}},
        {"reorder_webhooks": {"count": 1}},
        {"fewer_images": {"count": 1, "images": -1}},
        {"fewer_images": {"count": 1, "images": True}},
        {"odd_fields": {"count": 1, "fields": []}},
        {"odd_fields": {"count": 1, "fields": ["spelling"]}},
        {"answer_late": {"count": 1, "seconds": 1, "scope": "some"}},
        {"answer_error": {"count": 1, "status": 404}},
        {"answer_error": {"count": 1, "status": 500, "when": "never"}},
        {"drop_connection": {"count": 1, "until": 3}},
        {"spoil_outputs": {"count": 1, "how": "painted"}},
        {"spoil_outputs": {"count": 1, "how": "redirect", "location": 7}},
        {"fail_trainings": {"count": "some", "error": None}},
    ],
)
async def test_an_order_that_cannot_be_read_is_refused(replicate: InProcess, orders: Any) -> None:
    before = (await replicate.api.get("/_control")).json()
    assert (await replicate.api.post("/_control", json=orders)).status_code == 422
    assert (await replicate.api.get("/_control")).json() == before


# Over real sockets: what an answer in one process cannot show


@pytest.fixture
def output(replicate_server: str) -> str:
    """The URL of an image that is there."""
    made = httpx.post(
        f"{replicate_server}/v1/predictions",
        json={"version": SCHNELL, "input": {"prompt": "a lighthouse", "megapixels": "0.25"}},
        headers={"Authorization": f"Bearer {TOKEN}", "Prefer": "wait"},
    )
    url: str = made.json()["output"][0]
    return url


def order(origin: str, **orders: Any) -> None:
    httpx.post(f"{origin}/_control", json=orders).raise_for_status()


def spoil(origin: str, how: str, **more: Any) -> None:
    order(origin, spoil_outputs={"count": 1, "how": how, **more})


def test_a_dropped_create_was_done_and_its_answer_is_lost(replicate_server: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}

    def creates() -> int:
        counters = httpx.get(f"{replicate_server}/_control").json()["counters"]
        return int(counters["creates"])

    before = creates()
    order(replicate_server, drop_connection={"count": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{replicate_server}/v1/predictions", json=CREATE, headers=headers)

    assert creates() == before + 1


def test_a_truncated_output_announces_more_than_it_sends(replicate_server: str, output: str) -> None:
    whole = httpx.get(output).content
    spoil(replicate_server, "truncated")
    with httpx.stream("GET", output) as reply:
        received: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError):
            received.extend(reply.iter_raw())

    assert int(reply.headers["content-length"]) == len(whole) > sum(map(len, received))
    assert httpx.get(output).content == whole, "one was ordered"


def test_a_wrong_typed_output_is_a_web_page(replicate_server: str, output: str) -> None:
    spoil(replicate_server, "wrong_type")
    reply = httpx.get(output)

    assert (reply.status_code, reply.text[:15]) == (200, "<!doctype html>")


def test_a_redirecting_output_leads_where_nobody_should_go(replicate_server: str, output: str) -> None:
    spoil(replicate_server, "redirect")
    assert httpx.get(output).headers["location"] == "http://169.254.169.254/latest/meta-data/"
    spoil(replicate_server, "redirect", location="https://elsewhere.example.com/")
    assert httpx.get(output).headers["location"] == "https://elsewhere.example.com/"


@pytest.mark.parametrize("how", ["drip", "endless"])
def test_a_dripping_or_endless_output_announces_no_end(replicate_server: str, output: str, how: str) -> None:
    spoil(replicate_server, how)
    with httpx.stream("GET", output) as reply:
        assert "content-length" not in reply.headers
        received = 0
        for chunk in reply.iter_raw():
            received += len(chunk)
            if how == "drip" or received > 10_000_000:
                break

    assert received == 1 if how == "drip" else received > 10_000_000


def test_a_gzip_bomb_is_small_on_the_wire(replicate_server: str, output: str) -> None:
    spoil(replicate_server, "gzip_bomb")
    with httpx.stream("GET", output) as reply:
        packed = b"".join(reply.iter_raw())

    assert reply.headers["content-encoding"] == "gzip"
    assert len(packed) * 500 < BOMB_BYTES == len(gzip.decompress(packed))


@pytest.mark.parametrize(("how", "status"), [("gone", 404), ("unavailable", 503)])
def test_an_output_is_not_served(replicate_server: str, output: str, how: str, status: int) -> None:
    spoil(replicate_server, how)
    assert httpx.get(output).status_code == status
    assert httpx.get(output).status_code == 200
