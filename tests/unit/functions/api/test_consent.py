"""Consent is withdrawn: nothing more is made or shown of whoever a model is of, and the model is deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import Conflict
from tests.unit.functions.api.client import ANA, BIA, ApiPorts, Client
from tests.unit.functions.api.rows import made, subscribed
from tests.unit.usecases.system import ALL_DUE, System


def test_a_model_without_consent_is_closed_and_shown_until_it_is_gone(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.trained()
    path = f"/v1/models/{model.id}"

    answer = api.delete(f"{path}/consent")

    assert (answer.status, answer.json["status"]) == (202, "deleting")
    assert answer.json["consent"]["withdrawn_at"] == "2026-03-02T12:00:00.000Z"
    assert answer.json["next_step"]["code"] == "wait_for_deletion"
    assert answer.headers["Retry-After"] == "30"
    shown = api.get(path)
    assert (shown.json, shown.headers["ETag"]) == (answer.json, answer.headers["ETag"])
    assert api.get("/v1/models").json["items"] == []

    System(ports).reconcile(after=ALL_DUE)
    assert (api.get(path).status, life.files()) == (404, set())
    assert api.delete(f"{path}/consent").status == 404


def test_withdrawing_again_changes_nothing(api: Client, ports: ApiPorts) -> None:
    path = f"/v1/models/{subscribed(ports).create().id}/consent"
    first = api.delete(path)
    ports.clock.advance(timedelta(seconds=30))

    again = api.delete(path)

    assert (again.status, again.text, again.headers) == (first.status, first.text, first.headers)


def test_consent_can_be_withdrawn_while_the_model_is_being_deleted(api: Client, ports: ApiPorts) -> None:
    path = f"/v1/models/{subscribed(ports).create().id}"
    deleted = api.delete(path)
    assert deleted.json["consent"]["withdrawn_at"] is None

    withdrawn = api.delete(f"{path}/consent")

    assert withdrawn.json["consent"]["withdrawn_at"] is not None
    assert withdrawn.headers["ETag"] != deleted.headers["ETag"]


def test_nothing_is_made_with_the_model_any_more(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.trained()
    queued = life.generate(model)

    api.delete(f"/v1/models/{model.id}/consent")

    assert api.get(f"/v1/generations/{queued.id}").json["status"] == "canceled"
    refused = api.post("/v1/generations", {"model": model.id, "prompt": "by the sea"})
    assert (refused.status, refused.json["code"]) == (409, "model_deleting")


@pytest.mark.parametrize(
    ("language", "said"), [("en", "You were not charged"), ("pt-BR", "Você não foi cobrado")]
)
def test_images_that_were_under_way_are_not_shown(
    language: str, said: str, api: Client, ports: ApiPorts
) -> None:
    model = subscribed(ports).trained()
    row = System(ports).judging(model=model.id)

    api.delete(f"/v1/models/{model.id}/consent")
    ports.image_judge.decide()
    System(ports).reconcile(after=ALL_DUE)
    System(ports).deliver_finishes()

    shown = api.get(f"/v1/generations/{row.id}", headers={"Accept-Language": language}).json
    assert (shown["status"], shown["outputs"], shown["blocked"]) == ("failed", [], [])
    assert (shown["error"]["code"], shown["credits"]["charged"]) == ("model_closed", 0)
    assert said in shown["error"]["message"]


def test_images_that_were_published_before_stay_until_they_are_deleted(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.trained()
    row = made(ports, life.generate(model), None)

    api.delete(f"/v1/models/{model.id}/consent")
    System(ports).reconcile(after=ALL_DUE)

    assert len(api.get(f"/v1/generations/{row.id}").json["outputs"]) == 1
    assert api.delete(f"/v1/generations/{row.id}").status == 204


def test_only_its_owner_can_withdraw_the_consent_for_a_model(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()

    answer = api.delete(f"/v1/models/{model.id}/consent", user=BIA)

    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert ports.store.models[ANA, model.id] == model


def test_a_withdrawal_that_others_crowd_out_says_so(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()
    api.get("/v1/account")

    def lose(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Conflict({"model"})

    ports.calls.before = lose
    answer = api.delete(f"/v1/models/{model.id}/consent")

    assert (answer.status, answer.json["code"]) == (409, "write_conflict")


@pytest.mark.parametrize("what", ["", "/consent"])
def test_a_model_that_is_gone_before_the_answer_is_written_is_gone_and_not_unknown(
    what: str, api: Client, ports: ApiPorts
) -> None:
    model = subscribed(ports).create()
    reads = []

    def delete_meanwhile(name: str) -> None:
        if name == "FakeChanges.commit":
            reads.append(name)
        elif reads:
            ports.store.models.pop((ANA, model.id), None)

    ports.calls.before = delete_meanwhile
    answer = api.delete(f"/v1/models/{model.id}{what}")

    assert (answer.status, answer.text) == (204, "")
