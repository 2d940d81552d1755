"""Routes over the adapters that are deployed, on AWS in process: what is stored comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3
import pytest

from revela import bootstrap
from revela.adapters.dynamodb.accounts import DynamoAccounts
from revela.adapters.dynamodb.changes import DynamoChanges
from revela.adapters.dynamodb.generations import DynamoGenerations
from revela.adapters.dynamodb.models import DynamoModels, DynamoPhotos
from revela.adapters.dynamodb.trainings import DynamoTrainings
from revela.adapters.s3 import S3Objects
from revela.domain.change import Change, JobWrite, PhotoWrite
from revela.domain.generation import Blocked
from revela.domain.job import State
from revela.domain.photo import Photo, PhotoState
from revela.ports import ModelRef
from revela.usecases.check_photo import check_photo
from revela.usecases.grant_credits import GrantCredits, grant_credits
from tests.contract.aws import REGION, aws, deploy_tables
from tests.unit.functions.api.client import ANA, BIA, ApiPorts, Client
from tests.unit.functions.api.conftest import forget
from tests.unit.functions.api.rows import output
from tests.unit.usecases.model_life import a_picture, at
from tests.unit.usecases.system import System

BUCKET = "revela-photos"
MODEL = {
    "name": "Ana",
    "kind": "face",
    "class_word": "woman",
    "consent": {"accepted": True, "text_version": "1"},
}


@dataclass
class AwsPorts(ApiPorts):
    """What is stored is stored as it is when deployed; all else are fakes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        tables = deploy_tables()
        s3 = boto3.client("s3", region_name=REGION)
        s3.create_bucket(Bucket=BUCKET)
        stored: dict[str, Any] = {
            "generations": DynamoGenerations(tables),
            "trainings": DynamoTrainings(tables),
            "models": DynamoModels(tables),
            "photos": DynamoPhotos(tables),
            "accounts": DynamoAccounts(tables),
            "changes": DynamoChanges(tables),
            "objects": S3Objects(s3, BUCKET),
        }
        vars(self).update(stored)


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsPorts]:
    with aws():
        wired = AwsPorts()
        forget()
        monkeypatch.setattr(bootstrap, "ports", lambda: wired)
        yield wired
        monkeypatch.undo()
        forget()


@pytest.fixture
def api(ports: AwsPorts) -> Client:
    for user in (ANA, BIA):
        grant_credits(GrantCredits(user, "plan", plan="developer", credits=1000), ports=ports)
    return Client()


def photographed(api: Client, ports: AwsPorts, model_id: str, count: int) -> list[str]:
    """Post photos to their keys and have them judged."""
    answer = api.post(f"/v1/models/{model_id}/photos", {"files": [{"content_type": "image/jpeg"}] * count})
    for number, asked in enumerate(answer.json["photos"]):
        photo = ports.photos.get(ModelRef(ANA, model_id), asked["id"])
        assert photo is not None
        assert asked["upload"]["fields"]["key"] == photo.upload_key
        ports.objects.put_bytes(photo.upload_key, a_picture(number), content_type="image/jpeg")
        check_photo(at(photo), ports=ports)
    return [asked["id"] for asked in answer.json["photos"]]


def test_a_model_goes_from_draft_to_training_and_to_its_end(api: Client, ports: AwsPorts) -> None:
    created = api.post("/v1/models", MODEL)
    path = created.headers["Location"]
    assert api.get(path).json == created.json

    first, *_ = photographed(api, ports, created.json["id"], 6)
    listed = api.get(f"{path}/photos")
    assert [item["status"] for item in listed.json["items"]] == ["accepted"] * 6
    assert "X-Amz-Signature" in listed.json["items"][0]["image"]["url"]
    assert api.get(f"{path}/photos", headers={"If-None-Match": listed.headers["ETag"]}).status == 304
    assert api.patch(f"{path}/photos/{first}", {"category": "full_body"}).json["category"] == "full_body"
    assert api.delete(f"{path}/photos/{first}").status == 204
    assert api.get(path).json["photos"]["accepted"] == 5

    advice = api.get(f"{path}/training-advice").json
    asked = {"body": {"steps": advice["params"]["steps"]}, "headers": {"Idempotency-Key": "k"}}
    training = api.post(f"{path}/trainings", **asked)
    assert (training.status, training.json["credits"]["held"]) == (202, advice["credits"])
    again = api.post(f"{path}/trainings", **asked)
    assert (again.text, again.headers["Idempotency-Replayed"]) == (training.text, "true")
    assert api.get(training.headers["Location"]).json == training.json
    assert api.get(f"{path}/trainings").json["items"] == [training.json]
    assert api.get(path).json["next_step"]["code"] == "wait_for_training"
    assert api.get("/v1/account").json["trainings"] == 1
    assert api.post(f"{training.headers['Location']}/cancel").json["status"] == "canceled"
    assert api.get("/v1/account").json["trainings"] == 0

    assert api.patch(path, {"name": "Another"}).json["name"] == "Another"
    assert [item["name"] for item in api.get("/v1/models").json["items"]] == ["Another"]
    assert api.post("/v1/generations", {"model": created.json["id"], "prompt": "x"}).status == 409
    assert api.delete(path).json["status"] == "deleting"
    assert api.get("/v1/models").json["items"] == []
    assert api.get(path).json["status"] == "deleting"


