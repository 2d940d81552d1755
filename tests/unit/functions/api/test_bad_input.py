from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from revela.usecases.grant_credits import GrantCredits, grant_credits
from tests.unit.functions.api.client import ANA, ApiPorts, Client

GOOD = {"model": "flux-dev", "prompt": "a lighthouse"}
LIMIT = 64 * 1024


def nothing_happened(ports: ApiPorts) -> bool:
    return not ports.store.generations and ports.store.accounts[ANA].held == 0


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "{",
        "{'model': 'flux-dev'}",
        '{"model": "flux-dev",}',
        '{"model": "flux-dev"} trailing',
        "[]",
        '"text"',
        "42",
        "null",
        "true",
        '{"model": "flux-dev", "prompt": "x", "guidance_scale": NaN}',
        '{"model": "flux-dev", "prompt": "x", "guidance_scale": -Infinity}',
        '{"model": "flux-dev", "prompt": "\\ud800"}',
        '{"model": "flux-dev", "prompt": "a\nb"}',
        '{"model": "flux-dev", "prompt": "x", "seed": ' + "9" * 5000 + "}",
        "[" * 60_000,
        '{"a":' * 10_000,
        "﻿" + '{"model": "flux-dev", "prompt": "x"}',
        b'{"model": "flux-dev", "prompt": "\xff"}',
        b"\x00",
        b"",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_no_json_object_is_malformed(body: str | bytes, api: Client, ports: ApiPorts) -> None:
    answer = api.post("/v1/generations", body)

    assert (answer.status, answer.json["code"]) == (400, "malformed_json")
    assert nothing_happened(ports)


def test_text_that_is_no_unicode_is_malformed(api: Client) -> None:
    claimed = {"body": '{"model": "flux-dev", "prompt": "\ud800"}', "isBase64Encoded": False}

    assert api.post("/v1/generations", GOOD, overrides=claimed).status == 400


def test_a_missing_body_is_malformed(api: Client) -> None:
    assert api.post("/v1/generations").status == 400


@pytest.mark.parametrize("noise", ["%", " ", "\n", "é"])
def test_a_body_that_is_not_the_base64_it_claims_to_be_is_malformed(noise: str, api: Client) -> None:
    claimed = {"body": noise + base64.b64encode(json.dumps(GOOD).encode()).decode(), "isBase64Encoded": True}
    answer = api.post("/v1/generations", GOOD, overrides=claimed)

    assert (answer.status, answer.json["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("binary", [False, True])
def test_a_body_of_a_megabyte_is_refused_unread(binary: bool, api: Client, ports: ApiPorts) -> None:
    answer = api.post("/v1/generations", '{"prompt": "' + "x" * 1_000_000, binary=binary)

    assert (answer.status, answer.json["code"]) == (413, "request_too_large")
    assert "65536" in answer.json["detail"]
    assert nothing_happened(ports)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("size", "status"), [(LIMIT, 202), (LIMIT + 1, 413)])
def test_the_limit_counts_bytes_not_characters(size: int, status: int, binary: bool, api: Client) -> None:
    body = '{"model": "flux-schnell", "prompt": "é"' + " " * (size - 41) + "}"
    assert len(body.encode()) == size

    assert api.post("/v1/generations", body, binary=binary).status == status


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 202),
        ("application/json; charset=utf-8", 202),
        ("Application/JSON", 202),
        ("", 202),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonp", 415),
    ],
)
def test_only_json_is_taken(content_type: str, status: int, api: Client) -> None:
    assert api.post("/v1/generations", GOOD, headers={"Content-Type": content_type}).status == status


