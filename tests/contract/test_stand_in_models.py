"""The stand-in's models, versions, hardware and account."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from tests.contract.replicate_stand_in import SECRET, InProcess

pytestmark = pytest.mark.anyio

FLUX_DEV = "black-forest-labs/flux-dev"
SCHNELL = "black-forest-labs/flux-schnell"
SDXL = "stability-ai/sdxl"
MODELS = (FLUX_DEV, SCHNELL, SDXL)

# What Replicate's facts say of defaults; the bounds are tried value by value in test_stand_in_requests.py.
DEFAULTS: dict[str, dict[str, Any]] = {
    FLUX_DEV: {
        "aspect_ratio": "1:1",
        "prompt_strength": 0.8,
        "num_outputs": 1,
        "num_inference_steps": 28,
        "guidance": 3,
        "output_format": "webp",
        "output_quality": 80,
        "disable_safety_checker": False,
        "go_fast": True,
        "megapixels": "1",
    },
    SCHNELL: {
        "aspect_ratio": "1:1",
        "num_outputs": 1,
        "num_inference_steps": 4,
        "output_format": "webp",
        "output_quality": 80,
        "disable_safety_checker": False,
        "go_fast": True,
        "megapixels": "1",
    },
    SDXL: {
        "prompt": "An astronaut riding a rainbow unicorn",
        "negative_prompt": "",
        "width": 1024,
        "height": 1024,
        "num_outputs": 1,
        "scheduler": "K_EULER",
        "num_inference_steps": 50,
        "guidance_scale": 7.5,
        "prompt_strength": 0.8,
        "refine": "no_refiner",
        "high_noise_frac": 0.8,
        "apply_watermark": True,
        "lora_scale": 0.6,
        "disable_safety_checker": False,
    },
}


async def _get(replicate: InProcess, path: str) -> Any:
    reply = await replicate.api.get(path)
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.parametrize("model", MODELS)
async def test_a_model_shows_its_latest_version_with_schema_and_defaults(
    replicate: InProcess, model: str
) -> None:
    body = await _get(replicate, f"/v1/models/{model}")
    schema = body["latest_version"]["openapi_schema"]
    properties = schema["components"]["schemas"]["Input"]["properties"]

    assert f"{body['owner']}/{body['name']}" == model
    assert body["is_official"] is (model != SDXL)
    assert {name: p["default"] for name, p in properties.items() if "default" in p} == DEFAULTS[model]
    assert [p["x-order"] for p in properties.values()] == list(range(len(properties)))


@pytest.mark.parametrize("model", MODELS)
async def test_the_schema_is_one_that_any_validator_reads(replicate: InProcess, model: str) -> None:
    schema = (await _get(replicate, f"/v1/models/{model}"))["latest_version"]["openapi_schema"]
    validator = jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/Input", "components": schema["components"]}
    )

    assert validator.is_valid({"prompt": "a lighthouse", "num_outputs": 4})
    assert not validator.is_valid({"prompt": "a lighthouse", "num_outputs": 5})
    assert validator.is_valid({}) is (model == SDXL), "only SDXL has a default prompt"


@pytest.mark.parametrize("model", MODELS)
async def test_versions_are_listed_and_found_one_by_one(replicate: InProcess, model: str) -> None:
    page = await _get(replicate, f"/v1/models/{model}/versions")
    latest = (await _get(replicate, f"/v1/models/{model}"))["latest_version"]

    assert page["results"][0] == latest
    assert await _get(replicate, f"/v1/models/{model}/versions/{latest['id']}") == latest


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/nobody/nothing",
        "/v1/models/nobody/nothing/versions",
        f"/v1/models/{FLUX_DEV}/versions/{'0' * 64}",
        f"/v1/models/{FLUX_DEV}/versions/39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b",
    ],
)
async def test_what_is_not_there_is_not_found(replicate: InProcess, path: str) -> None:
    assert (await replicate.api.get(path)).status_code == 404


async def test_hardware_is_a_plain_list(replicate: InProcess) -> None:
    skus = {row["sku"] for row in await _get(replicate, "/v1/hardware")}
    assert {"cpu", "gpu-t4", "gpu-l40s", "gpu-a100-large", "gpu-h100"} <= skus


async def test_the_account_and_its_webhook_secret_are_told(replicate: InProcess) -> None:
    assert (await _get(replicate, "/v1/account"))["username"]
    assert await _get(replicate, "/v1/webhooks/default/secret") == {"key": SECRET}
