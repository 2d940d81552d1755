"""The open door: what proves a webhook, and what becomes of everything else that anybody may send."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revela.adapters.replicate.signature import signature
from revela.adapters.replicate.webhooks import reduced_prediction
from revela.adapters.secrets import WebhookSecret
from revela.adapters.url_token import url_token
from revela.adapters.webhook_proofs import WebhookProofs
from revela.domain.errors import Transient
from revela.usecases.hear_webhook import BODY_MAX_BYTES, DoorPorts, HearWebhook, Verdict, hear_webhook
from tests.fakes.clock import START, FakeClock
from tests.fakes.telemetry import FakeTelemetry
from tests.unit.adapters.secrets_manager import SecretsManager

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
OTHER_SECRET = "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"
KEY = "the-key-of-our-urls"
USER, GENERATION = "auth0|ana", "gen_01K4YVZ5M0QH8W3D9RJ2T6XBCE"
NOW_S = int(START.timestamp())
BODY = json.dumps(
    {
        "id": "gm3qorzdhgbfurvjtvhg6dckhu",
        "status": "succeeded",
        "input": {"prompt": "a lighthouse"},
        "logs": "100%",
        "output": ["https://replicate.delivery/x/out-0.webp"],
        "error": None,
        "metrics": {"predict_time": 2.5},
        "completed_at": (START - timedelta(seconds=3)).isoformat(),
    }
).encode()


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


def query(key: str = KEY, **changed: Any) -> str:
    named = {"user": USER, "id": GENERATION, "attempt": 2}
    token = url_token(key, user_id=USER, generation_id=GENERATION, attempt=2)
    return urlencode(named | {"token": token} | changed)


def webhook(
    body: bytes = BODY,
    *,
    secret: str = SECRET,
    timestamp: str = str(NOW_S),
    message_id: str = "msg_1",
    signatures: str = "v1,{good}",
    query_string: str | None = None,
) -> HearWebhook:
    """Return a genuine webhook, but for what is given; `{good}` is the signature in base64."""
    good = signature(secret, message_id=message_id, timestamp=timestamp, body=body)
    return HearWebhook(
        headers={
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signatures.replace("{good}", str(good)),
        },
        query=query() if query_string is None else query_string,
        body=body,
    )


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


@pytest.mark.parametrize(
    "signatures",
    [
        "garbage v1,{good}",
        "v1,not-base64 v1,{good}",
        "v1,AAAA v1,{good} v2,AAAA",
        "v1,ü v1,{good}",
        ",,, v1 v1,{good}",
    ],
)
def test_a_good_signature_is_found_among_others(signatures: str) -> None:
    assert Door().hear(webhook(signatures=signatures)) is Verdict.HEARD


@pytest.mark.parametrize("offset_s", [-300, -299, 0, 299, 300])
def test_a_timestamp_may_be_five_minutes_off_either_way(offset_s: int) -> None:
    assert Door().hear(webhook(timestamp=str(NOW_S + offset_s))) is Verdict.HEARD


@pytest.mark.parametrize("names", [str.upper, str.title, str.lower])
def test_header_names_have_no_case(names: Any) -> None:
    genuine = webhook()
    headers = {names(name): value for name, value in genuine.headers.items()}

    assert Door().hear(replace(genuine, headers=headers)) is Verdict.HEARD


def test_a_body_of_any_bytes_can_be_genuine_but_must_be_a_prediction() -> None:
    assert Door().refuses(webhook(b'{"id": "\xff\xfe"}'), Verdict.MALFORMED) == "body"


UNPROVEN: dict[str, tuple[HearWebhook, str]] = {
    "forged": (webhook(secret=OTHER_SECRET), "signature"),
    "unsigned": (webhook(signatures=" "), "signature"),
    "stale": (webhook(timestamp=str(NOW_S - 301)), "timestamp"),
    "from the future": (webhook(timestamp=str(NOW_S + 301)), "timestamp"),
    "of the year 2021": (webhook(timestamp="1614265330"), "timestamp"),
    "wrong version": (webhook(signatures="v2,{good}"), "signature"),
    "no base64": (webhook(signatures="v1,%%%%"), "signature"),
    "signature of another body": (replace(webhook(), body=BODY + b" "), "signature"),
    "not UTF-8, forged": (replace(webhook(), body=b"\xff\xfe"), "signature"),
    "empty body": (replace(webhook(), body=b""), "signature"),
    "timestamp without digits": (webhook(timestamp="now"), "headers"),
    "timestamp with a sign": (webhook(timestamp=f"+{NOW_S}"), "headers"),
    "timestamp with a fraction": (webhook(timestamp=f"{NOW_S}.0"), "headers"),
    "timestamp with a space": (webhook(timestamp=f" {NOW_S}"), "headers"),
    "timestamp in other digits": (webhook(timestamp="١٧٧٢٤٥٢٨٠٠"), "headers"),
    "timestamp without end": (webhook(timestamp="9" * 5_000), "headers"),
    "id sent twice": (
        replace(webhook(), headers=dict(webhook().headers) | {"Webhook-Id": "msg_1"}),
        "headers",
    ),
    "timestamp joined by a gateway": (webhook(timestamp=f"{NOW_S},{NOW_S}"), "headers"),
    "signature joined by a gateway": (webhook(signatures="v1,{good},v1,{good}"), "signature"),
    "no headers": (replace(webhook(), headers={}), "headers"),
    "no query": (webhook(query_string=""), "url"),
    "token of another attempt": (webhook(query_string=query(attempt=1)), "url"),
    "token of another generation": (webhook(query_string=query(id="gen_other")), "url"),
    "token of another user": (webhook(query_string=query(user="eva")), "url"),
    "wrong token": (webhook(query_string=query(token="A" * 43)), "url"),
    "no token": (webhook(query_string=query(token="")), "url"),
    "token made with another key": (webhook(query_string=query(key="another")), "url"),
    "two tokens": (webhook(query_string=f"{query()}&token=x"), "url"),
    "two users": (webhook(query_string=f"{query()}&user=eva"), "url"),
    "attempt in other words": (webhook(query_string=query(attempt="02")), "url"),
    "attempt that is none": (webhook(query_string=query(attempt="two")), "url"),
    "negative attempt": (webhook(query_string=query(attempt="-2")), "url"),
    "half a query": (webhook(query_string="user=%ff&id&&&==%%%"), "url"),
    "a thousand fields": (webhook(query_string="&".join(f"a{n}=1" for n in range(1_000))), "url"),
}


@pytest.mark.parametrize(("request_", "reason"), UNPROVEN.values(), ids=UNPROVEN)
def test_what_proves_nothing_is_refused(request_: HearWebhook, reason: str) -> None:
    assert Door().refuses(request_) == reason


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("empty", [True, False])
def test_each_header_is_needed(missing: str, empty: bool) -> None:
    headers = {name: value for name, value in webhook().headers.items() if name != missing}

    assert Door().refuses(replace(webhook(), headers=headers | ({missing: ""} if empty else {}))) == "headers"


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[1]", b"{", b'{"id": "a"}', b'{"id": "a/b", "status": "succeeded"}', b"\x00" * 9]
)
def test_a_genuine_webhook_that_is_no_prediction_is_malformed(body: bytes) -> None:
    assert Door().refuses(webhook(body), Verdict.MALFORMED) == "body"


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
