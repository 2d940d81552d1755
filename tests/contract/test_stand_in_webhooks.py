"""The stand-in's webhooks: when they are sent, what they carry, how they are signed and retried."""

import base64
import hashlib
import hmac
from datetime import datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest

from local.replicate.webhooks import new_secret, sign
from tests.contract.replicate_openapi import check_reply
from tests.contract.replicate_stand_in import SECRET, WEBHOOK, InProcess

pytestmark = pytest.mark.anyio

FLUX_DEV = "black-forest-labs/flux-dev"


async def _create(replicate: InProcess, *events: str, **fields: Any) -> dict[str, Any]:
    if events:
        fields["webhook_events_filter"] = list(events)
    return await replicate.create(FLUX_DEV, webhook=WEBHOOK, **fields)


async def test_the_published_vector_is_signed_as_published() -> None:
    signature = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_new_secret_is_of_the_documented_form() -> None:
    assert len(base64.b64decode(new_secret().removeprefix("whsec_"), validate=True)) == 24
    assert new_secret() != new_secret()


async def test_a_webhook_is_signed_over_id_time_and_body(replicate: InProcess) -> None:
    await _create(replicate, "completed")
    await replicate.pass_time(60)
    (request,) = replicate.network.requests

    signed = (
        f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.content
    )
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert int(request.headers["webhook-timestamp"]) == int(replicate.time.now_s)
    assert request.headers["content-type"] == "application/json"
    assert str(request.url) == WEBHOOK


async def test_the_body_is_the_prediction_as_get_shows_it(replicate: InProcess) -> None:
    created = await _create(replicate, "start", "output", "logs", "completed")
    await replicate.pass_time(60)

    assert replicate.network.bodies[-1] == await replicate.get(created)
    for body in replicate.network.bodies:
        check_reply("GET", f"/v1/predictions/{created['id']}", 200, body)


async def test_without_a_filter_outputs_and_the_end_are_told(replicate: InProcess) -> None:
    await _create(replicate)
    await replicate.pass_time(60)

    assert replicate.network.statuses == ["processing", "succeeded"]
    assert all(body["output"] for body in replicate.network.bodies)


async def test_the_filter_decides(replicate: InProcess) -> None:
    await _create(replicate, "start", "completed")
    await replicate.pass_time(60)
    start, completed = replicate.network.bodies

    assert (start["status"], start["output"], start["logs"]) == ("processing", None, "")
    assert "started_at" in start
    assert completed["status"] == "succeeded"


async def test_logs_and_outputs_are_told_at_most_every_half_second(replicate: InProcess) -> None:
    await _create(replicate, "output", "logs", input={"prompt": "a lighthouse", "num_outputs": 4})
    for _ in range(300):
        await replicate.pass_time(0.01)
    logs = [body["logs"] for body in replicate.network.bodies]

    assert 2 <= len(logs) <= 4, "a run of 1.1 seconds"
    assert len(set(logs)) == len(logs)


async def test_start_and_end_are_told_however_close(replicate: InProcess) -> None:
    await replicate.order(slow_predictions={"count": 1, "queue_s": 0, "predict_s": 0.01})
    await _create(replicate, "start", "output", "completed")
    await replicate.pass_time(60)

    assert replicate.network.statuses == ["processing", "processing", "succeeded"]


@pytest.mark.parametrize("end", ["failed", "canceled"])
async def test_other_ends_are_told_too(replicate: InProcess, end: str) -> None:
    await replicate.order(fail_predictions={"count": 1, "error": "CUDA out of memory."})
    created = await _create(replicate, "completed")
    if end == "canceled":
        await replicate.api.post(f"/v1/predictions/{created['id']}/cancel")
    await replicate.pass_time(60)

    assert replicate.network.statuses == [end]


async def test_an_aborted_prediction_is_not_told(replicate: InProcess) -> None:
    await replicate.order(slow_predictions={"count": 1, "queue_s": 100, "predict_s": 1})
    created = await _create(replicate, "start", "completed", headers={"Cancel-After": "5s"})
    await replicate.pass_time(200)

    assert (await replicate.get(created))["status"] == "aborted"
    assert replicate.network.requests == []


