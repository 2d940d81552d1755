"""The account that the token belongs to, its webhook secret, and the hardware it can choose from."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.deployments import CREATOR
from local.replicate.hardware import HARDWARE
from local.replicate.routes import Json, stand_in_of


async def get_account(request: Request) -> Response:  # noqa: ARG001 (Starlette calls it with the request)
    return Json(CREATOR)


async def get_webhook_secret(request: Request) -> Response:
    return Json({"key": stand_in_of(request).settings.webhook_secret})


async def list_hardware(request: Request) -> Response:  # noqa: ARG001 (Starlette calls it with the request)
    return Json([{"name": name, "sku": sku} for name, sku in HARDWARE])


ROUTES = [
    Route("/v1/account", get_account, methods=["GET"]),
    Route("/v1/webhooks/default/secret", get_webhook_secret, methods=["GET"]),
    Route("/v1/hardware", list_hardware, methods=["GET"]),
]
