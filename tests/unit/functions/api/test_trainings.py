from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from revela.domain.job import Failure, State
from revela.domain.training_messages import TRAINING_FAILURES, TRAINING_REMEDIES
from revela.ports import Ref
from revela.usecases.grant_credits import GrantCredits, grant_credits
from tests.fakes import load_catalog
from tests.unit.functions.api.client import ANA, ApiPorts, Client
from tests.unit.functions.api.rows import replaced, subscribed


def path_of(model_id: str) -> str:
    return f"/v1/models/{model_id}/trainings"


def test_a_training_is_accepted_with_its_credits_held(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).with_photos(6)

    answer = api.post(path_of(model.id), {"steps": 600}, headers={"Idempotency-Key": "k"})

    shown = answer.json
    assert answer.status == 202
    assert answer.headers["Location"] == f"{path_of(model.id)}/{shown['id']}"
    assert (shown["model"], shown["status"], shown["trainer"]) == (model.id, "queued", "flux-lora")
    assert shown["params"] == {
        "steps": 600,
        "resolution": 1024,
        "learning_rate": 0.0004,
        "batch_size": 1,
        "lora_rank": 16,
        "autocaption": True,
    }
    assert shown["credits"] == {"estimated": 150, "held": 150, "charged": 0, "refunded": 0}
    assert (shown["photos"], shown["expected_minutes"], shown["error"]) == (6, 14, None)
    assert shown["progress"] == {"percent": 0, "left_s": None, "ends_at": None}
    assert answer.headers["Retry-After"] == str(shown["poll_after_s"])
    assert ports.commands.started == [Ref(ANA, f"{model.id}#{shown['id']}")]
    assert api.get("/v1/account").json["trainings"] == 1
    assert api.get(answer.headers["Location"]).json == shown


def test_a_repeated_request_gets_the_first_answer_again(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.with_photos()
    first = api.post(path_of(model.id), {}, headers={"Idempotency-Key": "k"})
    life.deliver()

    again = api.post(path_of(model.id), {}, headers={"Idempotency-Key": "k"})

    assert (again.status, again.text) == (202, first.text)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(ports.store.trainings) == 1


def test_one_key_trains_one_model(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    one, other = life.with_photos(), life.create()
    api.post(path_of(one.id), {}, headers={"Idempotency-Key": "k"})

    answer = api.post(path_of(other.id), {}, headers={"Idempotency-Key": "k"})

    assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "invalid"),
    [
        ({"trainer": "mine"}, {"trainer": "not_one_of"}),
        ({"trainer": 1}, {"trainer": "must_be_string"}),
        ({"steps": 499}, {"steps": "out_of_range"}),
        ({"steps": 4001}, {"steps": "out_of_range"}),
        ({"steps": "1000"}, {"steps": "must_be_integer"}),
        ({"steps": True}, {"steps": "must_be_integer"}),
        ({"resolution": 1023}, {"resolution": "not_one_of"}),
        ({"learning_rate": 1}, {"learning_rate": "out_of_range"}),
        ({"learning_rate": "fast"}, {"learning_rate": "must_be_number"}),
        ({"batch_size": 0}, {"batch_size": "out_of_range"}),
        ({"lora_rank": 1000}, {"lora_rank": "out_of_range"}),
        ({"autocaption": "yes"}, {"autocaption": "must_be_boolean"}),
        ({"autocaption": 1}, {"autocaption": "must_be_boolean"}),
        ({"trainer": "flux-fast", "resolution": 512}, {"resolution": "not_taken"}),
        ({"trainer": "sdxl-lora", "autocaption": True}, {"autocaption": "not_taken"}),
        ({"photos": []}, {"photos": "unknown_field"}),
        ({"destination": "a/b"}, {"destination": "unknown_field"}),
        ({"steps": 1, "batch_size": 9}, {"steps": "out_of_range", "batch_size": "out_of_range"}),
    ],
    ids=str,
)
def test_what_a_trainer_does_not_take_is_named(
    body: dict[str, Any], invalid: dict[str, str], api: Client, ports: ApiPorts
) -> None:
    model = subscribed(ports).with_photos()

    answer = api.post(path_of(model.id), body)

    assert (answer.status, answer.invalid) == (422, invalid)
    assert (ports.store.trainings, ports.store.accounts[ANA].held) == ({}, 0)


