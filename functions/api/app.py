"""The HTTP application: its routes, and the one place where errors become HTTP."""

from __future__ import annotations

import traceback
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from api.problems import problem
from api.requests import language
from api.routes import account, catalog, generations, service
from revela import bootstrap
from revela.domain.errors import Refused, Transient

RETRY_AFTER_S = 2


def refused(error: Refused) -> Response[str]:
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _problem(
        error.status, error.code, args=error.args_, invalid_params=error.invalid_params, headers=headers
    )


def temporarily_unavailable(error: Transient) -> Response[str]:
    bootstrap.logger().warning("temporarily_unavailable", extra={"errors": _kinds(error)})
    return _problem(503, "temporarily_unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})


def no_such_route(_: NotFoundError) -> Response[str]:
    if allowed := _methods_at(app.current_event.path):
        return _problem(405, "method_not_allowed", headers={"Allow": ", ".join(allowed)})
    return _problem(404, "not_found")


def internal_error(error: Exception) -> Response[str]:
    # Messages of other people's exceptions may quote what they choked on, a prompt say: only the
    # place and kind of the fault are logged.
    frames = traceback.extract_tb(error.__traceback__)
    bootstrap.logger().error(
        "internal_error",
        extra={"errors": _kinds(error), "stack": [f"{f.filename}:{f.lineno} {f.name}" for f in frames]},
    )
    return _problem(500, "internal_error")


def _problem(status: int, code: str, **details: Any) -> Response[str]:
    event = app.current_event
    return problem(
        status, code, language=language(event), request_id=event.request_context.request_id, **details
    )


def _methods_at(path: str) -> list[str]:
    # Powertools keeps its routes to itself and knows no 405.
    registered = (*app._static_routes, *app._dynamic_routes)
    return sorted({route.method for route in registered if route.rule.match(path)})


def _kinds(error: BaseException | None) -> list[str]:
    """Return what is safe to log of an error and its causes: their kinds, and the text of our own."""
    kinds = []
    while error is not None:
        kind = type(error)
        if kind.__module__.startswith("revela."):
            kinds.append(f"{kind.__name__}: {error}")
        else:
            kinds.append(" ".join(filter(None, (f"{kind.__module__}.{kind.__qualname__}", _aws_code(error)))))
        error = error.__cause__
    return kinds


def _aws_code(error: BaseException) -> str | None:
    response = getattr(error, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None


app = APIGatewayHttpResolver()
for routes in (generations, account, catalog, service):
    app.include_router(routes.router)
app.exception_handler(Refused)(refused)
app.exception_handler(Transient)(temporarily_unavailable)
app.exception_handler(NotFoundError)(no_such_route)
app.exception_handler(Exception)(internal_error)
