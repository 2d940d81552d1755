"""Replicate's webhooks: lost, doubled, overtaking, and from others than Replicate."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import aws, state
from local.replicate.webhooks import sign
from local.state import State
from revela.adapters.url_token import url_token
from tests.e2e.command_line import api
from tests.e2e.conftest import Advance, NewUser, Reconcile
from tests.e2e.stand_in import StandIn
from tests.e2e.users import Json, User, assert_credits_add_up

PATH = "/api/webhooks/generation"
PREDICTION = {"id": "rrr4z55ocneqzikepnug6xezpe", "status": "succeeded", "output": ["https://example.com/x"]}


@dataclass(frozen=True)
class Knock:
    """A webhook as Replicate would send it, until a test replaces a part."""

    secret: str
    query: Mapping[str, str]
    timestamp_s: int
    body: bytes = json.dumps(PREDICTION).encode()
    message_id: str = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    headers: Mapping[str, str | None] | None = None

    def sent(self, current: State) -> httpx.Response:
        headers: dict[str, str | None] = {
            "content-type": "application/json",
            "webhook-id": self.message_id,
            "webhook-timestamp": str(self.timestamp_s),
            "webhook-signature": sign(self.secret, self.message_id, self.timestamp_s, self.body),
        }
        given = {name: value for name, value in (headers | dict(self.headers or {})).items() if value}
        with api(current) as client:
            return client.post(PATH, params=dict(self.query), headers=given, content=self.body)


@pytest.fixture(scope="module")
def owner(new_user: NewUser) -> User:
    return new_user("developer", credits=100)


@pytest.fixture(scope="module")
def succeeded(owner: User) -> Json:
    return owner.wait(owner.create()["id"], "succeeded")


@pytest.fixture
def knock(owner: User, succeeded: Json, engine_state: State, state_dir: Path) -> Knock:
    """A genuine webhook about a generation of `owner` that has succeeded."""
    secret = aws.client("secretsmanager", engine_state.aws_endpoint_url).get_secret_value(
        SecretId=engine_state.secrets["WebhookSecret"]
    )
    key = json.loads(secret["SecretString"])["url_token_key"]
    token = url_token(key, user_id=owner.name, generation_id=succeeded["id"], attempt=1)
    assert engine_state.webhook_secret is not None
    return Knock(
        engine_state.webhook_secret,
        {"user": owner.name, "id": succeeded["id"], "attempt": "1", "token": token},
        int(datetime.now(UTC).timestamp()) + state.read(state_dir).clock_offset_s,
    )


def unchanged(owner: User, succeeded: Json) -> bool:
    return bool(owner.generation(succeeded["id"])["updated_at"] == succeeded["updated_at"])


def test_a_job_ends_though_every_webhook_is_lost(
    user: User, stand_in: StandIn, advance: Advance, reconcile: Reconcile
) -> None:
    stand_in.order(lose_webhooks="all")
    prompt = f"unheard of by {user.name}"
    stand_in.order(fail_predictions={"count": 1, "error": "flagged as sensitive (E005)"})
    failing = user.create(prompt=prompt)["id"]
    user.wait(failing, "processing")
    ids = [user.create(prompt=prompt)["id"] for _ in range(4)]
    for id_ in ids:
        user.wait(id_, "processing")

    advance(35)

    done = user.wait_all(ids, meanwhile=reconcile)
    assert [g["status"] for g in done] == ["succeeded"] * 4
    assert user.wait(failing, "failed")["error"]["code"] == "moderated"
    assert len(stand_in.predictions(prompt)) == 5
    assert_credits_add_up(user)


def test_doubled_and_overtaking_webhooks_change_nothing(user: User, stand_in: StandIn) -> None:
    stand_in.order(double_webhooks="all", reorder_webhooks="all")
    prompt = f"heard twice by {user.name}"

    done = user.wait_all([user.create(prompt=prompt)["id"] for _ in range(4)])

    assert [g["status"] for g in done] == ["succeeded"] * 4
    assert len(stand_in.predictions(prompt)) == 4
    assert_credits_add_up(user)


def test_a_genuine_webhook_repeated_changes_nothing(
    knock: Knock, owner: User, succeeded: Json, engine_state: State
) -> None:
    assert [knock.sent(engine_state).status_code for _ in range(2)] == [200, 200]

    # One that came later has gone through the same queue.
    owner.wait(owner.create()["id"], "succeeded")
    assert unchanged(owner, succeeded)
    assert_credits_add_up(owner)


@pytest.mark.parametrize("status", ["starting", "processing", "succeeded", "failed", "canceled", "aborted"])
def test_a_prediction_that_nobody_owns_is_acknowledged(
    status: str, knock: Knock, owner: User, succeeded: Json, engine_state: State
) -> None:
    unknown = dict(PREDICTION, id=secrets.token_hex(13), status=status)

    assert replace(knock, body=json.dumps(unknown).encode()).sent(engine_state).status_code == 200

    assert unchanged(owner, succeeded)


def other_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


UNPROVEN: dict[str, Any] = {
    "another secret": lambda k: replace(k, secret=other_secret()),
    "six minutes old": lambda k: replace(k, timestamp_s=k.timestamp_s - 360),
    "six minutes ahead": lambda k: replace(k, timestamp_s=k.timestamp_s + 360),
    "another's timestamp": lambda k: replace(k, headers={"webhook-timestamp": str(k.timestamp_s + 1)}),
    "another's id": lambda k: replace(k, headers={"webhook-id": "msg_other"}),
    "no signature": lambda k: replace(k, headers={"webhook-signature": None}),
    "no id": lambda k: replace(k, headers={"webhook-id": None}),
    "no timestamp": lambda k: replace(k, headers={"webhook-timestamp": None}),
    "a timestamp in words": lambda k: replace(k, headers={"webhook-timestamp": "now"}),
    "a timestamp beyond time": lambda k: replace(k, timestamp_s=10**11),
    "a signature of version 2": lambda k: replace(k, headers={"webhook-signature": "v2,c2lnbmVk"}),
    "a signature of noise": lambda k: replace(k, headers={"webhook-signature": "v1,=, ,v1 \t v1,%"}),
    "another generation": lambda k: replace(k, query=dict(k.query, id="gen_01M82GAC9H8Q7QMQE1PQ8V945H")),
    "another user": lambda k: replace(k, query=dict(k.query, user="somebody")),
    "another attempt": lambda k: replace(k, query=dict(k.query, attempt="2")),
    "an attempt in words": lambda k: replace(k, query=dict(k.query, attempt="one")),
    "another token": lambda k: replace(k, query=dict(k.query, token="A" * 43)),
    "no token": lambda k: replace(k, query={n: v for n, v in k.query.items() if n != "token"}),
    "no query": lambda k: replace(k, query={}),
}


@pytest.mark.parametrize("how", UNPROVEN)
def test_a_webhook_that_proves_nothing_is_refused(
    how: str, knock: Knock, owner: User, succeeded: Json, engine_state: State
) -> None:
    refused = UNPROVEN[how](knock).sent(engine_state)

    assert (refused.status_code, refused.json()["code"]) == (401, "webhook_unproven")
    assert unchanged(owner, succeeded)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"no json", 400),
        # What is no UTF-8 does not arrive as it was signed.
        (b"\xff\xfe\x00", 401),
        (b"[]", 400),
        (b"{}", 400),
        (b"[" * 50_000, 400),
        (b'{"id": "x", "status": "exploded"}', 400),
        (b'{"id": {"a": 1}, "status": ["succeeded"]}', 400),
        (b'{"id": "' + b"9" * 100_000 + b'", "status": "succeeded"}', 400),
        (b'{"id": "p", "status": "succeeded", "output": ' + b"9" * 100_000 + b"}", 400),
        (json.dumps(PREDICTION | {"logs": "x" * 7_000_000}).encode(), 413),
        # A training tells its whole log.
        (json.dumps(PREDICTION | {"logs": "x" * 4_000_000}).encode(), 200),
        (json.dumps(PREDICTION | {"output": 1, "error": {"a": [1]}, "metrics": "x"}).encode(), 200),
        (json.dumps(PREDICTION | {"logs": "x" * 500_000, "output": ["u" * 9000] * 50}).encode(), 200),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_signed_body_of_any_kind_is_no_servers_fault(
    body: bytes, status: int, knock: Knock, owner: User, succeeded: Json, engine_state: State
) -> None:
    assert replace(knock, body=body).sent(engine_state).status_code == status

    assert unchanged(owner, succeeded)