def test_the_price_is_what_the_advice_said_and_grows_with_every_look(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports, "developer").with_photos()
    for trainer in load_catalog().trainers:
        advice = api.get(f"/v1/models/{model.id}/training-advice", query={"trainer": trainer.id}).json
        body = {name: value for name, value in advice["params"].items() if value is not None}

        training = api.post(path_of(model.id), body | {"trainer": trainer.id}).json

        assert training["params"] == advice["params"]
        assert training["credits"]["estimated"] == advice["credits"]
        assert training["expected_minutes"] == advice["expected_minutes"]
        assert advice["credits"] == math.ceil(
            advice["params"]["steps"] * trainer.credits_per_1000_steps / 1000
        )


@pytest.mark.parametrize(("language", "said"), [("en", "photos"), ("pt-BR", "fotos")])
def test_advice_has_a_reason_for_each_parameter_and_what_is_cheaper(
    language: str, said: str, api: Client, ports: ApiPorts
) -> None:
    model = subscribed(ports).with_photos(12)

    answer = api.get(f"/v1/models/{model.id}/training-advice", headers={"Accept-Language": language})

    advice = answer.json
    assert advice["trainer"] == "flux-lora"
    assert [reason["parameter"] for reason in advice["reasons"]] == list(advice["params"])
    assert said in advice["reasons"][0]["sentence"]
    assert advice["provider_cost_micro_usd"] > 0
    assert advice["cheaper"]["credits"] < advice["credits"]
    assert advice["cheaper"]["expected_minutes"] < advice["expected_minutes"]
    assert advice["cheaper"]["gives_up"][0]["sentence"]
    assert advice["photos"]["accepted"] == 12
    assert advice["credits_available"] == 1020
    assert ports.store.accounts[ANA].held == 0


