"""The stand-in refuses what Replicate refuses, in the words that have been recorded."""

from typing import Any

import httpx
import pytest

from tests.contract.replicate_stand_in import TOKEN, InProcess

pytestmark = pytest.mark.anyio

FLUX_DEV = "black-forest-labs/flux-dev"
SCHNELL = "black-forest-labs/flux-schnell"
SDXL_VERSION = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
ASPECT_RATIOS = ("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21")
FORMATS = ("webp", "jpg", "png")
REFINERS = ("no_refiner", "expert_ensemble_refiner", "base_image_refiner")
IMAGE = "data:image/gif;base64,R0lGODlhAQABAAAAACw="

# model -> parameter -> values that it takes, values that it does not
INPUTS: dict[str, dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]]] = {
    FLUX_DEV: {
        "prompt": (("", "a lighthouse"), (None, 7, ["a"])),
        "aspect_ratio": (ASPECT_RATIOS, ("2:1", "custom", 1)),
        "image": ((IMAGE, "https://example.com/a.png"), ("a.png", 7)),
        "prompt_strength": ((0, 0.5, 1), (-0.01, 1.01, "1")),
        "num_outputs": ((1, 4, 2.0), (0, 5, 1.5, "1", True)),
        "num_inference_steps": ((1, 28, 50), (0, 51, 100)),
        "guidance": ((0, 3, 7.5, 10), (-0.1, 10.1, "3")),
        "seed": ((0, 1, 2**63, -1), (1.5, "1", None)),
        "output_format": (FORMATS, ("gif", "WEBP", "jpeg")),
        "output_quality": ((0, 80, 100), (-1, 101, 80.5)),
        "disable_safety_checker": ((True, False), ("true", 1)),
        "go_fast": ((True, False), ("yes", 0)),
        "megapixels": (("1", "0.25"), (1, 0.25, "2")),
    },
    SCHNELL: {
        "prompt": (("a lighthouse",), (None,)),
        "aspect_ratio": (ASPECT_RATIOS, ("2:1",)),
        "num_outputs": ((1, 4), (0, 5)),
        "num_inference_steps": ((1, 4), (0, 5, 28)),
        "seed": ((0, 42), ("0",)),
        "output_format": (FORMATS, ("gif",)),
        "output_quality": ((0, 100), (-1, 101)),
        "disable_safety_checker": ((True,), (1,)),
        "go_fast": ((False,), (0,)),
        "megapixels": (("1", "0.25"), ("4",)),
    },
    SDXL_VERSION: {
        "prompt": (("", "a lighthouse"), (None,)),
        "negative_prompt": (("", "fog"), (None,)),
        "image": ((IMAGE,), ("a.png",)),
        "mask": ((IMAGE,), ("a.png",)),
        "width": ((512, 1024), ("1024", 1024.5)),
        "height": ((512, 1024), ("1024", None)),
        "num_outputs": ((1, 4), (0, 5)),
        "scheduler": (("K_EULER", "DDIM", "PNDM"), ("EULER", "")),
        "num_inference_steps": ((1, 50, 500), (0, 501)),
        "guidance_scale": ((1, 7.5, 50), (0.99, 50.01)),
        "prompt_strength": ((0, 1), (-0.1, 1.1)),
        "seed": ((0, 42), ("0",)),
        "refine": (REFINERS, ("yes",)),
        "high_noise_frac": ((0, 0.8, 1), (-0.1, 1.1)),
        "refine_steps": ((1, 20), ("20",)),
        "apply_watermark": ((True, False), ("no",)),
        "lora_scale": ((0, 0.6, 1), (-0.1, 1.1)),
        "replicate_weights": (("https://example.com/w.tar",), (7,)),
        "disable_safety_checker": ((True, False), ("no",)),
    },
}
TAKEN = [(m, p, v) for m, inputs in INPUTS.items() for p, (taken, _) in inputs.items() for v in taken]
REFUSED = [(m, p, v) for m, inputs in INPUTS.items() for p, (_, refused) in inputs.items() for v in refused]


async def _post(replicate: InProcess, **body: Any) -> httpx.Response:
    return await replicate.api.post("/v1/predictions", json=body)


