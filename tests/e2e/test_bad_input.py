"""What no honest client sends, over real HTTP: a clear refusal, nothing held, and never a server's fault."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import NewUser
from tests.e2e.users import PATH, User, assert_credits_add_up

GOOD: dict[str, Any] = {"model": "flux-schnell", "prompt": "x", "num_outputs": 1}
SDXL = GOOD | {"model": "sdxl"}
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def nobody(new_user: NewUser) -> User:
    """Who gets nothing accepted here."""
    return new_user()


def told(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Hold the answer to be a problem document, and return it."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    return problem


def digits(count: int) -> str:
    return "9" * count


BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "no JSON": (b"{", 400),
    "half a string": (b'{"model": "flux', 400),
    "a list": (b"[]", 400),
    "text": (b'"flux-dev"', 400),
    "null": (b"null", 400),
    # The gateway here replaces what is none; AWS hands it over in base64, and it is a 400.
    "no UTF-8": (b'{"model": "\xff\xfe"}', 422),
    "NaN": (b'{"model": "sdxl", "guidance_scale": NaN}', 400),
    "infinity": (b'{"model": "sdxl", "guidance_scale": 1e999}', 422),
    "nested without end": (b'{"model": ' * 5_000 + b"1" + b"}" * 5_000, 400),
    "lists without end": (b'{"model": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", 400),
    "nested and valid": (b'{"model": ' + b"[" * 100 + b"]" * 100 + b"}", 422),
    "a number of 40,000 digits": (f'{{"model": "sdxl", "seed": {digits(40_000)}}}'.encode(), 400),
    "a fraction of 40,000 digits": (
        f'{{"model": "sdxl", "guidance_scale": 0.{digits(40_000)}}}'.encode(),
        422,
    ),
    "an exponent of its own": (b'{"model": "sdxl", "seed": 1e40000}', 422),
    "a key of 40,000 letters": (b'{"' + b"k" * 40_000 + b'": 1}', 422),
    "thousands of keys": (json.dumps({f"k{n}": n for n in range(4000)}).encode(), 422),
    "a prompt of a megabyte": (json.dumps(GOOD | {"prompt": "x" * MEGABYTE}).encode(), 413),
    "spaces of a megabyte": (b" " * MEGABYTE, 413),
    "a prompt too long": (json.dumps(GOOD | {"prompt": "x" * 60_000}).encode(), 422),
    "half a surrogate": (b'{"model": "sdxl", "prompt": "\\ud800"}', 400),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_any_kind_is_refused_clearly(name: str, nobody: User) -> None:
    body, status = BODIES[name]
    answer = nobody.http.post(PATH, content=body, headers={"Content-Type": "application/json"})
    told(answer, status)


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"model": "dall-e"}, "model"),
    ({"model": ["flux-dev"]}, "model"),
    ({"prompt": ""}, "prompt"),
    ({"prompt": " \n\t "}, "prompt"),
    ({"prompt": 7}, "prompt"),
    ({"prompt": "a\x00b"}, "prompt"),
    ({"prompt": "\x1b[2J"}, "prompt"),
    ({"num_outputs": 0}, "num_outputs"),
    ({"num_outputs": 3}, "num_outputs"),
    ({"num_outputs": True}, "num_outputs"),
    ({"num_outputs": "2"}, "num_outputs"),
    ({"num_outputs": 1.5}, "num_outputs"),
    ({"num_inference_steps": 10**9}, "num_inference_steps"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**63}, "seed"),
    ({"width": 10**9, "height": 10**9}, "width"),
    ({"width": -8, "height": 0}, "width"),
    ({"width": 1000.5}, "width"),
    ({"aspect_ratio": "1:1", "width": 1024}, "width"),
    ({"aspect_ratio": "1:0"}, "aspect_ratio"),
    ({"aspect_ratio": {"w": 1}}, "aspect_ratio"),
    ({"negative_prompt": "x"}, "negative_prompt"),
    ({"guidance_scale": 3}, "guidance_scale"),
    ({"format": "exe"}, "format"),
    ({"format": "png", "quality": 80}, "quality"),
    ({"lora": "x"}, "lora"),
    ({"__proto__": {"admin": True}}, "__proto__"),
    ({"webhook": "http://169.254.169.254/"}, "webhook"),
]


@pytest.mark.parametrize(("change", "name"), FIELDS, ids=[str(change)[:40] for change, _ in FIELDS])
def test_a_field_that_is_not_taken_is_named(change: dict[str, Any], name: str, nobody: User) -> None:
    problem = told(nobody.post(GOOD | change), 422)

    assert name in {param["name"] for param in problem["invalid_params"]}
    assert all(param["reason"] for param in problem["invalid_params"])


@pytest.mark.parametrize(("width", "height"), [(8, 8), (4096, 4096), (1024, 1025), (0, 1024)])
def test_sizes_beyond_what_a_model_makes_are_refused(width: int, height: int, nobody: User) -> None:
    told(nobody.post(SDXL | {"width": width, "height": height}), 422)


@pytest.mark.parametrize(
    "id_",
    [
        "gen_1",
        "gen_" + "0" * 26 + "x",
        "gen_8" + "Z" * 25,
        "account",
        "wait%2301M82E79JZ3BX86ZPVBP6XMRDV",
        "key%23generations%23abc",
        "..",
        "%2e%2e%2faccount",
        "gen_%00",
        "%F0%9F%92%A5",
        "x" * 4000,
        "'; DROP TABLE generations; --",
    ],
    ids=lambda id_: id_[:24],
)
@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("POST", "/cancel"), ("DELETE", "")])
def test_an_id_that_can_be_none_is_not_found(id_: str, method: str, suffix: str, nobody: User) -> None:
    answer = nobody.http.request(method, f"{PATH}/{id_}{suffix}")
    assert answer.status_code in (404, 405), answer.text


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=ten",
        f"limit={digits(5000)}",
        "limit=",
        "cursor=",
        "cursor=AAAA",
        "cursor=%00%ff",
        f"cursor={'Z' * 8000}",
        "cursor=Z2VuXzE&cursor=Z2VuXzI",
        "status=running",
        "status[]=failed",
        "model=dall-e",
        "order=desc",
        "&".join(f"q{n}={n}" for n in range(500)),
    ],
    ids=lambda query: query[:24],
)
def test_a_query_that_is_not_taken_is_refused(query: str, nobody: User) -> None:
    told(nobody.http.get(f"{PATH}?{query}"), 422)


@pytest.mark.parametrize("key", ["x" * 256, "a b", "\x7f", "sch\u00f6n"])
def test_a_key_of_the_wrong_form_is_named(key: str, nobody: User) -> None:
    answer = nobody.http.post(PATH, json=GOOD, headers=[(b"Idempotency-Key", key.encode())])
    assert told(answer, 422)["invalid_params"][0]["name"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/account", 404),
        ("DELETE", PATH, 405),
        ("PATCH", "/v1/account", 405),
        ("GET", "/v1/generations/", 404),
        ("TRACE", "/v1/health", 404),
    ],
)
def test_what_is_not_there_is_not_found(method: str, path: str, status: int, nobody: User) -> None:
    assert nobody.http.request(method, path).status_code == status


def test_an_unknown_address_is_told_as_every_other_error(nobody: User) -> None:
    answer = nobody.http.get("/v1/nothing")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "image/png"])
def test_another_media_type_is_refused(content_type: str, nobody: User) -> None:
    answer = nobody.http.post(PATH, content=json.dumps(GOOD), headers={"Content-Type": content_type})
    told(answer, 415)


def test_after_all_of_this_nothing_was_accepted(nobody: User) -> None:
    assert nobody.all(PATH) == []
    assert nobody.account()["credits"] == {"available": 20, "held": 0, "spent": 0}


PROMPTS = ["🌋🦀👩🏽‍🚀 ﷽", "línea\nuna\tdos \u202egnp.exe", '%s%n${x}{"$ne": 1}' + "x" * 1900]


def test_a_prompt_may_say_anything(user: User) -> None:
    ids = [user.create(prompt=prompt)["id"] for prompt in PROMPTS]

    done = user.wait_all(ids)

    assert [g["params"]["prompt"] for g in done] == PROMPTS
    assert {g["status"] for g in done} == {"succeeded"}
    assert_credits_add_up(user)
