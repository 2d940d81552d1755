"""The stand-in as an ASGI application: the gate before Replicate's API, the routes, errors to replies."""

import contextlib
import hmac
import logging
import re
from collections.abc import AsyncIterator

import anyio
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.replicate.answering import answer_with_faults, kind_of
from local.replicate.problems import Problem, method_not_allowed, not_found, throttled, unauthenticated
from local.replicate.routes import (
    account,
    control,
    delivery,
    deployments,
    files,
    models,
    predictions,
    search,
    trainings,
    versions,
)
from local.replicate.spoiling import ConnectionDropped
from local.replicate.stand_in import StandIn

logger = logging.getLogger(__name__)

SIGNED = re.compile(r"/v1/files/[^/]+/download")  # the signature in the URL stands for the token


def create_app(stand_in: StandIn) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as background:
            background.start_soon(stand_in.scheduler.run_forever)
            yield
            background.cancel_scope.cancel()
        await stand_in.close()

    app = Starlette(
        routes=[
            *predictions.ROUTES,
            *trainings.ROUTES,
            *models.ROUTES,
            *versions.ROUTES,
            *deployments.ROUTES,
            *files.ROUTES,
            *search.ROUTES,
            *account.ROUTES,
            *delivery.ROUTES,
            *control.ROUTES,
        ],
        middleware=[Middleware(Gate, stand_in=stand_in)],
        exception_handlers={Problem: _problem, HTTPException: _http_exception},
        lifespan=lifespan,
    )
    app.state.stand_in = stand_in
    return app


def closing_dropped(app: ASGIApp) -> ASGIApp:
    """For a server: it closes the connection of an answer that is left unfinished."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except ConnectionDropped:
            logger.info("%s %s dropped on order", scope["method"], scope["path"])

    return served


class Gate:
    """Before every request: what is due happens. Before Replicate's API: the token and the rate limit."""

    def __init__(self, app: ASGIApp, stand_in: StandIn) -> None:
        self._app = app
        self._stand_in = stand_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._stand_in.scheduler.run_due()
        status = 0
        try:
            is_api = scope["path"].startswith("/v1/")
            extra = self._admit(scope) if is_api and not SIGNED.fullmatch(scope["path"]) else {}
        except Problem as problem:
            logger.info("%s %s %s", scope["method"], scope["path"], problem.status)
            await problem.response()(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(extra)
            await send(message)

        if is_api:
            await answer_with_faults(self._app, self._stand_in, scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)
        logger.info("%s %s %s", scope["method"], scope["path"], status)

    def _admit(self, scope: Scope) -> dict[str, str]:
        """The rate limit's headers for the reply. Raises the 401 or 429 problem."""
        stand_in = self._stand_in
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() not in {"bearer", "token"} or not hmac.compare_digest(
            token.strip().encode(), stand_in.settings.token.encode()
        ):
            raise unauthenticated()
        kind = kind_of(scope)
        bucket = stand_in.creates if kind == "creates" else stand_in.others
        retry_after_s = stand_in.faults.next_throttling_s(kind)
        if retry_after_s is None:
            allowance = bucket.take()
            if allowance is not None:
                return allowance.headers()
            retry_after_s = bucket.wait_s()
        stand_in.counters.throttled += 1
        raise throttled(retry_after_s)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http_exception(_: Request, error: Exception) -> Response:
    """What Starlette's router raises: a path or a method that is not there."""
    assert isinstance(error, HTTPException)
    return (method_not_allowed() if error.status_code == 405 else not_found()).response()