@pytest.mark.parametrize(("model", "parameter", "value"), TAKEN)
async def test_a_value_within_the_schema_is_taken(
    replicate: InProcess, model: str, parameter: str, value: Any
) -> None:
    reply = await _post(replicate, version=model, input={"prompt": "a lighthouse", parameter: value})
    assert reply.status_code == 201, reply.text


@pytest.mark.parametrize(("model", "parameter", "value"), REFUSED)
async def test_a_value_outside_the_schema_is_refused_and_its_field_named(
    replicate: InProcess, model: str, parameter: str, value: Any
) -> None:
    reply = await _post(replicate, version=model, input={"prompt": "a lighthouse", parameter: value})

    assert reply.status_code == 422
    assert reply.json()["title"] == "Input validation failed"
    assert [field["field"] for field in reply.json()["invalid_fields"]] == [f"input.{parameter}"]
    assert (await replicate.counters())["creates"] == 0


@pytest.mark.parametrize("model", INPUTS)
async def test_the_table_above_is_all_that_a_model_takes(replicate: InProcess, model: str) -> None:
    path = f"/v1/models/{'stability-ai/sdxl' if model == SDXL_VERSION else model}"
    version = (await replicate.api.get(path)).json()["latest_version"]

    assert set(version["openapi_schema"]["components"]["schemas"]["Input"]["properties"]) == set(
        INPUTS[model]
    )


async def test_validation_errors_are_as_recorded(replicate: InProcess) -> None:
    reply = await _post(replicate, version=SCHNELL, input={"num_inference_steps": 28})

    assert reply.json() == {
        "detail": "- input: prompt is required\n"
        "- input.num_inference_steps: Must be less than or equal to 4\n",
        "status": 422,
        "title": "Input validation failed",
        "invalid_fields": [
            {"type": "required", "field": "input", "description": "prompt is required"},
            {
                "type": "number_lte",
                "field": "input.num_inference_steps",
                "description": "Must be less than or equal to 4",
            },
        ],
    }


async def test_an_enumeration_names_what_it_takes(replicate: InProcess) -> None:
    reply = await _post(replicate, version=SCHNELL, input={"prompt": "", "output_format": "gif"})

    (field,) = reply.json()["invalid_fields"]
    assert field["type"] == "enum"
    assert field["description"] == 'output_format must be one of the following: "webp", "jpg", "png"'


async def test_a_body_with_model_instead_of_version_is_refused_as_recorded(replicate: InProcess) -> None:
    reply = await _post(replicate, model=FLUX_DEV, input={"prompt": "a lighthouse"})

    assert reply.status_code == 422
    assert reply.json()["detail"] == "- version is required\n- Additional property model is not allowed\n"
    assert reply.json()["invalid_fields"][1] == {
        "type": "additional_property_not_allowed",
        "field": "",
        "description": "Additional property model is not allowed",
    }


async def test_the_official_path_takes_no_version(replicate: InProcess) -> None:
    reply = await replicate.api.post(
        f"/v1/models/{SCHNELL}/predictions", json={"version": SCHNELL, "input": {"prompt": "a lighthouse"}}
    )

    assert reply.status_code == 422
    assert reply.json()["detail"] == "- Additional property version is not allowed\n"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"input": "a lighthouse"}, "input"),
        ({"version": 7}, "version"),
        ({"stream": "yes"}, "stream"),
        ({"webhook": 7}, "webhook"),
        ({"webhook": "not a url"}, "webhook"),
        ({"webhook": "http://example.com/hook"}, "webhook"),
        ({"webhook": "https://"}, "webhook"),
        ({"webhook": "https://example.com:port/"}, "webhook"),
        ({"webhook": "ftp://127.0.0.1/"}, "webhook"),
        ({"webhook_events_filter": "start"}, "webhook_events_filter"),
        ({"webhook_events_filter": ["start", "end"]}, "webhook_events_filter.1"),
    ],
)
async def test_a_malformed_field_of_the_body_is_named(
    replicate: InProcess, fields: dict[str, Any], field: str
) -> None:
    reply = await _post(replicate, **({"version": FLUX_DEV, "input": {"prompt": "a lighthouse"}} | fields))

    assert reply.status_code == 422
    assert [invalid["field"] for invalid in reply.json()["invalid_fields"]] == [field]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?user=1",
        "http://localhost:4566/hook",
        "http://127.0.0.1:4566/hook",
        "http://[::1]:4566/hook",
        "http://abc123.execute-api.localhost:4566/hook",
    ],
)
async def test_a_webhook_is_https_or_of_this_machine(replicate: InProcess, url: str) -> None:
    await replicate.create(webhook=url)


