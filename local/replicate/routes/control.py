"""The stand-in's own handles, outside of Replicate's API: no token, no rate limit.

`GET /_health` answers {"status": "ok"}.
`GET /_control` shows the clock, counters and what is left of the orders below.
`POST /_control` takes a JSON object with any of these fields, refuses an unknown or malformed one with 422
without doing anything, and answers as GET does:

- `advance_s`: seconds to move the clock on. What falls due in them happens at once, in order.
- `lose_webhooks`, `double_webhooks`: how many of the next messages, or "all"; 0 ends it.
- `fail_predictions`: {"count": n or "all", "error": text or null}: the next predictions created fail halfway
  through their run with this error.
- `slow_predictions`: {"count": n or "all", "queue_s": seconds, "predict_s": seconds}: the next predictions
  created wait and run for so long.
- `throttle`: {"count": n or "all"} or {"seconds": s}, each with "retry_after" (whole seconds, default 10) and
  "scope" ("creates", the default, or "all"): requests answered with 429.
- `reset`: true makes it as newly started, the clock included. It is done before anything else in the object.
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.faults import Failure, Order, Slowness, Throttling
from local.replicate.problems import invalid_request
from local.replicate.routes import Json, read_json, stand_in_of
from local.replicate.stand_in import StandIn

Deed = Callable[[], None]


async def health(request: Request) -> Response:  # noqa: ARG001 (Starlette calls it with the request)
    return Json({"status": "ok"})


async def show(request: Request) -> Response:
    return Json(stand_in_of(request).to_json())


async def order(request: Request) -> Response:
    stand_in = stand_in_of(request)
    body = await read_json(request)
    if not isinstance(body, dict):
        raise invalid_request("the body must be a JSON object")
    unknown = body.keys() - _READERS.keys()
    if unknown:
        raise invalid_request(f"unknown: {', '.join(sorted(unknown))}")
    deeds = [reader(stand_in, body[name]) for name, reader in _READERS.items() if name in body]
    for deed in deeds:
        deed()
    stand_in.scheduler.run_due()
    return Json(stand_in.to_json())


ROUTES = [
    Route("/_health", health, methods=["GET"]),
    Route("/_control", show, methods=["GET"]),
    Route("/_control", order, methods=["POST"]),
]


def _reset(stand_in: StandIn, value: Any) -> Deed:
    if value is not True:
        raise invalid_request("reset must be true")
    return stand_in.reset


def _advance(stand_in: StandIn, value: Any) -> Deed:
    seconds = _seconds("advance_s", value)
    return lambda: stand_in.clock.advance(seconds)


def _lose(stand_in: StandIn, value: Any) -> Deed:
    return _place(stand_in.faults.lose_webhooks, value)


def _double(stand_in: StandIn, value: Any) -> Deed:
    return _place(stand_in.faults.double_webhooks, value)


def _fail(stand_in: StandIn, value: Any) -> Deed:
    fields = _fields("fail_predictions", value, required={"count", "error"})
    error = fields["error"]
    if error is not None and not isinstance(error, str):
        raise invalid_request("fail_predictions.error must be a string or null")
    place = _place(stand_in.faults.fail_predictions, fields["count"])

    def deed() -> None:
        stand_in.faults.failure = Failure(error)
        place()

    return deed


def _slow(stand_in: StandIn, value: Any) -> Deed:
    fields = _fields("slow_predictions", value, required={"count", "queue_s", "predict_s"})
    slowness = Slowness(
        queue_s=_seconds("slow_predictions.queue_s", fields["queue_s"]),
        predict_s=_seconds("slow_predictions.predict_s", fields["predict_s"]),
    )
    place = _place(stand_in.faults.slow_predictions, fields["count"])

    def deed() -> None:
        stand_in.faults.slowness = slowness
        place()

    return deed


def _throttle(stand_in: StandIn, value: Any) -> Deed:
    fields = _fields("throttle", value, required=set(), optional={"count", "seconds", "retry_after", "scope"})
    if ("count" in fields) == ("seconds" in fields):
        raise invalid_request("throttle takes either count or seconds")
    retry_after_s, scope = fields.get("retry_after", 10), fields.get("scope", "creates")
    if type(retry_after_s) is not int or retry_after_s < 1:
        raise invalid_request("throttle.retry_after must be a whole number of seconds above zero")
    if scope not in {"creates", "all"}:
        raise invalid_request("throttle.scope must be creates or all")
    seconds = _seconds("throttle.seconds", fields["seconds"]) if "seconds" in fields else None
    place = _place(stand_in.faults.throttle, fields.get("count", "all"))

    def deed() -> None:
        until_s = None if seconds is None else stand_in.clock.now_s() + seconds
        stand_in.faults.throttling = Throttling(retry_after_s, scope, until_s)
        place()

    return deed


# In the order in which they are done: a reset would undo the rest, and what is ordered together with an
# advance is to hold during it.
_READERS: dict[str, Callable[[StandIn, Any], Deed]] = {
    "reset": _reset,
    "lose_webhooks": _lose,
    "double_webhooks": _double,
    "fail_predictions": _fail,
    "slow_predictions": _slow,
    "throttle": _throttle,
    "advance_s": _advance,
}


def _place(order_: Order, count: Any) -> Deed:
    if count != "all" and (type(count) is not int or count < 0):
        raise invalid_request('a count must be a whole number or "all"')
    return lambda: order_.place(None if count == "all" else count)


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise invalid_request(f"{name} must be a number of seconds, not below zero")
    return float(value)


def _fields(
    name: str, value: Any, *, required: set[str], optional: set[str] | None = None
) -> Mapping[str, Any]:
    known = required | (optional or set())
    if not isinstance(value, dict) or not required <= value.keys() <= known:
        raise invalid_request(f"{name} must be an object with {', '.join(sorted(known))}")
    return value