def test_advice_counts_no_credits_that_lapsed(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()
    ends = ports.clock.now() + timedelta(days=1)
    grant_credits(GrantCredits(ANA, "promo", credits=7, expires_at=ends), ports=ports)
    path = f"/v1/models/{model.id}/training-advice"
    assert api.get(path).json["credits_available"] == 1027

    ports.clock.advance(timedelta(days=2))

    assert api.get(path).json["credits_available"] == 1020


def test_advice_without_photos_says_what_to_add(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()

    advice = api.get(f"/v1/models/{model.id}/training-advice").json

    assert advice["warnings"][0]["code"] == "few_photos"
    assert advice["photos"]["missing"][0]["code"] == "more_photos_needed"


@pytest.mark.parametrize(
    ("query", "invalid"),
    [
        ({"trainer": "mine"}, {"trainer": "not_one_of"}),
        ({"trainer": ""}, {"trainer": "not_one_of"}),
        ({"steps": "1"}, {"steps": "unknown_field"}),
    ],
    ids=str,
)
def test_advice_of_no_trainer_is_refused(
    query: dict[str, str], invalid: dict[str, str], api: Client, ports: ApiPorts
) -> None:
    model = subscribed(ports).create()

    answer = api.get(f"/v1/models/{model.id}/training-advice", query=query)

    assert (answer.status, answer.invalid) == (422, invalid)


def test_progress_is_what_the_trainer_told_last_and_counts_for_its_own_attempt(
    api: Client, ports: ApiPorts
) -> None:
    life = subscribed(ports)
    row = life.start_training(life.accept_training(life.with_photos()))
    path = f"{path_of(row.model_id)}/{row.training_id}"
    started = ports.clock.now()
    row = replaced(ports, row, started_at=started, progress_percent=None)

    def progress() -> Any:
        return api.get(path).json["progress"]

    # Before the trainer has said anything: as long as such trainings take.
    assert progress() == {"percent": 0, "left_s": None, "ends_at": "2026-03-02T12:20:30.000Z"}
    told = ports.clock.advance(timedelta(minutes=10))
    row = replaced(ports, row, progress_percent=42, left_s=600, updated_at=told)
    assert progress() == {"percent": 42, "left_s": 600, "ends_at": "2026-03-02T12:20:00.000Z"}
    row = replaced(ports, row, state=State.SAVING)
    assert progress() == {"percent": 99, "left_s": None, "ends_at": None}
    row = replaced(ports, row, state=State.SUCCEEDED)
    assert progress() == {"percent": 100, "left_s": None, "ends_at": None}
    replaced(ports, row, state=State.QUEUED)
    assert progress() == {"percent": 0, "left_s": None, "ends_at": None}


def test_a_trainings_tag_changes_when_it_goes_on(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    row = life.start_training(life.accept_training(life.with_photos()))
    path = f"{path_of(row.model_id)}/{row.training_id}"
    first = api.get(path)
    etag = first.headers["ETag"]

    same = api.get(path, headers={"If-None-Match": etag})
    replaced(ports, row, progress_percent=10)
    later = api.get(path, headers={"If-None-Match": etag})

    assert (same.status, same.headers["Retry-After"]) == (304, "15")
    assert (later.status, later.json["progress"]["percent"]) == (200, 10)
    assert api.get(path, headers={"Accept-Language": "pt-BR", "If-None-Match": etag}).status == 200


@pytest.mark.parametrize("code", TRAINING_FAILURES)
def test_a_failed_training_says_why_and_what_to_do(code: str, api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    row = life.accept_training(life.with_photos())
    failure = Failure(code=code, detail="Traceback: SECRET")
    replaced(ports, row, state=State.FAILED, failure=failure, completed_at=ports.clock.now())

    answer = api.get(f"{path_of(row.model_id)}/{row.training_id}", headers={"Accept-Language": "pt-BR"})

    assert answer.json["error"] == {
        "code": code,
        "message": TRAINING_FAILURES[code]["pt-BR"],
        "advice": TRAINING_REMEDIES[code]["pt-BR"],
    }
    assert "SECRET" not in answer.text
    assert answer.json["credits"] == {"estimated": 250, "held": 0, "charged": 0, "refunded": 250}
    assert "Retry-After" not in answer.headers


def test_a_training_whose_trainer_has_left_the_catalog_is_still_shown(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    row = life.accept_training(life.with_photos())
    replaced(ports, row, trainer="of-former-times")

    shown = api.get(f"{path_of(row.model_id)}/{row.training_id}").json

    assert (shown["trainer"], shown["expected_minutes"]) == ("of-former-times", None)


def test_trainings_come_newest_first_by_pages(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports, "developer")
    model, other = life.with_photos(), life.with_photos()
    ids = []
    for _ in range(3):
        ids.append(life.accept_training(model).training_id)
        ports.clock.advance(timedelta(seconds=1))
    life.accept_training(other)

    first = api.get(path_of(model.id), query={"limit": "2"}).json
    rest = api.get(path_of(model.id), query={"limit": "2", "cursor": first["cursor"]}).json

    assert [item["id"] for item in first["items"] + rest["items"]] == ids[::-1]
    assert rest["cursor"] is None
    assert first["items"][0] == api.get(f"{path_of(model.id)}/{ids[-1]}").json


@pytest.mark.parametrize("query", [{"limit": "0"}, {"cursor": "!!"}, {"status": "failed"}], ids=str)
def test_a_query_that_makes_no_sense_is_refused(query: dict[str, str], api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()

    answer = api.get(path_of(model.id), query=query)

    assert (answer.status, set(answer.invalid)) == (422, set(query))


def test_a_queued_training_is_canceled_at_once(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    row = life.accept_training(life.with_photos())
    path = f"{path_of(row.model_id)}/{row.training_id}/cancel"

    answer = api.post(path)

    assert (answer.status, answer.json["status"]) == (200, "canceled")
    assert answer.json["credits"] == {"estimated": 250, "held": 0, "charged": 0, "refunded": 250}
    assert "Retry-After" not in answer.headers
    assert api.post(path).json == answer.json


def test_a_running_training_is_canceled_by_asking_the_provider(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    row = life.start_training(life.accept_training(life.with_photos()))

    answer = api.post(f"{path_of(row.model_id)}/{row.training_id}/cancel")

    assert (answer.status, answer.json["cancel_requested"]) == (202, True)
    assert answer.headers["Retry-After"] == "15"
    assert ports.commands.started[-1] == Ref(ANA, row.id)


def test_a_training_of_another_model_of_the_same_user_does_not_exist(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    row, other = life.accept_training(life.with_photos()), life.create()

    assert api.get(f"{path_of(other.id)}/{row.training_id}").status == 404