@pytest.mark.parametrize(
    "version",
    [
        f"{FLUX_DEV}:latest",
        "stability-ai/sdxl",
        "stability-ai/sdxl:latest",
        f"{FLUX_DEV}:{SDXL_VERSION}",
        "nobody/nothing",
        f"nobody/nothing:{SDXL_VERSION}",
        "0" * 64,
        f"sdxl:{SDXL_VERSION}",
        "",
    ],
)
async def test_a_version_that_does_not_exist_is_refused_as_recorded(
    replicate: InProcess, version: str
) -> None:
    reply = await _post(replicate, version=version, input={"prompt": "a lighthouse"})

    assert reply.status_code == 422
    assert reply.json() == {
        "title": "Invalid version or not permitted",
        "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)",
        "status": 422,
    }


async def test_inputs_that_a_model_does_not_know_are_ignored_and_counted(replicate: InProcess) -> None:
    given = {"prompt": "a lighthouse", "width": 512, "negative_prompt": "fog"}
    created = await replicate.create(FLUX_DEV, input=given)

    assert created["input"] == given
    counted = {f"{FLUX_DEV}.width": 1, f"{FLUX_DEV}.negative_prompt": 1}
    assert (await replicate.counters())["ignored_inputs"] == counted


@pytest.mark.parametrize("authorization", [None, "", TOKEN, f"Basic {TOKEN}", "Bearer r8_wrong", "Bearer "])
async def test_without_a_good_token_nothing_is_told(replicate: InProcess, authorization: str | None) -> None:
    del replicate.api.headers["authorization"]
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, path in (("GET", "/v1/account"), ("POST", "/v1/predictions"), ("GET", "/v1/nowhere")):
        reply = await replicate.api.request(method, path, headers=headers)
        assert reply.status_code == 401
        assert reply.json() == {
            "title": "Unauthenticated",
            "detail": "You did not pass a valid authentication token",
            "status": 401,
        }


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "bearer"])
async def test_both_schemes_of_the_documents_are_taken(replicate: InProcess, scheme: str) -> None:
    reply = await replicate.api.get("/v1/account", headers={"Authorization": f"{scheme} {TOKEN}"})
    assert reply.status_code == 200


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": NaN}', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_not_json_is_a_bad_request(replicate: InProcess, content: bytes) -> None:
    reply = await replicate.api.post("/v1/predictions", content=content)
    assert reply.status_code == 400


@pytest.mark.parametrize("content", [b"[]", b'"text"', b"null", b"7"])
async def test_a_body_that_is_no_object_is_refused(replicate: InProcess, content: bytes) -> None:
    reply = await replicate.api.post("/v1/predictions", content=content)

    assert reply.status_code == 422
    assert reply.json()["invalid_fields"][0]["type"] == "invalid_type"


async def test_a_prompt_that_utf8_cannot_carry_comes_back_as_it_was(replicate: InProcess) -> None:
    reply = await replicate.api.post(
        "/v1/predictions", content=b'{"version": "%s", "input": {"prompt": "\\ud800"}}' % FLUX_DEV.encode()
    )

    assert reply.status_code == 201
    assert reply.json()["input"] == {"prompt": "\ud800"}


async def test_unknown_paths_and_methods_are_refused(replicate: InProcess) -> None:
    nowhere = await replicate.api.get("/v1/nowhere")
    wrong_method = await replicate.api.delete("/v1/predictions")

    assert (nowhere.status_code, wrong_method.status_code) == (404, 405)