@pytest.mark.parametrize("answer", [500, 503, 404, 400, httpx.ConnectError, httpx.ReadTimeout])
async def test_the_end_is_told_again_until_it_arrives(
    replicate: InProcess, answer: int | type[httpx.TransportError]
) -> None:
    replicate.network.answers = [answer, answer, answer]
    await _create(replicate, "completed")
    await replicate.pass_time(1)
    await replicate.pass_time(1)
    await replicate.pass_time(2)
    await replicate.pass_time(4)
    await replicate.pass_time(600)
    requests = replicate.network.requests

    assert len(requests) == 4
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    assert len({request.content for request in requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in requests}) == 4
    assert len({request.headers["webhook-signature"] for request in requests}) == 4
    counters = await replicate.counters()
    assert (counters["webhooks_sent"], counters["webhooks_failed"]) == (1, 3)


async def test_retries_back_off_and_end_about_a_minute_after_completion(replicate: InProcess) -> None:
    replicate.network.answers = [500] * 100
    created = await _create(replicate, "completed")
    for _ in range(900):
        await replicate.pass_time(0.1)
    completed = datetime.fromisoformat((await replicate.get(created))["completed_at"]).timestamp()
    delays = [int(r.headers["webhook-timestamp"]) - int(completed) for r in replicate.network.requests]

    gaps = [later - earlier for earlier, later in pairwise(delays)]
    assert all(later > earlier for earlier, later in pairwise(gaps))
    assert delays[0] == 0
    assert 55 <= delays[-1] <= 70


async def test_an_outage_longer_than_a_minute_loses_the_event_for_good(replicate: InProcess) -> None:
    replicate.network.answers = [httpx.ConnectError] * 7
    await _create(replicate, "completed")
    await replicate.pass_time(70)
    sent = len(replicate.network.requests)
    await replicate.pass_time(4000)

    assert sent == len(replicate.network.requests) == 7


async def test_what_is_not_the_end_is_never_told_again(replicate: InProcess) -> None:
    replicate.network.answers = [500, 500]
    await _create(replicate, "start", "output")
    await replicate.pass_time(600)

    assert len(replicate.network.requests) == 2


async def test_a_redirect_is_neither_followed_nor_retried(replicate: InProcess) -> None:
    replicate.network.answers = [307]
    await _create(replicate, "completed")
    await replicate.pass_time(600)

    assert [str(request.url) for request in replicate.network.requests] == [WEBHOOK]
    assert (await replicate.counters())["webhooks_failed"] == 1


async def test_names_under_localhost_are_this_machine_and_keep_their_host(replicate: InProcess) -> None:
    await replicate.create(
        webhook="http://abc.execute-api.localhost:4566/hook?x=1", webhook_events_filter=["start"]
    )
    await replicate.pass_time(60)
    (request,) = replicate.network.requests

    assert str(request.url) == "http://127.0.0.1:4566/hook?x=1"
    assert request.headers["host"] == "abc.execute-api.localhost:4566"


async def test_lost_webhooks_are_lost_for_good(replicate: InProcess) -> None:
    await replicate.order(lose_webhooks=1)
    await _create(replicate, "start", "completed")
    await replicate.pass_time(600)

    assert replicate.network.statuses == ["succeeded"]
    assert (await replicate.counters())["webhooks_lost"] == 1


async def test_all_webhooks_can_be_lost_until_told_otherwise(replicate: InProcess) -> None:
    await replicate.order(lose_webhooks="all")
    for _ in range(3):
        await _create(replicate, "start", "completed")
    await replicate.pass_time(600)
    assert replicate.network.requests == []
    await replicate.order(lose_webhooks=0)
    await _create(replicate, "completed")
    await replicate.pass_time(60)

    assert replicate.network.statuses == ["succeeded"]


async def test_doubled_webhooks_are_the_same_message_twice(replicate: InProcess) -> None:
    await replicate.order(double_webhooks=1)
    await _create(replicate, "completed")
    await replicate.pass_time(60)
    first, second = replicate.network.requests

    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.content == second.content
