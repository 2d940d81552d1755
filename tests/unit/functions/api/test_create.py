from __future__ import annotations

from typing import Any

import pytest

from revela.domain.errors import Transient
from revela.ports import Ref
from revela.usecases.grant_credits import GrantCredits, grant_credits
from tests.unit.functions.api.client import ANA, BIA, ApiPorts, Client

REQUEST = {"model": "flux-dev", "prompt": "a lighthouse at dusk", "num_outputs": 2, "seed": 7}
KEY = {"Idempotency-Key": "0d1c2f5e"}


def test_a_request_is_accepted_with_its_credits_held(api: Client, ports: ApiPorts) -> None:
    answer = api.post("/v1/generations", REQUEST)

    assert answer.status == 202
    assert answer.json["status"] == "queued"
    assert answer.json["credits"] == {"estimated": 6, "held": 6, "charged": 0, "refunded": 0}
    assert answer.json["params"] == {
        "prompt": "a lighthouse at dusk",
        "negative_prompt": None,
        "width": 1024,
        "height": 1024,
        "num_inference_steps": 28,
        "guidance_scale": 3.0,
        "lora_scale": None,
        "num_outputs": 2,
        "seed": 7,
        "format": "webp",
        "quality": 80,
    }
    assert answer.headers["Location"] == f"/v1/generations/{answer.json['id']}"
    assert answer.headers["Retry-After"] == str(answer.json["poll_after_s"])
    assert "Idempotency-Replayed" not in answer.headers
    assert ports.commands.started == [Ref(ANA, answer.json["id"])]


def test_the_location_leads_to_the_same_generation(api: Client) -> None:
    accepted = api.post("/v1/generations", REQUEST)

    assert api.get(accepted.headers["Location"]).text == accepted.text


def test_a_request_beyond_the_plans_places_waits(api: Client) -> None:
    first, second = (api.post("/v1/generations", REQUEST).json["status"] for _ in range(2))

    assert (first, second) == ("queued", "waiting")


def test_acceptance_stands_although_no_worker_could_be_told(api: Client, ports: ApiPorts) -> None:
    ports.commands.failure = Transient("the queue is away")

    assert api.post("/v1/generations", REQUEST).status == 202


def test_a_repeated_key_gets_the_first_answer_byte_for_byte(api: Client, ports: ApiPorts) -> None:
    first = api.post("/v1/generations", REQUEST, headers=KEY)
    cancel = api.post(f"{first.headers['Location']}/cancel")
    again = api.post("/v1/generations", REQUEST, headers=KEY)

    assert cancel.json["status"] == "canceled"
    assert (again.status, again.text) == (first.status, first.text)
    # A replay holds nothing, and tells of no limit.
    kept = {name: value for name, value in first.headers.items() if not name.startswith("RateLimit-")}
    assert again.headers == {**kept, "Idempotency-Replayed": "true"}
    assert len(ports.store.generations) == 1


def test_an_answer_tells_how_many_images_the_day_has_left(api: Client) -> None:
    before = api.get("/v1/account").headers
    headers = api.post("/v1/generations", REQUEST).headers

    assert headers["RateLimit-Limit"] == before["RateLimit-Limit"] == "10"
    assert (before["RateLimit-Remaining"], headers["RateLimit-Remaining"]) == ("10", "8")
    assert 0 < int(headers["RateLimit-Reset"]) <= 24 * 60 * 60


def test_the_order_of_fields_does_not_make_another_request(api: Client) -> None:
    first = api.post("/v1/generations", REQUEST, headers=KEY)
    again = api.post("/v1/generations", dict(reversed(REQUEST.items())), headers=KEY)

    assert again.text == first.text


def test_a_key_used_with_another_body_is_refused(api: Client, ports: ApiPorts) -> None:
    api.post("/v1/generations", REQUEST, headers=KEY)
    answer = api.post("/v1/generations", {**REQUEST, "seed": 8}, headers=KEY)

    assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")
    assert len(ports.store.generations) == 1


def test_two_users_may_use_the_same_key(api: Client, ports: ApiPorts) -> None:
    for user in (ANA, BIA):
        answer = api.post("/v1/generations", REQUEST, headers=KEY, user=user)
        assert "Idempotency-Replayed" not in answer.headers

    assert {ref.user_id for ref in ports.store.generations} == {ANA, BIA}


def test_without_a_key_every_request_counts(api: Client, ports: ApiPorts) -> None:
    for _ in range(2):
        api.post("/v1/generations", REQUEST)

    assert len(ports.store.generations) == 2


def test_too_few_credits_are_told_in_numbers(api: Client, ports: ApiPorts) -> None:
    grant_credits(GrantCredits(ANA, "plan", plan="studio"), ports=ports)

    for _ in range(3):
        api.post("/v1/generations", REQUEST)
    answer = api.post("/v1/generations", REQUEST)

    assert (answer.status, answer.json["code"]) == (402, "insufficient_credits")
    assert answer.json["detail"] == "This costs 6 credits and you have 2."


def test_a_full_waiting_room_says_when_to_come_back(api: Client, ports: ApiPorts) -> None:
    grant_credits(GrantCredits(ANA, "gift", credits=100), ports=ports)
    one_image = {"model": "flux-schnell", "prompt": "x", "num_outputs": 1}

    answers = [api.post("/v1/generations", one_image) for _ in range(7)]

    assert [answer.status for answer in answers] == [202] * 6 + [429]
    assert answers[-1].json["code"] == "too_many_jobs"
    assert answers[-1].headers["Retry-After"] == "30"


def test_the_days_images_run_out_until_midnight_utc(api: Client, ports: ApiPorts) -> None:
    grant_credits(GrantCredits(ANA, "gift", credits=100), ports=ports)

    answers = [api.post("/v1/generations", {"model": "flux-schnell", "prompt": "x"}) for _ in range(6)]

    assert [answer.status for answer in answers] == [202] * 5 + [429]
    assert answers[-1].json["code"] == "daily_limit_reached"
    assert int(answers[-1].headers["Retry-After"]) == 12 * 60 * 60 + 1  # the fakes' day began at noon


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"aspect_ratio": "16:9"}, (1344, 768)),
        ({"width": 768, "height": 1344}, (768, 1344)),
        ({}, (1024, 1024)),
    ],
)
def test_the_size_is_shown_in_pixels_however_it_was_asked_for(
    api: Client, given: dict[str, Any], size: tuple[int, int]
) -> None:
    params = api.post("/v1/generations", {"model": "flux-dev", "prompt": "x", **given}).json["params"]

    assert (params["width"], params["height"]) == size


def test_null_is_the_same_as_absent(api: Client) -> None:
    answer = api.post(
        "/v1/generations", {"model": "sdxl", "prompt": "x", "seed": None, "negative_prompt": None}
    )

    assert answer.status == 202
    assert answer.json["params"]["seed"] is not None
    assert answer.json["params"]["negative_prompt"] is None


def test_a_body_may_come_in_base64(api: Client) -> None:
    assert (
        api.post("/v1/generations", {**REQUEST, "prompt": "um farol à noite 🌃"}, binary=True).status == 202
    )
