"""A whole system as its users reach it: its address, their token, and its answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from local import identity, state
from local.check import tokens
from local.check.causes import Cause
from local.check.report import Failed
from local.commands import Refused
from local.replicate.loopback import is_loopback, reachable

USER = "check"
TIMEOUT_S = 30.0

Json = dict[str, Any]


@dataclass(frozen=True)
class System:
    """`issuer` and `audience` are what its authorizer wants, where that is known."""

    api_url: str
    token: str | None = field(repr=False)
    issuer: str | None = None
    audience: str | None = None


def system_of(state_dir: Path, *, api_url: str | None, token: str | None) -> System:
    """Return the system at `api_url`, else the running engine's.

    Raises NotRunning where there is neither, and Refused where the token would be seen on its way.
    """
    if api_url:
        url = urlsplit(api_url)
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname or "")):
            raise Refused("the API's URL must be https://, or http:// on this machine")
        return System(api_url.rstrip("/"), token)
    current = state.read(state_dir)
    return System(
        current.api_url,
        token or identity.sign_token(state_dir, current.issuer_url, USER),
        issuer=current.issuer_url,
        audience=identity.AUDIENCE,
    )


class Api:
    """Asks as a user would; whatever keeps it from an answer is Failed."""

    def __init__(self, http: httpx.Client, system: System) -> None:
        self._http = http
        self._system = system

    def open(self, path: str) -> httpx.Response:
        """Ask without a token, for what needs none."""
        return self._ask("GET", path, {})

    def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **how: Any
    ) -> httpx.Response:
        """Ask as the user. Raises Failed when there is no token, or it is not accepted."""
        if not self._system.token:
            raise Failed(Cause.SIGN_IN_REFUSED, "there is no token: give one with --token")
        if fault := tokens.fault_of(self._system.token):
            raise Failed(Cause.SIGN_IN_REFUSED, fault)
        signed_in = {"Authorization": f"Bearer {self._system.token}", **(headers or {})}
        answer = self._ask(method, path, signed_in, **how)
        if answer.status_code in (401, 403):
            said_of_token = tokens.what_it_says(
                self._system.token,
                issuer=self._system.issuer,
                audience=self._system.audience,
                now=datetime.now(UTC),
            )
            raise Failed(Cause.SIGN_IN_REFUSED, f"{_reason(answer)}: {said_of_token}")
        return answer

    def get(self, path: str, **how: Any) -> Json:
        return body_of(self.ask("GET", path, **how))

    def _ask(self, method: str, path: str, headers: dict[str, str], **how: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, headers=headers, **how)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            seen = f"{self._system.api_url}{path}: {error or type(error).__name__}"
            raise Failed(Cause.API_SILENT, seen) from None


@contextmanager
def opened(system: System) -> Iterator[Api]:
    """Raises Failed for an address that is none."""
    try:
        # By address where the name is one of this machine's: not every resolver knows them.
        url, host = reachable(system.api_url)
    except httpx.InvalidURL as error:
        raise Failed(Cause.API_SILENT, f"{system.api_url}: {error}") from None
    headers = {"Accept-Language": "en", **host}
    with httpx.Client(
        base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=not is_loopback(url.host)
    ) as http:
        yield Api(http, system)


def body_of(answer: httpx.Response) -> Json:
    """Return a good answer's JSON object. Raises Failed for any other."""
    if not answer.is_success:
        cause = Cause.API_FAILING if answer.status_code >= 500 else Cause.API_SILENT
        raise Failed(cause, said(answer))
    body = _json(answer)
    if body is None:
        raise Failed(Cause.API_SILENT, f"{answer.request.url.path} answers, but not in JSON")
    return body


def code_of(answer: httpx.Response) -> str | None:
    """Return the stable code of a refusal that is the API's own."""
    code = (_json(answer) or {}).get("code")
    return code if isinstance(code, str) else None


def said(answer: httpx.Response) -> str:
    """Return a refusal in one line."""
    body = _json(answer) or {}
    faults = body.get("invalid_params") or []
    parts = [
        f"{answer.request.method} {answer.request.url.path}: {answer.status_code}",
        str(body.get("code") or ""),
        str(body.get("detail") or body.get("message") or ""),
        "; ".join(
            f"{fault.get('name')} {fault.get('reason')}" for fault in faults if isinstance(fault, dict)
        ),
    ]
    if retry_after := answer.headers.get("retry-after"):
        parts.append(f"(Retry-After: {retry_after} s)")
    return " ".join(part for part in parts if part)


def _reason(answer: httpx.Response) -> str:
    # API Gateway may say why, within: error_description="the token has expired".
    _, _, told = answer.headers.get("www-authenticate", "").partition("error_description=")
    return f"{answer.status_code}" + (f", {told}" if told else "")


def _json(answer: httpx.Response) -> Json | None:
    try:
        body = answer.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
