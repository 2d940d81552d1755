"""Whose request it is: tokens that prove nothing, and things that belong to somebody else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from local import identity
from local.state import State
from tests.e2e.command_line import api
from tests.e2e.conftest import NewUser
from tests.e2e.users import ENDED, PATH, User, assert_credits_add_up

HEADERS = {"alg": "RS256", "typ": "JWT", "kid": identity.KEY_ID}


def signed(state_dir: Path, claims: dict[str, Any]) -> str:
    key = (state_dir / identity.KEY_FILE).read_bytes()
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": identity.KEY_ID})


def encoded(data: dict[str, Any] | bytes) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def expired(state_dir: Path, claims: dict[str, Any]) -> str:
    return signed(state_dir, claims | {"exp": int(time.time()) - 60})


def not_valid_yet(state_dir: Path, claims: dict[str, Any]) -> str:
    return signed(state_dir, claims | {"nbf": int(time.time()) + 3600})


def unsigned(_: Path, claims: dict[str, Any]) -> str:
    return f"{encoded(HEADERS | {'alg': 'none'})}.{encoded(claims)}."


def signed_with_the_public_key(state_dir: Path, claims: dict[str, Any]) -> str:
    """The classic confusion: what is published taken for the secret of an HMAC."""
    private = serialization.load_pem_private_key((state_dir / identity.KEY_FILE).read_bytes(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    told = f"{encoded(HEADERS | {'alg': 'HS256'})}.{encoded(claims)}"
    return f"{told}.{encoded(hmac.digest(public, told.encode(), hashlib.sha256))}"


def with_claims_of_another(state_dir: Path, claims: dict[str, Any]) -> str:
    head, _, signature = signed(state_dir, claims).split(".")
    return f"{head}.{encoded(claims | {'sub': 'somebody-else'})}.{signature}"


def without_a_signature(state_dir: Path, claims: dict[str, Any]) -> str:
    return signed(state_dir, claims).rpartition(".")[0] + "."


def not_a_token(_state_dir: Path, _claims: dict[str, Any]) -> str:
    return "a.b.c"


FORGERIES = (
    *(expired, not_valid_yet, unsigned, signed_with_the_public_key),
    *(with_claims_of_another, without_a_signature, not_a_token),
)


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_token_that_proves_nothing_opens_nothing(
    forge: Callable[[Path, dict[str, Any]], str], state_dir: Path, engine_state: State
) -> None:
    genuine = identity.sign_token(state_dir, engine_state.issuer_url, "mallory")
    claims = jwt.decode(genuine, options={"verify_signature": False})

    with api(engine_state, forge(state_dir, claims)) as client:
        for method, path in (("GET", "/v1/account"), ("POST", PATH), ("DELETE", f"{PATH}/gen_1")):
            assert client.request(method, path).status_code == 401


@pytest.mark.parametrize("scheme", ["Basic", "", "Token"])
def test_a_token_counts_as_a_bearer_only(scheme: str, new_user: NewUser) -> None:
    user = new_user()
    answer = user.http.get("/v1/account", headers={"Authorization": f"{scheme} {user.token}x".strip()})
    assert answer.status_code == 401


def test_nobody_reaches_what_belongs_to_another(user: User, new_user: NewUser, state_dir: Path) -> None:
    mine = user.wait(user.create()["id"], "succeeded")
    stranger = new_user()
    operator = new_user(admin=True)

    for other in (stranger, operator):
        of_mine, of_nobody = f"{PATH}/{mine['id']}", f"{PATH}/{mine['id'][:-1]}X"
        for method, suffix in (("GET", ""), ("POST", "/cancel"), ("DELETE", "")):
            refused = other.http.request(method, of_mine + suffix)
            nothing = other.http.request(method, of_nobody + suffix)
            assert refused.status_code == 404
            # To the letter what is said of a generation that nobody has.
            told = [json.loads(answer.text) | {"request_id": ""} for answer in (refused, nothing)]
            assert told[0] == told[1]
        assert other.all(PATH) == []
    assert user.generation(mine["id"])["status"] == "succeeded"


def test_a_cursor_of_another_shows_nothing_of_theirs(user: User, new_user: NewUser) -> None:
    user.wait_all([user.create()["id"] for _ in range(2)])
    cursor = user.get(PATH, params={"limit": "1"})["cursor"]

    stranger = new_user()
    assert stranger.get(PATH, params={"cursor": cursor})["items"] == []
    ledger = user.get("/v1/account/ledger", params={"limit": "1"})["cursor"]
    page = stranger.get("/v1/account/ledger", params={"cursor": ledger})
    assert {entry["cause"] for entry in page["items"]} <= {"opened"}


def test_the_same_key_of_two_users_makes_two_generations(new_user: NewUser) -> None:
    users = [new_user(), new_user()]
    body = {"model": "flux-schnell", "prompt": "x", "num_outputs": 1}

    accepted = [user.post(body, key="one-key").json() for user in users]
    assert accepted[0]["id"] != accepted[1]["id"]
    for user, generation in zip(users, accepted, strict=True):
        assert user.wait(generation["id"])["status"] in ENDED
        assert_credits_add_up(user)


@pytest.mark.parametrize("subject", ["", "a/b", "..", "a b", "ä", "x" * 129, "a\nb"])
def test_a_subject_that_could_change_a_path_is_nobody(
    subject: str, state_dir: Path, engine_state: State
) -> None:
    token = identity.sign_token(state_dir, engine_state.issuer_url, subject)
    with api(engine_state, token) as client:
        answer = client.get("/v1/account")
    assert answer.status_code == 401