def test_blocked_images_are_appealed_as_they_were_stored(api: Client, ports: AwsPorts) -> None:
    row = System(ports).accept(num_outputs=2)
    now = ports.clock.now()
    blocked = Blocked(
        index=1,
        category="nudity",
        key=f"{row.quarantine_prefix}1/1",
        appealable_until=now + timedelta(days=7),
    )
    ended = row.model_copy(
        update={"state": State.SUCCEEDED, "outputs": (output(row.id, 0),), "blocked": (blocked,)}
    )
    ports.changes.commit(Change(now=now, job=JobWrite(row, ended)))

    appealed = api.post(f"/v1/generations/{row.id}/appeal", {"reason": "É uma\nestátua."})

    assert appealed.json["appeal"]["reason"] == "É uma\nestátua."
    assert appealed.json["blocked"][0]["appealable_until"] == "2026-03-09T12:00:00.000Z"
    assert "X-Amz-Signature" in appealed.json["outputs"][0]["url"]
    assert "quarantine" not in appealed.text
    assert api.get(f"/v1/generations/{row.id}").json["appeal"] == appealed.json["appeal"]
    assert [item["appeal"] for item in api.get("/v1/generations").json["items"]] == [appealed.json["appeal"]]


def test_too_many_refusals_suspend_and_consent_is_withdrawn_all_the_same(
    api: Client, ports: AwsPorts
) -> None:
    path = api.post("/v1/models", MODEL).headers["Location"]
    asked = {"model": "flux-schnell", "prompt": "a naked woman"}
    statuses = [api.post("/v1/generations", asked).status for _ in range(12)]

    account = api.get("/v1/account").json
    assert statuses == [422] * 11 + [403]
    assert (account["strikes_today"]["used"], account["suspension"]["reason"]) == (11, "too_many_refusals")
    withdrawn = api.delete(f"{path}/consent").json["consent"]
    assert withdrawn["withdrawn_at"] is not None
    assert api.get(path).json["consent"] == withdrawn


def test_what_is_anas_does_not_exist_for_bia(api: Client, ports: AwsPorts) -> None:
    path = api.post("/v1/models", MODEL).headers["Location"]

    for below in ("", "/photos", "/trainings", "/training-advice"):
        assert api.get(path + below, user=BIA).status == 404
    assert api.get("/v1/models", user=BIA).json["items"] == []


def test_a_set_of_two_hundred_photos_is_listed_whole(api: Client, ports: AwsPorts) -> None:
    model_id = api.post("/v1/models", MODEL).json["id"]
    now = ports.clock.now()
    for start in range(0, 200, 50):
        photos = [
            Photo(
                user_id=ANA,
                model_id=model_id,
                id=f"pho_{number:026}",
                state=PhotoState.REJECTED,
                declared_type="image/jpeg",
                created_at=now,
                updated_at=now,
            )
            for number in range(start, start + 50)
        ]
        ports.changes.commit(Change(now=now, photos=tuple(PhotoWrite(None, photo) for photo in photos)))

    shown = api.get(f"/v1/models/{model_id}/photos").json

    assert [item["id"] for item in shown["items"]] == [f"pho_{number:026}" for number in range(200)]
    assert shown["report"]["rejected"] == 200
