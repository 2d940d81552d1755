"""The stand-in's handles for tests: its clock, its counters, its orders."""

from typing import Any

import pytest

from local.replicate.clock import Clock
from tests.contract.replicate_stand_in import WEBHOOK, InProcess, Time

pytestmark = pytest.mark.anyio

NOTHING = {"starting": 0, "processing": 0, "succeeded": 0, "failed": 0, "canceled": 0, "aborted": 0}


async def test_health_needs_no_token(replicate: InProcess) -> None:
    del replicate.api.headers["authorization"]
    assert (await replicate.api.get("/_health")).json() == {"status": "ok"}
    assert (await replicate.api.get("/_control")).status_code == 200


async def test_an_advance_makes_what_is_due_happen_at_once(replicate: InProcess) -> None:
    created = await replicate.create(webhook=WEBHOOK, webhook_events_filter=["start", "completed"])
    shown = await replicate.order(advance_s=3700)

    assert shown["clock"]["offset_s"] == 3700
    assert shown["counters"]["predictions"] == NOTHING | {"succeeded": 1}
    assert (await replicate.get(created))["data_removed"] is True
    assert replicate.network.statuses == ["processing", "succeeded"]
    assert replicate.network.bodies[-1]["output"], "told when it was due, before the data was removed"


async def test_an_advance_carries_the_clock_of_replies_along(replicate: InProcess) -> None:
    before = await replicate.create()
    await replicate.order(advance_s=86_400)
    after = await replicate.create()

    assert (before["created_at"][:10], after["created_at"][:10]) == ("2030-03-17", "2030-03-18")


async def test_counters_tell_what_happened(replicate: InProcess) -> None:
    created = await replicate.create()
    await replicate.create(webhook=WEBHOOK)
    await replicate.api.post(f"/v1/predictions/{created['id']}/cancel")
    await replicate.pass_time(60)

    assert await replicate.counters() == {
        "creates": 2,
        "trainings": 0,
        "uploads": 0,
        "cancels": 1,
        "throttled": 0,
        "deliveries": 0,
        "webhooks_sent": 2,
        "webhooks_failed": 0,
        "webhooks_lost": 0,
        "ignored_inputs": {},
        "predictions": NOTHING | {"canceled": 1, "succeeded": 1},
    }


async def test_orders_are_shown_until_they_are_carried_out(replicate: InProcess) -> None:
    shown = await replicate.order(
        lose_webhooks="all",
        double_webhooks=2,
        fail_predictions={"count": 3, "error": "E6716"},
        slow_predictions={"count": 1, "queue_s": 0, "predict_s": 1},
        throttle={"count": 4},
    )
    await replicate.api.post("/v1/predictions", json={})
    after = await replicate.order()

    assert {name: left for name, left in shown["orders"].items() if left} == {
        "lose_webhooks": "all",
        "double_webhooks": 2,
        "fail_predictions": 3,
        "slow_predictions": 1,
        "throttle": 4,
    }
    assert after["orders"] == shown["orders"] | {"throttle": 3}


async def test_a_reset_leaves_nothing_of_before(replicate: InProcess) -> None:
    done = await replicate.finished("black-forest-labs/flux-schnell", {"prompt": "a lighthouse"})
    await replicate.create(webhook=WEBHOOK)
    await replicate.order(advance_s=10, lose_webhooks="all", fail_predictions={"count": "all", "error": None})
    fresh = await replicate.order(reset=True)

    assert fresh["counters"]["creates"] == 0
    assert fresh["counters"]["predictions"] == NOTHING
    assert fresh["clock"]["offset_s"] == 0
    assert set(fresh["orders"].values()) == {0}
    assert (await replicate.api.get(f"/v1/predictions/{done['id']}")).status_code == 404
    assert (await replicate.api.get(done["output"][0])).status_code == 404
    sent = len(replicate.network.requests)
    await replicate.pass_time(600)
    assert len(replicate.network.requests) == sent, "what was under way is forgotten"
    assert (await replicate.finished("black-forest-labs/flux-schnell", {"prompt": ""}))[
        "status"
    ] == "succeeded"


async def test_all_orders_end_at_once_and_what_was_created_stays(replicate: InProcess) -> None:
    created = await replicate.create()
    await replicate.order(odd_fields={"count": "all"}, throttle={"count": 4}, lose_webhooks="all")
    after = await replicate.order(end_orders=True, double_webhooks=1)

    assert after["orders"] == dict.fromkeys(after["orders"], 0) | {"double_webhooks": 1}
    assert (await replicate.api.get(f"/v1/predictions/{created['id']}")).status_code == 200


@pytest.mark.parametrize(
    "orders",
    [
        {"advance": 5},
        {"advance_s": -1},
        {"advance_s": "5"},
        {"advance_s": True},
        {"lose_webhooks": -1},
        {"lose_webhooks": "some"},
        {"double_webhooks": 1.5},
        {"fail_predictions": 1},
        {"fail_predictions": {"count": 1}},
        {"fail_predictions": {"count": 1, "error": 7}},
        {"slow_predictions": {"count": 1, "queue_s": 1}},
        {"slow_predictions": {"count": 1, "queue_s": 1, "predict_s": -1}},
        {"throttle": {}},
        {"throttle": {"count": 1, "seconds": 1}},
        {"throttle": {"count": 1, "retry_after": 0}},
        {"throttle": {"count": 1, "scope": "some"}},
        {"throttle": {"count": 1, "for": 3}},
        {"reset": False},
        {"end_orders": 0},
        {"advance_s": 5, "lose_webhooks": "some"},
        [],
    ],
)
async def test_an_order_that_cannot_be_read_changes_nothing(replicate: InProcess, orders: Any) -> None:
    before = (await replicate.api.get("/_control")).json()
    reply = await replicate.api.post("/_control", json=orders)

    assert reply.status_code == 422
    assert (await replicate.api.get("/_control")).json() == before


async def test_the_clock_runs_at_its_scale_from_its_start() -> None:
    time = Time()
    clock = Clock(scale=10, real_time=time)
    started_s = time.now_s
    time.now_s += 3
    clock.advance(100)

    assert clock.now_s() == started_s + 130
    assert clock.real_delay_s(started_s + 150) == 2
    assert clock.real_delay_s(started_s) == 0


@pytest.mark.parametrize("scale", [0, -1])
async def test_a_clock_that_stands_still_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Clock(scale=scale)
