"""The stand-in's own handles, outside of Replicate's API: no token, no rate limit.

`GET /_health` answers {"status": "ok"}.
`GET /_control` shows the clock, counters and what is left of the orders below.
`POST /_control` takes a JSON object with any of these fields, refuses an unknown or malformed one with 422
without doing anything, and answers as GET does. A count is a whole number or "all"; 0 ends an order. Seconds
are of the stand-in's clock. `scope` says which requests: "creates" of predictions (the default), "trainings"
(their creates) or "all".

- `advance_s`: seconds to move the clock on. What falls due in them happens at once, in order.
- `reset`: true makes it as newly started, the clock included. It is done before anything else in the object.
- `end_orders`: true ends all that was ordered, before anything else in the object is.

Webhooks, the next messages of predictions and trainings alike:
- `lose_webhooks`, `double_webhooks`: a count.
- `delay_webhooks`: {"count", "seconds"}: the first attempt is made so much later, and may be overtaken.
- `reorder_webhooks`: a count. Each is held back until the next message of the same job was sent, or for
  five seconds when none comes; it carries what was true when it arose.

Predictions and trainings, the next created:
- `fail_predictions`, `fail_trainings`: {"count", "error": text or null}: fail halfway through their run.
  Trainings also take "known" in place of "error": a name of `training_failures.KNOWN`.
- `slow_predictions`, `slow_trainings`: {"count", "queue_s", "predict_s"}: wait and run for so long.
  `fail_predictions` and `slow_predictions` also take "model", an owner/name: only its predictions count.
- `hang_trainings`: a count: stop halfway, and never end until they are canceled.
- `long_training_logs`: {"count", "size_bytes"}: so much more is logged, in replies and webhooks.
- `abort_predictions`: a count: aborted instead of started; `aborted` sends no webhook.
- `fewer_images`: {"count", "images": n}: succeed with at most n images, perhaps none. Predictions of models
  that put out a text do not count.
- `odd_fields`: {"count", "fields": [...]}: in replies and webhooks alike. "nulls" (what may be left out is
  null), "unknown_fields", "error_type" (an object or an empty list), "precision" (nanoseconds, whole
  seconds); all four when `fields` is left out.

Answers of the API, the next requests:
- `throttle`: {"count"} or {"seconds"}, with "retry_after" (whole seconds, default 10) and "scope": 429.
- `answer_late`: {"count", "seconds", "scope"}: done at once, answered later.
- `answer_error`: {"count", "status": 500..599, "scope", "when": "before" (default) or "after"}: answered so,
  before anything was done or after it was. 502 and 504 are a gateway's, in HTML.
- `drop_connection`: {"count", "scope", "when": "after" (default) or "before"}: closed without a whole answer.

Output files, the next fetched:
- `spoil_outputs`: {"count", "how", "location"}: "truncated" (half of the announced length), "wrong_type"
  (a web page), "redirect" (to `location`, an address of cloud metadata by default), "drip" (a byte a second,
  of real time), "endless", "gzip_bomb" (64 MB in 64 kB), "gone" (404), "unavailable" (503).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.problems import invalid_request
from local.replicate.routes import Json, read_json, stand_in_of
from local.replicate.routes.orders import SPECS, Deed, Spec, read_seconds, read_throttle
from local.replicate.stand_in import StandIn


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


def _end_orders(stand_in: StandIn, value: Any) -> Deed:
    if value is not True:
        raise invalid_request("end_orders must be true")
    return stand_in.faults.clear


def _advance(stand_in: StandIn, value: Any) -> Deed:
    seconds = read_seconds("advance_s", value)
    return lambda: stand_in.clock.advance(seconds)


def _place(name: str, spec: Spec, stand_in: StandIn, value: Any) -> Deed:
    count, what = spec.read(name, value)
    # By name at the time of the deed: a reset before it makes new orders.
    return lambda: getattr(stand_in.faults, name).place(count, what)


# In the order in which they are done: a reset would undo the rest, and what is ordered together with an
# advance is to hold during it.
_READERS: dict[str, Callable[[StandIn, Any], Deed]] = {
    "reset": _reset,
    "end_orders": _end_orders,
    **{name: partial(_place, name, spec) for name, spec in SPECS.items()},
    "throttle": read_throttle,
    "advance_s": _advance,
}
