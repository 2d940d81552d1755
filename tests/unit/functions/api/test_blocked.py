"""Images that the judge blocks: told of, charged beyond the day's free ones, and shown to nobody."""

from __future__ import annotations

import pytest

from revela.domain import messages
from revela.domain.generation import Generation
from revela.domain.judgement import HARM_CATEGORIES
from tests.unit.functions.api.client import ApiPorts, Client
from tests.unit.functions.api.rows import judged, made, stored
from tests.unit.usecases.system import System, ref

REQUEST = {"model": "flux-dev", "prompt": "a museum of sculpture", "num_outputs": 2, "seed": 7}
KEPT_UNTIL = "2026-03-09T12:00:00.000Z"


def path(row: Generation) -> str:
    return f"/v1/generations/{row.id}"


def test_blocked_images_are_told_of_beside_those_that_are_shown(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, None, "nudity", model="flux-dev")

    shown = api.get(path(row)).json

    assert (shown["status"], shown["error"], shown["appeal"]) == ("succeeded", None, None)
    assert [output["index"] for output in shown["outputs"]] == [0]
    assert shown["blocked"] == [
        {"index": 1, "category": "nudity", "reason": "nudity", "appealable_until": KEPT_UNTIL}
    ]
    assert shown["credits"] == {"estimated": 6, "held": 0, "charged": 3, "refunded": 3}


@pytest.mark.parametrize("language", messages.LANGUAGES)
@pytest.mark.parametrize("category", HARM_CATEGORIES)
def test_why_an_image_is_blocked_is_told_in_the_users_language(
    category: str, language: messages.Language, api: Client, ports: ApiPorts
) -> None:
    row = judged(ports, category)

    (blocked,) = api.get(path(row), headers={"Accept-Language": language}).json["blocked"]

    assert (blocked["category"], blocked["reason"]) == (category, messages.BLOCKS[category][language])


def test_what_is_not_kept_cannot_be_appealed(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, "violence")
    unkept = tuple(image.model_copy(update={"key": None, "appealable_until": None}) for image in row.blocked)
    ports.store.generations[ref(row)] = row.model_copy(update={"blocked": unkept})

    assert api.get(path(row)).json["blocked"][0]["appealable_until"] is None
    answer = api.post(f"{path(row)}/appeal")
    assert (answer.status, answer.json["code"]) == (409, "appeal_too_late")


@pytest.mark.parametrize(
    ("language", "free", "charged"),
    [
        ("en", "You were not charged", "these were charged"),
        ("pt-BR", "Você não foi cobrado", "estas foram cobradas"),
    ],
)
def test_images_blocked_beyond_the_days_free_ones_are_said_to_be_charged(
    language: str, free: str, charged: str, api: Client, ports: ApiPorts
) -> None:
    first, second = (judged(ports, "nudity", "nudity", model="flux-dev") for _ in range(2))

    (before, after) = (
        api.get(path(row), headers={"Accept-Language": language}).json for row in (first, second)
    )

    assert before["status"] == after["status"] == "failed"
    assert before["error"]["code"] == after["error"]["code"] == "moderated"
    assert (before["credits"]["charged"], after["credits"]["charged"]) == (0, 3)
    assert free in before["error"]["message"]
    assert charged in after["error"]["message"]
    assert free not in after["error"]["message"]
    assert api.get("/v1/account").json["blocks_today"] == {
        "used": 4,
        "limit": 3,
        "resets_at": "2026-03-03T00:00:00.000Z",
    }


def test_nothing_leads_to_a_blocked_image(api: Client, ports: ApiPorts) -> None:
    key = {"Idempotency-Key": "0d1c2f5e"}
    accepted = api.post("/v1/generations", REQUEST, headers=key)
    row = made(ports, System(ports).row(next(iter(ports.store.generations))), None, "nudity")
    (blocked,) = row.blocked
    assert blocked.key in ports.objects.stored

    answers = [
        api.get(path(row)),
        api.get("/v1/generations"),
        api.post(f"{path(row)}/appeal", {"reason": "a statue"}),
        api.post(f"{path(row)}/appeal"),
        api.get(path(row)),
        api.post("/v1/generations", REQUEST, headers=key),
        api.post(f"{path(row)}/cancel"),
        api.get("/v1/account"),
    ]

    assert [answer.status for answer in answers] == [200, 200, 202, 202, 200, 202, 409, 200]
    assert answers[5].text == accepted.text
    for answer in answers:
        told = answer.text + str(answer.headers)
        assert blocked.key not in told
        assert "quarantine" not in told
    assert [output["index"] for output in answers[0].json["outputs"]] == [0]


def test_nothing_leads_to_images_that_are_still_being_judged(api: Client, ports: ApiPorts) -> None:
    row = System(ports).judging(num_outputs=2)

    answer = api.get(path(row))

    assert (answer.json["status"], answer.json["poll_after_s"]) == ("judging", 2)
    assert (answer.json["outputs"], answer.json["blocked"]) == ([], [])
    assert "quarantine" not in answer.text


def test_what_is_being_judged_can_be_listed_but_no_longer_canceled(api: Client, ports: ApiPorts) -> None:
    row = System(ports).judging()
    stored(ports)

    listed = api.get("/v1/generations", query={"status": "judging"}).json["items"]
    canceled = api.post(f"{path(row)}/cancel")

    assert [item["id"] for item in listed] == [row.id]
    assert (canceled.status, canceled.json["code"]) == (409, "generation_saving")
