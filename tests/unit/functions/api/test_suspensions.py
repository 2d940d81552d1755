from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from revela.domain import messages
from revela.usecases.lift_suspension import lift_suspension
from tests.unit.functions.api.client import ANA, BIA, ApiPorts, Client
from tests.unit.functions.api.rows import judged, subscribed

GOOD = {"model": "flux-schnell", "prompt": "a lighthouse", "num_outputs": 1}
MODEL = {"name": "Ana", "kind": "face", "consent": {"accepted": True, "text_version": "1"}}
DAY_S = 24 * 60 * 60


def refuse(api: Client, times: int, prompt: str = "a naked woman") -> None:
    for _ in range(times):
        answer = api.post("/v1/generations", GOOD | {"prompt": prompt})
        assert (answer.status, answer.json["code"]) == (422, "prompt_refused")


def suspend(api: Client, ports: ApiPorts) -> None:
    refuse(api, ports.policies.strikes_per_day + 1 - strikes(api)["used"])


def strikes(api: Client) -> Any:
    return api.get("/v1/account").json["strikes_today"]


def test_strikes_are_counted_until_midnight_utc(api: Client, ports: ApiPorts) -> None:
    refuse(api, 2)
    judged(ports, None, "nudity")

    assert strikes(api) == {"used": 3, "limit": 10, "resets_at": "2026-03-03T00:00:00.000Z"}
    assert api.get("/v1/account").json["blocks_today"]["used"] == 1

    ports.clock.advance(timedelta(hours=12))
    tomorrow = api.get("/v1/account").json
    assert (tomorrow["strikes_today"]["used"], tomorrow["blocks_today"]["used"]) == (0, 0)


def test_who_needs_help_is_not_punished_for_asking(api: Client) -> None:
    refuse(api, 1, "a girl cutting her wrists")

    assert strikes(api)["used"] == 0


def test_as_many_strikes_as_the_limit_suspend_nobody(api: Client, ports: ApiPorts) -> None:
    refuse(api, ports.policies.strikes_per_day)

    assert api.get("/v1/account").json["suspension"] is None
    assert api.post("/v1/generations", GOOD).status == 202


@pytest.mark.parametrize(
    ("language", "title", "said"),
    [
        ("en", "Not allowed", "You can go on at 2026-03-03 12:00 UTC"),
        ("pt-BR", "Não permitido", "Você poderá continuar a partir de 2026-03-03 12:00 UTC"),
    ],
)
def test_a_suspended_account_is_told_why_and_until_when(
    language: messages.Language, title: str, said: str, api: Client, ports: ApiPorts
) -> None:
    suspend(api, ports)
    headers = {"Accept-Language": language}

    refused = api.post("/v1/generations", GOOD, headers=headers)
    suspension = api.get("/v1/account", headers=headers).json["suspension"]

    assert (refused.status, refused.json["code"], refused.json["title"]) == (403, "account_suspended", title)
    assert refused.headers["Retry-After"] == str(DAY_S + 1)
    assert said in refused.json["detail"]
    assert suspension == {
        "reason": "too_many_refusals",
        "sentence": refused.json["detail"],
        "since": "2026-03-02T12:00:00.000Z",
        "until": "2026-03-03T12:00:00.000Z",
    }


def test_nothing_that_costs_anything_is_accepted_meanwhile(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).with_photos()
    suspend(api, ports)
    kept = (dict(ports.store.generations), dict(ports.store.models), dict(ports.store.trainings))

    answers = [
        api.post("/v1/generations", GOOD),
        api.post("/v1/models", MODEL),
        api.post(f"/v1/models/{model.id}/trainings", {}),
    ]

    for answer in answers:
        assert (answer.status, answer.json["code"]) == (403, "account_suspended")
        assert int(answer.headers["Retry-After"]) == DAY_S + 1
    assert (ports.store.generations, ports.store.models, ports.store.trainings) == kept


def test_what_there_is_can_be_looked_at_appealed_and_deleted_meanwhile(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, None, "nudity")
    model = subscribed(ports).create()
    suspend(api, ports)
    path = f"/v1/generations/{row.id}"

    assert api.get(path).status == 200
    assert api.post(f"{path}/appeal").status == 202
    assert api.delete(path).status == 204
    assert api.delete(f"/v1/models/{model.id}/consent").status == 202


def test_a_first_answer_is_given_again_although_the_account_was_suspended(
    api: Client, ports: ApiPorts
) -> None:
    key = {"Idempotency-Key": "k"}
    first = api.post("/v1/generations", GOOD, headers=key)
    suspend(api, ports)

    assert api.post("/v1/generations", GOOD, headers=key).text == first.text


def test_nobody_else_is_suspended(api: Client, ports: ApiPorts) -> None:
    suspend(api, ports)

    assert api.post("/v1/generations", GOOD, user=BIA).status == 202


def test_a_suspension_that_is_over_is_not_shown_any_more(api: Client, ports: ApiPorts) -> None:
    suspend(api, ports)

    ports.clock.advance(timedelta(seconds=DAY_S - 1))
    assert api.get("/v1/account").json["suspension"] is not None
    assert api.post("/v1/generations", GOOD).headers["Retry-After"] == "2"

    ports.clock.advance(timedelta(seconds=1))
    assert api.get("/v1/account").json["suspension"] is None
    assert api.post("/v1/generations", GOOD).status == 202


def test_a_suspension_that_was_lifted_is_not_shown_any_more(api: Client, ports: ApiPorts) -> None:
    suspend(api, ports)

    lift_suspension(ANA, ports=ports)

    shown = api.get("/v1/account").json
    assert (shown["suspension"], shown["strikes_today"]["used"]) == (None, 0)
    assert api.post("/v1/generations", GOOD).status == 202
