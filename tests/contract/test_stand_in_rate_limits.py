"""The stand-in counts requests as Replicate does: 600 creates a minute, 3,000 of all else."""

import pytest

from tests.contract.replicate_stand_in import InProcess

pytestmark = pytest.mark.anyio

CREATE = {"version": "black-forest-labs/flux-schnell", "input": {"prompt": "a lighthouse"}}


async def test_replies_say_what_is_left(replicate: InProcess) -> None:
    create = await replicate.api.post("/v1/predictions", json=CREATE)
    get = await replicate.api.get(f"/v1/predictions/{create.json()['id']}")

    assert create.headers["ratelimit-remaining"] == "599"
    assert get.headers["ratelimit-remaining"] == "2999"
    assert create.headers["ratelimit-reset"] == get.headers["ratelimit-reset"] == "1"


async def test_refused_creates_count_too(replicate: InProcess) -> None:
    await replicate.api.post("/v1/predictions", json={})
    reply = await replicate.api.post("/v1/predictions", json=CREATE)

    assert reply.headers["ratelimit-remaining"] == "598"


async def test_the_601st_create_of_a_minute_is_throttled_as_recorded(replicate: InProcess) -> None:
    for _ in range(600):
        assert (await replicate.api.post("/v1/predictions", json=CREATE)).status_code == 201
    throttled = await replicate.api.post("/v1/predictions", json=CREATE)

    assert throttled.status_code == 429
    assert throttled.json() == {
        "detail": "Request was throttled. Your rate limit resets in ~1s.",
        "status": 429,
        "retry_after": 1,
    }
    assert throttled.headers["ratelimit-remaining"] == "0"
    assert "retry-after" not in throttled.headers
    assert (await replicate.api.get("/v1/predictions")).status_code == 200, "the other bucket is full"
    await replicate.pass_time(0.11)
    statuses = [(await replicate.api.post("/v1/predictions", json=CREATE)).status_code for _ in range(2)]
    assert statuses == [201, 429], "ten a second"
    counters = await replicate.counters()
    assert (counters["creates"], counters["throttled"]) == (601, 2)


async def test_other_requests_have_3000_a_minute(replicate: InProcess) -> None:
    statuses = [(await replicate.api.get("/v1/account")).status_code for _ in range(3001)]

    assert statuses == [200] * 3000 + [429]
    assert (await replicate.api.post("/v1/predictions", json=CREATE)).status_code == 201


async def test_requests_of_strangers_use_up_nothing(replicate: InProcess) -> None:
    for _ in range(10):
        await replicate.api.get("/v1/account", headers={"Authorization": "Bearer r8_wrong"})
    assert (await replicate.api.get("/v1/account")).headers["ratelimit-remaining"] == "2999"


async def test_throttling_on_order_holds_for_so_many_creates(replicate: InProcess) -> None:
    await replicate.order(throttle={"count": 2, "retry_after": 9})
    listed = await replicate.api.get("/v1/predictions")
    replies = [await replicate.api.post("/v1/predictions", json=CREATE) for _ in range(3)]

    assert listed.status_code == 200
    assert [reply.status_code for reply in replies] == [429, 429, 201]
    assert replies[0].json()["retry_after"] == 9


async def test_throttling_on_order_holds_for_so_many_seconds(replicate: InProcess) -> None:
    await replicate.order(throttle={"seconds": 30, "retry_after": 30, "scope": "all"})
    await replicate.pass_time(29)
    assert (await replicate.api.get("/v1/account")).status_code == 429
    assert (await replicate.api.post("/v1/predictions", json=CREATE)).status_code == 429
    await replicate.pass_time(1)
    assert (await replicate.api.get("/v1/account")).status_code == 200
