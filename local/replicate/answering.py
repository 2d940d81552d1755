"""Answers of the API that come late, broken or not at all, on order."""

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.replicate.faults import Breakdown, Kind, within
from local.replicate.problems import Problem
from local.replicate.spoiling import ConnectionDropped
from local.replicate.stand_in import StandIn

GATEWAY = frozenset({502, 504})


def kind_of(scope: Scope) -> Kind:
    """Creates of predictions have a rate limit of their own; those of trainings are among all others."""
    if scope["method"] == "POST" and scope["path"].endswith("/predictions"):
        return "creates"
    if scope["method"] == "POST" and scope["path"].endswith("/trainings"):
        return "trainings"
    return "others"


async def answer_with_faults(
    app: ASGIApp, stand_in: StandIn, scope: Scope, receive: Receive, send: Send
) -> None:
    """Raises ConnectionDropped where the client is to hear no whole answer."""
    faults, kind = stand_in.faults, kind_of(scope)
    late = faults.answer_late.take(lambda what: within(what.scope, kind))
    broken = faults.answer_error.take(lambda what: within(what.scope, kind))
    drop = faults.drop_connection.take(lambda what: within(what.scope, kind))
    if late is None and broken is None and drop is None:
        await app(scope, receive, send)
        return

    answer: list[Message] = []
    if not any(fault is not None and fault.when == "before" for fault in (broken, drop)):

        async def keep(message: Message) -> None:
            answer.append(message)

        await app(scope, receive, keep)
    if late is not None:
        await stand_in.scheduler.sleep(late.seconds)
    if drop is not None:
        # A server that was told a length and is left without a body closes the connection.
        head = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        raise ConnectionDropped
    if broken is not None:
        await _breakdown(broken)(scope, receive, send)
        return
    for message in answer:
        await send(message)


def _breakdown(broken: Breakdown) -> Response:
    if broken.status in GATEWAY:
        page = f"<html><body><h1>{broken.status} Bad Gateway</h1></body></html>"
        return HTMLResponse(page, broken.status)
    return Problem(broken.status, "Internal server error").response()
