"""The door as it is deployed, on the sample events: handler, wiring, Secrets Manager and queue."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from replicate_webhook.handler import handler
from revela import bootstrap
from revela.bootstrap import wiring as wirings
from revela.domain.errors import Transient
from revela.domain.prediction import Prediction
from revela.settings import Settings
from revela.usecases.hear_webhook import BODY_MAX_BYTES
from tests.fakes.clock import FakeClock
from tests.unit.functions.webhook_events import KEY, SECRET, sample, signed_again

REGION = "us-east-1"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Context:
    function_name: str = "replicate_webhook"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:replicate_webhook"
    aws_request_id: str = "5c6f0a3e-3b1e-4c4e-9f59-2f2f8ad0a002"


class Stack:
    """The queue and the secret as the template makes them; `messages` empties the queue."""

    def __init__(self) -> None:
        self._sqs = boto3.client("sqs", region_name=REGION)
        self._secrets = boto3.client("secretsmanager", region_name=REGION)
        self.queue_url = self._sqs.create_queue(QueueName="webhooks")["QueueUrl"]
        self.training_queue_url = self._sqs.create_queue(QueueName="training-webhooks")["QueueUrl"]
        self.secret_id = self._secrets.create_secret(
            Name="webhooks", SecretString=json.dumps({"replicate": [SECRET], "url_token_key": KEY})
        )["ARN"]

    def wiring(self) -> wirings.Wiring:
        wiring = wirings.Wiring(
            Settings(
                {
                    "AWS_REGION": REGION,
                    "GENERATION_WEBHOOK_QUEUE_URL": self.queue_url,
                    "TRAINING_WEBHOOK_QUEUE_URL": self.training_queue_url,
                    "WEBHOOK_SECRET_ID": self.secret_id,
                }
            )
        )
        wiring.clock = FakeClock(datetime(2026, 3, 2, 12, 0, 6, tzinfo=UTC))
        return wiring

    def messages(self, queue_url: str | None = None) -> list[dict[str, Any]]:
        received = self._sqs.receive_message(
            QueueUrl=queue_url or self.queue_url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["MessageGroupId"],
        )
        return [
            json.loads(message["Body"]) | {"group": message["Attributes"]["MessageGroupId"]}
            for message in received.get("Messages", [])
        ]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        stack = Stack()
        wiring = stack.wiring()
        monkeypatch.setattr(bootstrap, "ports", lambda: wiring)
        for made in (bootstrap.hear_webhook, wirings.aws_client):
            made.cache_clear()
        yield stack
        for made in (bootstrap.hear_webhook, wirings.aws_client):
            made.cache_clear()


def knock(event: dict[str, Any]) -> dict[str, Any]:
    answer = handler(event, Context())
    assert isinstance(answer, dict)
    return answer


NOTHING_YET: dict[str, Any] = {
    "output": [],
    "error": None,
    "predict_time_s": None,
    "started_at": None,
    "completed_at": None,
}
ENDED = {
    "started_at": "2026-03-02T12:00:01.204000+00:00",
    "completed_at": "2026-03-02T12:00:04.871000+00:00",
}
OUTPUT = [f"https://replicate.delivery/xezq/Lk2hVYtV3wqfXE9/out-{n}.webp" for n in (0, 1)]


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("starting", NOTHING_YET),
        ("succeeded", ENDED | {"output": OUTPUT, "error": None, "predict_time_s": 3.667}),
        (
            "failed",
            ENDED
            | {
                "output": [],
                "error": "Prediction interrupted; please retry (code: PA)",
                "predict_time_s": 1.02,
            },
        ),
        ("canceled", ENDED | {"output": [], "error": None, "predict_time_s": 2.15}),
    ],
)
def test_what_replicate_says_is_in_the_queue_when_it_is_answered(
    stack: Stack, name: str, facts: dict[str, Any]
) -> None:
    assert knock(sample(name)) == {"statusCode": 200}

    (message,) = stack.messages()
    assert message == {
        "group": "ana",
        "user_id": "ana",
        "id": "gen_01K4YVZ5M0QH8W3D9RJ2T6XBCE",
        "attempt": 1,
        "prediction": {
            "id": "gm3qorzdhgbfurvjtvhg6dckhu",
            "status": name,
            "data_removed": False,
            "created_at": "2026-03-02T12:00:00.113000+00:00",
        }
        | facts,
    }
    assert Prediction.model_validate(message["prediction"]).status == name


def test_a_forged_webhook_is_refused_without_a_word_on_why(stack: Stack) -> None:
    answer = knock(sample("forged"))

    assert answer["statusCode"] == 401
    assert answer["headers"] == {"Content-Type": "application/problem+json"}
    assert json.loads(answer["body"]) == {
        "type": "about:blank",
        "title": "The request does not prove that Replicate sent it to this address.",
        "status": 401,
        "code": "webhook_unproven",
    }
    assert stack.messages() == []


def test_every_missing_proof_is_answered_alike(stack: Stack) -> None:
    genuine = sample("succeeded")
    unproven = [
        genuine | {"headers": {}},
        genuine | {"headers": None},
        genuine | {"rawQueryString": ""},
        genuine | {"rawQueryString": None},
        genuine | {"rawQueryString": genuine["rawQueryString"].replace("attempt=1", "attempt=2")},
        genuine | {"body": None},
        genuine | {"body": genuine["body"] + " "},
        genuine | {"body": "\ud800"},
        genuine | {"body": "%%% no base64", "isBase64Encoded": True},
        genuine | {"body": "ü", "isBase64Encoded": True},
        {},
    ]

    answers = [knock(event) for event in unproven]

    assert [answer["statusCode"] for answer in answers] == [401] * len(unproven)
    assert len({answer["body"] for answer in answers}) == 1
    assert stack.messages() == []


def test_a_body_in_base64_is_the_body_that_was_signed(stack: Stack) -> None:
    event = sample("succeeded")
    event["body"], event["isBase64Encoded"] = base64.b64encode(event["body"].encode()).decode(), True

    assert knock(event)["statusCode"] == 200
    assert len(stack.messages()) == 1


def test_a_body_of_more_than_ascii_is_the_body_that_was_signed(stack: Stack) -> None:
    event = signed_again(sample("failed"), error="memória insuficiente 📷")

    assert knock(event)["statusCode"] == 200
    assert stack.messages()[0]["prediction"]["error"] == "memória insuficiente 📷"


def test_a_body_that_is_no_prediction_is_malformed(stack: Stack) -> None:
    answer = knock(signed_again(sample("succeeded"), status="dreaming"))

    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "webhook_malformed"
    assert stack.messages() == []


def test_a_body_that_is_too_large_is_told_so(stack: Stack) -> None:
    answer = knock(signed_again(sample("succeeded"), logs="x" * BODY_MAX_BYTES))

    assert answer["statusCode"] == 413
    assert json.loads(answer["body"])["code"] == "webhook_too_large"
    assert stack.messages() == []


TRAINING_ID = "mdl_01K4YVZ5M0QH8W3D9RJ2T6XBCE#trn_01K4YVZ5M0QH8W3D9RJ2T6XBCF"


def test_a_training_with_its_whole_log_is_heard_by_the_worker_of_trainings(stack: Stack) -> None:
    made = {"version": f"acme/revela-flux-lora:{'0' * 64}", "weights": "https://replicate.delivery/t/w.tar"}
    event = signed_again(sample("succeeded"), job_id=TRAINING_ID, output=made, logs="x" * 5_000_000)

    assert knock(event) == {"statusCode": 200}

    (message,) = stack.messages(stack.training_queue_url)
    assert (message["user_id"], message["id"], message["attempt"]) == ("ana", TRAINING_ID, 1)
    told = Prediction.model_validate(message["prediction"])
    assert (told.trained_version, told.weights_url) == (made["version"], made["weights"])
    assert (told.output, told.logs) == ((), None)
    assert stack.messages() == []


def test_a_token_of_a_generation_opens_no_training(stack: Stack) -> None:
    event = signed_again(sample("succeeded"))
    query = event["rawQueryString"].replace("gen_", "mdl_1%23trn_")

    assert knock(event | {"rawQueryString": query})["statusCode"] == 401
    assert stack.messages(stack.training_queue_url) == []


@pytest.mark.parametrize("user_id", ["ana maria", "用户", "x" * 200])
def test_a_user_whom_the_queue_cannot_name_has_a_group_of_their_own(stack: Stack, user_id: str) -> None:
    assert knock(signed_again(sample("starting"), user_id=user_id))["statusCode"] == 200
    assert knock(signed_again(sample("starting"), user_id=f"{user_id}!"))["statusCode"] == 200

    first, second = stack.messages()
    assert {first["user_id"], second["user_id"]} == {user_id, f"{user_id}!"}
    assert first["group"] != second["group"]


def test_a_user_of_another_directory_is_their_own_group(stack: Stack) -> None:
    knock(signed_again(sample("starting"), user_id="auth0|ana"))

    assert stack.messages()[0]["group"] == "auth0|ana"


def test_when_the_queue_is_away_replicate_is_to_try_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.queue_url = "https://sqs.us-east-1.amazonaws.com/123456789012/nobody"
    wiring = stack.wiring()
    monkeypatch.setattr(bootstrap, "ports", lambda: wiring)

    with pytest.raises(Transient):
        knock(sample("succeeded"))


def test_the_door_starts_without_the_heavy_libraries(stack: Stack) -> None:
    script = """
import sys
from replicate_webhook import handler
handler.bootstrap.hear_webhook()
print(*{name.partition(".")[0] for name in sys.modules})
"""
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("functions", "layers/core")),
        "GENERATION_WEBHOOK_QUEUE_URL": stack.queue_url,
        "WEBHOOK_SECRET_ID": stack.secret_id,
    }

    loaded = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True
    ).stdout.split()

    assert {"revela", "botocore", "aws_lambda_powertools"} <= set(loaded)
    assert not {"pydantic", "pynamodb", "httpx", "boto3", "PIL"} & set(loaded)


def test_each_sample_is_used() -> None:
    names = {file.stem for file in (ROOT / "events" / "replicate_webhook").iterdir()}

    assert names == {"starting", "succeeded", "failed", "canceled", "forged"}
