"""What the routes share: the stand-in behind them, JSON in and out."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from local.replicate.prediction import Webhook
from local.replicate.problems import not_json
from local.replicate.stand_in import StandIn
from local.replicate.webhooks import DEFAULT_EVENTS


def stand_in_of(request: Request) -> StandIn:
    stand_in: StandIn = request.app.state.stand_in
    return stand_in


async def read_json(request: Request) -> Any:
    """Raises a 400 problem for what is not JSON, `NaN` included."""
    try:
        return json.loads(await request.body(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise not_json() from error


def webhook_of(body: dict[str, Any]) -> Webhook | None:
    """Where the owner of a job wants to hear of it, by the checked body of its create."""
    if "webhook" not in body:
        return None
    return Webhook(body["webhook"], frozenset(body.get("webhook_events_filter") or DEFAULT_EVENTS))


class Json(JSONResponse):
    """Escaped to ASCII, since an input may hold lone surrogates, which UTF-8 cannot carry."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode("ascii")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
