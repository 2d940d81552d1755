from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from local import engine
from local.samples import Job, Signing, fresh, kind_of

JOB = Job(
    user_id="zoe", id="gen_01ZZZZZZZZZZZZZZZZZZZZZZZZ", attempt=3, prediction_id="abcdefghijklmnopqrstuvwxyz"
)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
SIGNING = Signing(SECRET, lambda user, generation, attempt: f"{user}/{generation}/{attempt}")


def sample(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((engine.ROOT / "events" / f"{name}.json").read_text())
    return loaded


def test_a_webhook_is_about_the_job_and_its_prediction() -> None:
    event = fresh(sample("replicate_webhook/succeeded"), JOB, SIGNING, NOW)
    assert json.loads(event["body"])["id"] == JOB.prediction_id
    expected = {"user": "zoe", "id": JOB.id, "attempt": "3", "token": f"zoe/{JOB.id}/3"}
    assert event["queryStringParameters"] == expected
    assert parse_qs(event["rawQueryString"]) == {name: [value] for name, value in expected.items()}


def test_a_webhook_is_signed_over_its_new_body_and_the_present_time() -> None:
    event = fresh(sample("replicate_webhook/succeeded"), JOB, SIGNING, NOW)
    headers = event["headers"]
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    message = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{event['body']}".encode()
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_a_body_in_base64_is_signed_as_it_travels() -> None:
    given = {**sample("replicate_webhook/succeeded"), "isBase64Encoded": True}
    given["body"] = base64.b64encode(b'{"status":"starting"}').decode()
    event = fresh(given, JOB, SIGNING, NOW)
    message = f"{event['headers']['webhook-id']}.{event['headers']['webhook-timestamp']}.".encode()
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, message + b'{"status":"starting"}', hashlib.sha256)
    assert event["headers"]["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_without_a_secret_a_webhook_keeps_its_signature() -> None:
    given = sample("replicate_webhook/succeeded")
    assert fresh(given, JOB, None, NOW)["headers"] == given["headers"]


def test_before_its_start_a_job_keeps_the_samples_prediction() -> None:
    unstarted = Job("zoe", JOB.id, 0, None)
    given = sample("replicate_webhook/succeeded")
    event = fresh(given, unstarted, SIGNING, NOW)
    assert json.loads(event["body"])["id"] == json.loads(given["body"])["id"]


def test_a_request_comes_from_the_jobs_user_and_names_the_job() -> None:
    event = fresh(sample("api/get"), JOB, SIGNING, NOW)
    assert event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == "zoe"
    assert event["rawPath"].endswith(JOB.id)
    assert event["pathParameters"]["id"] == JOB.id


def test_a_change_in_the_stream_is_of_the_job() -> None:
    (record,) = fresh(sample("publish_changes/succeeded"), JOB, SIGNING, NOW)["Records"]
    assert record["dynamodb"]["Keys"] == {"user_id": {"S": "zoe"}, "id": {"S": JOB.id}}
    assert record["dynamodb"]["NewImage"]["user_id"] == {"S": "zoe"}


def test_a_queued_message_is_about_the_job_attempt_and_prediction() -> None:
    body = {
        "user_id": "ana",
        "id": "gen_01K4YVZ5M0QH8W3D9RJ2T6XBCE",
        "attempt": 1,
        "prediction": {"id": "gm3qorzdhgbfurvjtvhg6dckhu", "status": "succeeded"},
    }
    event = fresh({"Records": [{"messageId": "1", "body": json.dumps(body)}]}, JOB, SIGNING, NOW)
    assert json.loads(event["Records"][0]["body"]) == {
        "user_id": "zoe",
        "id": JOB.id,
        "attempt": 3,
        "prediction": {"id": JOB.prediction_id, "status": "succeeded"},
    }


MODEL = "mdl_01ZZZZZZZZZZZZZZZZZZZZZZZA"
TRAINING = Job("zoe", f"{MODEL}#trn_01ZZZZZZZZZZZZZZZZZZZZZZZB", 2, "abcdefghijklmnopqrstuvwxyz")
PHOTO = Job("auth0|zoe", f"{MODEL}#pho_01ZZZZZZZZZZZZZZZZZZZZZZZC", 0, None)


def test_a_report_of_a_training_is_about_the_training_attempt_and_prediction() -> None:
    (record,) = fresh(sample("finish_training/succeeded"), TRAINING, SIGNING, NOW)["Records"]
    message = json.loads(record["body"])
    assert (message["user_id"], message["id"], message["attempt"]) == ("zoe", TRAINING.id, 2)
    assert message["prediction"]["id"] == TRAINING.prediction_id


def test_an_upload_is_of_the_photo_and_its_user_as_s3_quotes_them() -> None:
    (record,) = fresh(sample("check_photo/uploaded"), PHOTO, SIGNING, NOW)["Records"]
    (told,) = json.loads(record["body"])["Records"]
    assert told["s3"]["object"]["key"] == f"incoming/auth0%7Czoe/{PHOTO.id.replace('#', '/')}"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("finish_generation/succeeded", "gen"),
        ("finish_training/failed", "trn"),
        ("check_photo/uploaded", "pho"),
        ("check_photo/missed", "pho"),
        ("reconcile_jobs/schedule", "gen"),
        ("api/get_model", "mdl"),
        ("api/cancel_training", "trn"),
    ],
)
def test_a_sample_is_about_a_row_of_its_kind(name: str, kind: str) -> None:
    assert kind_of(sample(name)) == kind


@pytest.mark.parametrize(
    "file", sorted((engine.ROOT / "events").rglob("*.json")), ids=lambda f: f"{f.parent.name}/{f.stem}"
)
def test_every_sample_can_be_made_fresh_and_keeps_its_shape(file: Path) -> None:
    given = json.loads(file.read_text())
    job = {"gen": JOB, "mdl": Job("zoe", MODEL, 0, None), "trn": TRAINING, "pho": PHOTO}[kind_of(given)]
    event = fresh(given, job, SIGNING, NOW)
    assert set(event) == set(given)
    assert not re.search(r"(gen|mdl|trn|pho)_01K4Y", json.dumps(event))