@pytest.mark.parametrize(
    ("fields", "invalid"),
    [
        ({"model": None}, {"model": "must_be_string"}),
        ({"model": 7}, {"model": "must_be_string"}),
        ({"model": ""}, {"model": "not_one_of"}),
        ({"model": "dall-e"}, {"model": "not_one_of"}),
        ({"model": ["flux-dev"]}, {"model": "must_be_string"}),
        ({"prompt": None}, {"prompt": "required"}),
        ({"prompt": ""}, {"prompt": "must_not_be_empty"}),
        ({"prompt": " \n\t"}, {"prompt": "must_not_be_empty"}),
        ({"prompt": "x" * 2001}, {"prompt": "too_long"}),
        ({"prompt": "a\u0000b"}, {"prompt": "control_characters"}),
        ({"prompt": 5}, {"prompt": "must_be_string"}),
        ({"prompt": {"text": "x"}}, {"prompt": "must_be_string"}),
        ({"num_outputs": "4"}, {"num_outputs": "must_be_integer"}),
        ({"num_outputs": True}, {"num_outputs": "must_be_integer"}),
        ({"num_outputs": 2.0}, {"num_outputs": "must_be_integer"}),
        ({"num_outputs": 2.5}, {"num_outputs": "must_be_integer"}),
        ({"num_outputs": 0}, {"num_outputs": "out_of_range"}),
        ({"num_outputs": 5}, {"num_outputs": "out_of_range"}),
        ({"num_outputs": -1}, {"num_outputs": "out_of_range"}),
        ({"num_outputs": 3}, {"num_outputs": "plan_allows"}),
        ({"num_inference_steps": 51}, {"num_inference_steps": "out_of_range"}),
        ({"num_inference_steps": 10**4000}, {"num_inference_steps": "out_of_range"}),
        ({"guidance_scale": "3"}, {"guidance_scale": "must_be_number"}),
        ({"guidance_scale": False}, {"guidance_scale": "must_be_number"}),
        ({"guidance_scale": 0.99}, {"guidance_scale": "out_of_range"}),
        ({"seed": -1}, {"seed": "out_of_range"}),
        ({"seed": 2**31}, {"seed": "out_of_range"}),
        ({"format": "gif"}, {"format": "not_one_of"}),
        ({"format": 1}, {"format": "must_be_string"}),
        ({"format": "png", "quality": 90}, {"quality": "lossless_format"}),
        ({"quality": 0}, {"quality": "out_of_range"}),
        ({"width": 1000}, {"width": "size_not_one_of"}),
        ({"width": 1000, "height": 1000}, {"width": "size_not_one_of", "height": "size_not_one_of"}),
        ({"width": "1024"}, {"width": "must_be_integer"}),
        ({"width": 10**300, "height": -(10**300)}, {"width": "size_not_one_of", "height": "size_not_one_of"}),
        ({"aspect_ratio": "7:5"}, {"aspect_ratio": "not_one_of"}),
        ({"aspect_ratio": 1.5}, {"aspect_ratio": "must_be_string"}),
        ({"aspect_ratio": "1:1", "width": 1024}, {"width": "size_or_ratio"}),
        ({"negative_prompt": "fog"}, {"negative_prompt": "not_taken"}),
        ({"model": "sdxl", "width": 1001}, {"width": "out_of_range_step"}),
        ({"model": "sdxl", "width": 504}, {"width": "out_of_range_step"}),
        ({"model": "sdxl", "height": 1544}, {"height": "out_of_range_step"}),
        ({"model": "sdxl", "quality": 80}, {"quality": "not_taken"}),
        ({"model": "flux-schnell", "guidance_scale": 3}, {"guidance_scale": "not_taken"}),
        ({"steps": 20}, {"steps": "unknown_field"}),
        ({"webhook": "https://evil.example"}, {"webhook": "unknown_field"}),
        ({"disable_safety_checker": True}, {"disable_safety_checker": "unknown_field"}),
        ({"user_id": "bia", "id": "gen_1"}, {"user_id": "unknown_field", "id": "unknown_field"}),
        ({"prompt": "", "num_outputs": 9}, {"prompt": "must_not_be_empty", "num_outputs": "out_of_range"}),
        ({"seed": "7", "x": 1}, {"seed": "must_be_integer", "x": "unknown_field"}),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_fields_that_cannot_be_are_named_with_a_reason(
    fields: dict[str, Any], invalid: dict[str, str], api: Client, ports: ApiPorts
) -> None:
    answer = api.post("/v1/generations", GOOD | fields)

    assert (answer.status, answer.json["code"]) == (422, "invalid_request")
    assert answer.invalid == invalid
    assert nothing_happened(ports)


def test_an_empty_object_lacks_a_model(api: Client) -> None:
    assert api.post("/v1/generations", {}).invalid == {"model": "required"}


def test_an_infinite_number_is_no_number(api: Client) -> None:
    body = '{"model": "flux-dev", "prompt": "x", "guidance_scale": 1e999}'

    assert api.post("/v1/generations", body).invalid == {"guidance_scale": "must_be_number"}


def test_a_refused_field_is_told_what_would_be_taken(api: Client) -> None:
    reasons = {
        param["name"]: param["reason"]
        for body in (GOOD | {"steps": 1}, GOOD | {"num_inference_steps": 99, "negative_prompt": "fog"})
        for param in api.post("/v1/generations", body).json["invalid_params"]
    }

    assert reasons == {
        "steps": "is not a field of this request; it takes model, prompt, negative_prompt, width, height, "
        "aspect_ratio, num_inference_steps, guidance_scale, lora_scale, num_outputs, seed, format, quality",
        "num_inference_steps": "must be from 20 to 50",
        "negative_prompt": "is not taken by flux-dev; it takes prompt, num_inference_steps, guidance_scale, "
        "num_outputs, seed, format, quality, width, height, aspect_ratio",
    }


def test_the_plan_bounds_how_many_images_a_request_may_ask_for(api: Client, ports: ApiPorts) -> None:
    ask = {"model": "flux-schnell", "prompt": "x", "num_outputs": 4}
    assert api.post("/v1/generations", ask).invalid == {"num_outputs": "plan_allows"}

    grant_credits(GrantCredits(ANA, "plan", plan="pro"), ports=ports)

    assert api.post("/v1/generations", ask).status == 202


@pytest.mark.parametrize("key", ["", " ", "a b", "tab\there", "ключ", "x" * 256, "\x7f"], ids=ascii)
def test_an_idempotency_key_must_be_visible_ascii(key: str, api: Client, ports: ApiPorts) -> None:
    answer = api.post("/v1/generations", GOOD, headers={"Idempotency-Key": key})

    assert (answer.status, answer.invalid) == (422, {"Idempotency-Key": "not_visible_ascii"})
    assert nothing_happened(ports)


@pytest.mark.parametrize("key", ["x", "~" * 255, "a,b;c=d"])
def test_any_visible_ascii_is_a_key(key: str, api: Client) -> None:
    assert api.post("/v1/generations", GOOD, headers={"Idempotency-Key": key}).status == 202


@pytest.mark.parametrize(
    "subject",
    [
        None,
        "",
        "a/b",
        "..",
        ".",
        "a b",
        "ana\n",
        "x" * 129,
        "ação",
        "a#b",
        "a?b",
        "a\\b",
        "a%2Fb",
        7,
        ["ana"],
    ],
    ids=repr,
)
@pytest.mark.parametrize("path", ["/v1/account", "/v1/generations", "/v1/generations/x"])
def test_a_subject_that_cannot_be_a_user_is_not_signed_in(
    path: str, subject: object, api: Client, ports: ApiPorts
) -> None:
    answer = api.get(path, user=subject)

    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert ports.calls.names == []


@pytest.mark.parametrize(
    "subject",
    ["9b2f0c1e-1f0a-4a9b-8a8e-0a6e3f3f2d11", "auth0|5f7c8ec7c33c6c004bbafe82", "ana@example.com", "x" * 128],
)
def test_the_subjects_of_common_issuers_are_users(subject: str, api: Client) -> None:
    assert api.get("/v1/account", user=subject).status == 200


@pytest.mark.parametrize(
    "authorizer",
    [{}, None, {"jwt": None}, {"jwt": {"claims": None}}, {"jwt": {"claims": {"email": "ana@x"}}}],
    ids=repr,
)
def test_without_claims_nobody_is_signed_in(authorizer: object, api: Client) -> None:
    assert api.get("/v1/account", user=None, authorizer=authorizer).status == 401
