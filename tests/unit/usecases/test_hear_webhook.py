"""The open door: what proves a webhook, and what becomes of everything else that anybody may send."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revela.adapters.replicate.webhooks import reduced_prediction
from revela.adapters.secrets import WebhookSecret
from revela.adapters.webhook_proofs import WebhookProofs
from revela.domain.errors import Transient
from revela.domain.prediction import Prediction
from revela.usecases.hear_webhook import BODY_MAX_BYTES, DoorPorts, HearWebhook, Verdict, hear_webhook
from tests.fakes.clock import FakeClock
from tests.fakes.telemetry import FakeTelemetry
from tests.unit.adapters.secrets_manager import SecretsManager
from tests.unit.usecases.webhook_cases import (
    BODY,
    GENERATION,
    HEARD,
    KEY,
    MALFORMED,
    OTHER_SECRET,
    PREDICTION,
    SECRET,
    UNPROVEN,
    USER,
    query,
    webhook,
)

# Far below what SQS takes: there is more than one report in a batch.
QUEUE_MESSAGE_MAX_BYTES = 64 * 1024


class Door:
    """A door with everything behind it, and what came through."""

    def __init__(self, **secrets: Any) -> None:
        self.manager = SecretsManager(json.dumps({"replicate": [SECRET], "url_token_key": KEY} | secrets))
        self.sent: list[tuple[str, Mapping[str, Any]]] = []
        self.clock = FakeClock()
        self.telemetry = FakeTelemetry()
        self.ports = DoorPorts(
            proofs=WebhookProofs(WebhookSecret(self.manager.secret())),
            reports=self,
            reduced=reduced_prediction,
            clock=self.clock,
            telemetry=self.telemetry,
        )

    def send(self, user_id: str, report: Mapping[str, Any]) -> None:
        self.sent.append((user_id, report))

    def hear(self, request: HearWebhook) -> Verdict:
        return hear_webhook(request, ports=self.ports)

    def refuses(self, request: HearWebhook, verdict: Verdict = Verdict.UNPROVEN) -> str:
        """Return the reason, having seen that nothing else happened."""
        assert self.hear(request) is verdict
        assert self.sent == []
        assert self.telemetry.counts == {"WebhookRejected": 1}
        (line,) = self.telemetry.lines
        assert (line.level, line.event, list(line.fields)) == ("warning", "webhook_rejected", ["reason"])
        return str(line.fields["reason"])


def test_a_genuine_webhook_is_passed_on_reduced() -> None:
    door = Door()

    assert door.hear(webhook()) is Verdict.HEARD

    assert door.sent == [
        (
            USER,
            {
                "user_id": USER,
                "id": GENERATION,
                "attempt": 2,
                "prediction": {
                    "id": "gm3qorzdhgbfurvjtvhg6dckhu",
                    "status": "succeeded",
                    "output": ["https://replicate.delivery/x/out-0.webp"],
                    "error": None,
                    "predict_time_s": 2.5,
                    "data_removed": False,
                    "created_at": None,
                    "started_at": None,
                    "completed_at": "2026-03-02T11:59:57+00:00",
                },
            },
        )
    ]


def test_what_was_heard_is_told_without_anything_of_a_person() -> None:
    door = Door()

    door.hear(webhook())

    assert door.telemetry.counts == {"WebhookReceived": 1, "WebhookLag": 1}
    assert door.telemetry.values["WebhookLag"] == [3_000.0]
    (line,) = door.telemetry.lines
    told = {
        "generation_id": GENERATION,
        "attempt": 2,
        "prediction_id": "gm3qorzdhgbfurvjtvhg6dckhu",
        "status": "succeeded",
    }
    assert line == ("debug", "webhook_received", told)


def test_a_replay_is_heard_again_for_the_row_knows_what_is_new() -> None:
    door = Door()

    assert [door.hear(webhook()), door.hear(webhook())] == [Verdict.HEARD] * 2
    assert door.sent[0] == door.sent[1]


@pytest.mark.parametrize("name", HEARD)
def test_what_is_proven_is_heard_in_a_form_that_the_consumer_can_read(name: str) -> None:
    door = Door()

    assert door.hear(HEARD[name]) is Verdict.HEARD

    ((user_id, report),) = door.sent
    assert (user_id, report["id"], report["attempt"]) == (USER, GENERATION, 2)
    message = json.dumps(report, allow_nan=False)
    assert len(message) < QUEUE_MESSAGE_MAX_BYTES
    assert Prediction.model_validate_json(json.dumps(report["prediction"])).id == PREDICTION["id"]


@pytest.mark.parametrize(("request_", "reason"), UNPROVEN.values(), ids=UNPROVEN)
def test_what_proves_nothing_is_refused(request_: HearWebhook, reason: str) -> None:
    assert Door().refuses(request_) == reason


@pytest.mark.parametrize("name", MALFORMED)
def test_a_genuine_webhook_that_is_no_prediction_is_malformed(name: str) -> None:
    assert Door().refuses(webhook(MALFORMED[name]), Verdict.MALFORMED) == "body"


def test_what_is_too_large_is_not_even_looked_at() -> None:
    door = Door()

    assert door.refuses(webhook(b" " * (BODY_MAX_BYTES + 1)), Verdict.TOO_LARGE) == "too_large"
    assert door.manager.reads == 0


def test_a_large_webhook_has_room() -> None:
    body = BODY[:-1] + b', "logs": "' + b"x" * (BODY_MAX_BYTES - len(BODY) - 12) + b'"}'

    assert len(body) == BODY_MAX_BYTES
    assert Door().hear(webhook(body)) is Verdict.HEARD


def test_cheap_checks_come_before_the_keys_are_read() -> None:
    door = Door()

    door.hear(replace(webhook(), headers={}))
    door.hear(webhook(timestamp="1"))

    assert door.manager.reads == 0


# Keys that rotate


def test_any_active_secret_of_replicate_will_do() -> None:
    door = Door(replicate=[OTHER_SECRET, SECRET])

    assert [door.hear(webhook()), door.hear(webhook(secret=OTHER_SECRET))] == [Verdict.HEARD] * 2


def test_urls_made_before_our_key_changed_are_still_good() -> None:
    door = Door(url_token_key="new", url_token_key_previous=KEY)

    assert door.hear(webhook()) is Verdict.HEARD
    assert door.hear(webhook(query_string=query(key="new"))) is Verdict.HEARD


@pytest.mark.parametrize(
    ("stored", "request_"),
    [
        ({"replicate": [OTHER_SECRET, SECRET]}, webhook(secret=OTHER_SECRET)),
        ({"url_token_key": "new", "url_token_key_previous": KEY}, webhook(query_string=query(key="new"))),
    ],
)
def test_a_new_key_is_looked_for_before_the_door_says_no(stored: Any, request_: HearWebhook) -> None:
    door = Door()
    door.hear(webhook())
    door.manager.text = json.dumps({"replicate": [SECRET], "url_token_key": KEY} | stored)

    assert door.hear(request_) is Verdict.HEARD


def test_forgers_cannot_make_the_door_read_its_keys_again_and_again() -> None:
    door = Door()

    for _ in range(50):
        door.hear(webhook(secret=OTHER_SECRET))
        door.hear(webhook(query_string=query(token="x")))

    assert door.manager.reads == 2
    door.manager.seconds += 60
    door.hear(webhook(secret=OTHER_SECRET))
    assert door.manager.reads <= 4


def test_before_replicates_secret_is_known_nobody_comes_in() -> None:
    by_anyone = webhook(secret="whsec_" + base64.b64encode(b"\0").decode())

    assert Door(replicate=[]).refuses(by_anyone) == "signature"
    assert Door(replicate=["", "whsec_"]).refuses(by_anyone) == "signature"


# Trouble of our own: Replicate repeats what was not answered by 200


def test_without_keys_a_webhook_is_neither_heard_nor_refused() -> None:
    door = Door()
    door.manager.out_of_order = True

    with pytest.raises(Transient):
        door.hear(webhook())
    assert (door.sent, door.telemetry.counts) == ([], {})


def test_what_could_not_be_sent_was_not_heard() -> None:
    class Broken(Door):
        def send(self, user_id: str, report: Mapping[str, Any]) -> None:
            raise Transient("the queue is away")

    door = Broken()

    with pytest.raises(Transient):
        door.hear(webhook())
    assert door.telemetry.counts == {}


@given(
    headers=st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "x"]), st.text(), max_size=4
    ),
    query_string=st.text(),
    body=st.binary(),
)
def test_nothing_that_anybody_sends_is_an_error(
    headers: dict[str, str], query_string: str, body: bytes
) -> None:
    door = Door()

    assert door.hear(HearWebhook(headers, query_string, body)) is Verdict.UNPROVEN
    assert door.hear(webhook(body, query_string=query_string)) is Verdict.UNPROVEN
    assert door.hear(webhook(body)) is Verdict.MALFORMED
