"""The account that the token belongs to, and its webhook secret."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.routes import Json, stand_in_of

ACCOUNT = {
    "type": "organization",
    "username": "acme",
    "name": "Acme Corp, Inc.",
    "github_url": "https://github.com/acme",
}


async def get_account(request: Request) -> Response:  # noqa: ARG001 (Starlette calls it with the request)
    return Json(ACCOUNT)


async def get_webhook_secret(request: Request) -> Response:
    return Json({"key": stand_in_of(request).settings.webhook_secret})


ROUTES = [
    Route("/v1/account", get_account, methods=["GET"]),
    Route("/v1/webhooks/default/secret", get_webhook_secret, methods=["GET"]),
]
