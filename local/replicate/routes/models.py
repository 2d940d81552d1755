"""Models, their versions, and the hardware they run on."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.models import find_model, find_version
from local.replicate.models.model import Json as JsonObject
from local.replicate.models.model import Model, Version
from local.replicate.models.schema import openapi_schema
from local.replicate.problems import not_found
from local.replicate.routes import Json

HARDWARE = (
    ("CPU", "cpu"),
    ("Nvidia T4 GPU", "gpu-t4"),
    ("Nvidia L40S GPU", "gpu-l40s"),
    ("Nvidia A100 (80GB) GPU", "gpu-a100-large"),
    ("Nvidia H100 GPU", "gpu-h100"),
)


async def get_model(request: Request) -> Response:
    model = _find(request)
    return Json(
        {
            "url": f"https://replicate.com/{model.full_name}",
            "owner": model.owner,
            "name": model.name,
            "description": model.description,
            "visibility": "public",
            "is_official": model.is_official,
            "github_url": model.github_url,
            "paper_url": None,
            "license_url": model.license_url,
            "run_count": 0,
            "cover_image_url": None,
            "default_example": None,
            "latest_version": _version_json(model, model.versions[0]),
        }
    )


async def list_versions(request: Request) -> Response:
    model = _find(request)
    return Json(
        {
            "previous": None,
            "next": None,
            "results": [_version_json(model, version) for version in model.versions],
        }
    )


async def get_version(request: Request) -> Response:
    model = _find(request)
    version = find_version(model, request.path_params["version_id"])
    if version is None:
        raise not_found()
    return Json(_version_json(model, version))


async def list_hardware(request: Request) -> Response:  # noqa: ARG001 (Starlette calls it with the request)
    return Json([{"name": name, "sku": sku} for name, sku in HARDWARE])


ROUTES = [
    Route("/v1/models/{owner}/{name}", get_model, methods=["GET"]),
    Route("/v1/models/{owner}/{name}/versions", list_versions, methods=["GET"]),
    Route("/v1/models/{owner}/{name}/versions/{version_id}", get_version, methods=["GET"]),
    Route("/v1/hardware", list_hardware, methods=["GET"]),
]


def _find(request: Request) -> Model:
    model = find_model(request.path_params["owner"], request.path_params["name"])
    if model is None:
        raise not_found()
    return model


def _version_json(model: Model, version: Version) -> JsonObject:
    return {
        "id": version.id,
        "created_at": version.created_at,
        "cog_version": version.cog_version,
        "openapi_schema": openapi_schema(model),
    }
