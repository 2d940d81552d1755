"""A generation's whole way, for every model: from the request to images, credits and entity tags."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from PIL import Image

from local import engine
from local.state import State
from tests.e2e.command_line import api
from tests.e2e.conftest import NewUser
from tests.e2e.users import PATH, User, assert_credits_add_up

CASES: list[tuple[str, dict[str, Any], str, tuple[int, int], int]] = [
    # request, format, size, credits
    ("flux-dev", {"aspect_ratio": "16:9", "format": "png", "num_outputs": 4}, "PNG", (1344, 768), 12),
    ("flux-schnell", {"width": 896, "height": 1152, "format": "jpg", "quality": 60}, "JPEG", (896, 1152), 1),
    ("sdxl", {"width": 1280, "height": 832, "negative_prompt": "people"}, "PNG", (1280, 832), 1),
]


def fetched(url: str) -> bytes:
    return httpx.get(url, timeout=60, trust_env=False).raise_for_status().content


@pytest.mark.parametrize(("model", "params", "format_", "size", "cost"), CASES)
def test_a_request_becomes_images_and_is_charged(
    user: User, model: str, params: dict[str, Any], format_: str, size: tuple[int, int], cost: int
) -> None:
    accepted = user.create(model, **params)
    assert accepted["status"] == "queued"
    assert accepted["credits"] == {"estimated": cost, "held": cost, "charged": 0, "refunded": 0}
    assert (accepted["outputs"], accepted["error"]) == ([], None)

    done = user.wait(accepted["id"], "succeeded")

    assert done["credits"] == {"estimated": cost, "held": 0, "charged": cost, "refunded": 0}
    assert (done["params"], done["poll_after_s"]) == (accepted["params"], None)
    assert accepted["created_at"] <= done["started_at"] <= done["completed_at"]
    assert [output["index"] for output in done["outputs"]] == list(range(params.get("num_outputs", 1)))
    assert len({output["sha256"] for output in done["outputs"]}) == len(done["outputs"])
    for output in done["outputs"]:
        data = fetched(output["url"])
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (output["sha256"], output["size_bytes"])
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.size) == (format_, size)
            assert (output["width"], output["height"]) == size
            assert "exif" not in image.info
        assert output["content_type"] == Image.MIME[format_]
        with Image.open(io.BytesIO(fetched(output["thumbnail_url"]))) as thumbnail:
            assert (thumbnail.format, max(thumbnail.size)) == ("WEBP", 512)
            assert thumbnail.size == (output["thumbnail_width"], output["thumbnail_height"])
            assert not {"exif", "icc_profile"} & thumbnail.info.keys()
    assert_credits_add_up(user)


def test_the_same_request_with_the_same_seed_makes_the_same_picture(user: User) -> None:
    """Files differ in the generation that each of them names."""
    first = user.create("flux-dev")
    again = user.create("flux-dev", seed=first["params"]["seed"])
    other = user.create("flux-dev")

    done = user.wait_all(g["id"] for g in (first, again, other))
    pixels = [Image.open(io.BytesIO(fetched(g["outputs"][0]["url"]))).tobytes() for g in done]
    assert pixels[0] == pixels[1] != pixels[2]


def test_urls_of_images_work_for_a_while_that_is_told(user: User) -> None:
    (output,) = user.wait(user.create()["id"], "succeeded")["outputs"]

    left = datetime.fromisoformat(output["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=15)
    signed = httpx.URL(output["url"])
    assert signed.params["X-Amz-Expires"] == "900"
    for url in (signed.copy_with(query=None), signed.copy_set_param("X-Amz-Signature", "0" * 64)):
        assert httpx.get(url, trust_env=False).status_code == 403


def test_an_unchanged_generation_is_not_sent_again(user: User) -> None:
    id_ = user.wait(user.create()["id"], "succeeded")["id"]
    first = user.http.get(f"{PATH}/{id_}")

    again = user.http.get(f"{PATH}/{id_}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    other = user.http.get(f"{PATH}/{id_}", headers={"If-None-Match": 'W/"something-else"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_a_listing_pages_through_all_newest_first(new_user: NewUser) -> None:
    user = new_user()
    ids = [user.create()["id"] for _ in range(5)]
    user.wait_all(ids)

    pages, cursor = [], None
    while True:
        page = user.get(PATH, params={"limit": "2"} | ({"cursor": cursor} if cursor else {}))
        pages.append([item["id"] for item in page["items"]])
        cursor = page["cursor"]
        if cursor is None:
            break
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert user.get(PATH, params={"status": "failed"})["items"] == []
    assert len(user.get(PATH, params={"status": "succeeded", "model": "flux-schnell"})["items"]) == 5


def test_a_new_user_starts_on_the_free_plan_and_is_told_its_limits(new_user: NewUser) -> None:
    user = new_user()

    account = user.account()
    assert account["plan"]["id"] == "free"
    assert account["credits"] == {"available": 20, "held": 0, "spent": 0}
    refused = user.post({"model": "flux-schnell", "prompt": "x", "num_outputs": 4})
    assert refused.status_code == 422
    assert refused.json()["invalid_params"][0]["code"] == "plan_allows"
    # By default no more than the plan allows.
    accepted = user.post({"model": "flux-schnell", "prompt": "x"})
    assert accepted.json()["params"]["num_outputs"] == 2
    user.wait(accepted.json()["id"], "succeeded")
    assert_credits_add_up(user)


def test_who_has_too_few_credits_is_told_the_price(new_user: NewUser) -> None:
    user = new_user("pro")
    dear = {"model": "flux-dev", "prompt": "x", "num_outputs": 4}
    accepted = user.post(dear)

    refused = user.http.post(PATH, json=dear, headers={"Accept-Language": "pt-BR"})

    assert (refused.status_code, refused.headers["Content-Type"]) == (402, "application/problem+json")
    problem = refused.json()
    assert (problem["code"], problem["title"]) == ("insufficient_credits", "Créditos insuficientes")
    assert problem["detail"] == "Isto custa 12 créditos e você tem 8."
    user.wait(accepted.json()["id"], "succeeded")
    assert_credits_add_up(user)


def test_the_open_routes_need_no_token(engine_state: State) -> None:
    with api(engine_state) as anybody:
        assert anybody.get("/v1/health").json()["status"] == "ok"
        catalog = anybody.get("/v1/catalog").json()
        served = anybody.get("/v1/openapi.json").json()
    assert [model["id"] for model in catalog["models"]] == [case[0] for case in CASES]
    assert served == json.loads((engine.ROOT / "docs" / "openapi.json").read_text("utf-8"))
