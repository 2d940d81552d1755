"""The API as a frontend uses it, and what a demo insists on."""

from __future__ import annotations

from typing import Any

import httpx

from local import identity
from local.demo.place import STATE_DIR
from local.state import State

Json = dict[str, Any]


class DemoFailed(Exception):
    """Something is not as it must be; the message says what."""


def must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoFailed(otherwise)


def client(current: State, user: str) -> httpx.Client:
    token = identity.sign_token(STATE_DIR, current.issuer_url, user)
    # By address with the Host header: not every resolver knows names under .localhost.
    return httpx.Client(
        base_url=current.aws_endpoint_url,
        headers={"Host": current.api_host, "Authorization": f"Bearer {token}", "Accept-Language": "en"},
        timeout=30,
    )


def ask(api: httpx.Client, method: str, path: str, **how: Any) -> Json:
    answer = api.request(method, path, **how)
    body: Json = answer.json()
    must(answer.is_success, f"{method} {path} answered {answer.status_code}: {body.get('detail', body)}")
    return body


def create(api: httpx.Client, body: Json, key: str) -> Json:
    return ask(api, "POST", "/v1/generations", json=body, headers={"Idempotency-Key": key})
