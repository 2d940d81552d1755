"""The HTTP application: its routes, and the one place where errors become HTTP."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from api.problems import problem
from api.requests import language
from api.routes import account, catalog, generations, models, photos, service, trainings
from revela import bootstrap
from revela.domain.errors import Refused, Transient
from revela.observability import fault, kinds_of

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
    bootstrap.logger().warning("temporarily_unavailable", extra={"errors": kinds_of(error)})
    return _problem(503, "temporarily_unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})


def no_such_route(_: NotFoundError) -> Response[str]:
    if allowed := _methods_at(app.current_event.path):
        return _problem(405, "method_not_allowed", headers={"Allow": ", ".join(allowed)})
    return _problem(404, "not_found")


def internal_error(error: Exception) -> Response[str]:
    bootstrap.logger().error("internal_error", extra=fault(error))
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


app = APIGatewayHttpResolver()
for routes in (generations, models, photos, trainings, account, catalog, service):
    app.include_router(routes.router)
app.exception_handler(Refused)(refused)
app.exception_handler(Transient)(temporarily_unavailable)
app.exception_handler(NotFoundError)(no_such_route)
app.exception_handler(Exception)(internal_error)
