"""The address that Replicate posts webhooks to: whether Replicate can reach it, and whether it is ours."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx

from local.check.causes import Cause
from local.check.report import Failed, Report, Skipped
from local.replicate.loopback import is_loopback

PATH = "/api/webhooks/generation"
# The code of the refusal that only our door gives.
UNPROVEN = "webhook_unproven"
# Replicate waits "a few seconds" for an answer.
TIMEOUT_S = 10.0
STEPS = ("webhook URL", "webhook address", "webhook certificate", "webhook door")

# Resolves (host, port) to IP addresses, as `socket.getaddrinfo` would.
Lookup = Callable[[str, int], list[str]]


def check(
    report: Report,
    base_url: str | None,
    *,
    from_this_machine: bool,
    lookup: Lookup | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Do the steps. `from_this_machine`: who calls runs here, so that loopback will do, without TLS."""
    url_step, address_step, certificate_step, door_step = STEPS
    if base_url is None:
        report.step(url_step, _no_webhooks)
        return
    door = _Door(base_url, from_this_machine, lookup or _getaddrinfo, tls or httpx.create_ssl_context())
    report.step(url_step, door.url_is_usable)
    report.step(address_step, door.address_is_public, needs=[url_step])
    if base_url.startswith("https:"):
        report.step(certificate_step, door.certificate_is_valid, needs=[address_step])
        address_step = certificate_step
    report.step(door_step, door.is_ours, needs=[address_step])


def _no_webhooks() -> str:
    raise Skipped("none: no webhooks are asked for, jobs finish by polling")


@dataclass(frozen=True)
class _Base:
    """A base URL, taken apart; `shown` is what may be printed of it."""

    shown: str
    scheme: str
    host: str
    port: int
    netloc: str
    path: str

    @classmethod
    def parse(cls, text: str) -> _Base:
        try:
            url = urlsplit(text)
            port = url.port or (443 if url.scheme == "https" else 80)
        except ValueError as error:
            raise Failed(Cause.WEBHOOK_URL_MALFORMED, str(error)) from None
        # Not shown: a password may be in it.
        if url.username is not None:
            raise Failed(Cause.WEBHOOK_URL_MALFORMED, "it carries a user name")
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
            raise Failed(Cause.WEBHOOK_URL_MALFORMED, text)
        path = url.path.rstrip("/")
        if path.endswith(PATH):
            raise Failed(Cause.WEBHOOK_URL_MALFORMED, f"{text} already ends with the path of the webhooks")
        return cls(text.rstrip("/"), url.scheme, url.hostname, port, url.netloc, path)


class _Door:
    def __init__(self, base_url: str, from_this_machine: bool, lookup: Lookup, tls: ssl.SSLContext) -> None:
        self._base_url = base_url
        self._from_this_machine = from_this_machine
        self._lookup = lookup
        self._tls = tls
        self._addresses: list[str] = []

    def url_is_usable(self) -> str:
        base = self._base
        if base.scheme == "https":
            return base.shown
        if not (self._from_this_machine and is_loopback(base.host)):
            raise Failed(Cause.WEBHOOK_NOT_TLS, base.shown)
        return f"{base.shown} (without TLS: it does not leave this machine)"

    def address_is_public(self) -> str:
        base = self._base
        self._addresses = self._found(base)
        for address in self._addresses:
            ip = ipaddress.ip_address(address.partition("%")[0])
            if ip.is_global and not ip.is_multicast:
                continue
            if not (ip.is_loopback and self._from_this_machine):
                raise Failed(Cause.WEBHOOK_NOT_PUBLIC, f"{base.host} is {address}")
        return f"{base.host} is {', '.join(self._addresses)}"

    def certificate_is_valid(self) -> str:
        base = self._base
        try:
            with (
                socket.create_connection((self._addresses[0], base.port), TIMEOUT_S) as plain,
                self._tls.wrap_socket(plain, server_hostname=base.host) as secured,
            ):
                certificate = secured.getpeercert() or {}
        except ssl.SSLCertVerificationError as error:
            raise Failed(Cause.WEBHOOK_CERTIFICATE, error.verify_message) from None
        except ssl.SSLError as error:
            raise Failed(Cause.WEBHOOK_CERTIFICATE, f"no TLS is spoken there ({error.reason})") from None
        except OSError as error:
            raise Failed(Cause.WEBHOOK_UNREACHABLE, str(error) or type(error).__name__) from None
        ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
        return f"valid until {ends_at:%Y-%m-%d}"

    def is_ours(self) -> str:
        """Knock without a proof: our door refuses that with a code of its own."""
        base = self._base
        address = self._addresses[0]
        at = f"{base.scheme}://{f'[{address}]' if ':' in address else address}:{base.port}{base.path}{PATH}"
        try:
            # Replicate follows no redirect, and knows no proxy of ours.
            with httpx.Client(verify=self._tls, trust_env=False, timeout=TIMEOUT_S) as http:
                answer = http.post(
                    at, json={}, headers={"Host": base.netloc}, extensions={"sni_hostname": base.host}
                )
        except httpx.HTTPError as error:
            said = f"no answer at {base.shown}{PATH} ({type(error).__name__})"
            raise Failed(Cause.WEBHOOK_UNREACHABLE, said) from None
        if answer.status_code == 401 and _code(answer) == UNPROVEN:
            return "refuses what Replicate has not signed, as it must"
        seen = f"{answer.status_code} at {base.shown}{PATH}"
        if answer.status_code >= 500:
            raise Failed(Cause.WEBHOOK_UNREACHABLE, seen)
        if answer.is_redirect:
            seen += ", a redirect, which Replicate does not follow"
        elif answer.status_code == 401:
            seen += ", from something before the door that asks for a login"
        raise Failed(Cause.WEBHOOK_NOT_OURS, seen)

    @property
    def _base(self) -> _Base:
        return _Base.parse(self._base_url)

    def _found(self, base: _Base) -> list[str]:
        if base.host == "localhost" or base.host.endswith(".localhost"):
            # Not every resolver knows these names.
            return ["127.0.0.1"]
        try:
            found = self._lookup(base.host, base.port)
        except (OSError, UnicodeError) as error:
            raise Failed(Cause.WEBHOOK_UNRESOLVED, f"{base.host}: {error}") from None
        # Where this machine has no IPv6, the internet has IPv4.
        return sorted(found, key=lambda address: ":" in address)


def _code(answer: httpx.Response) -> object:
    try:
        body = answer.json()
    except ValueError:
        return None
    return body.get("code") if isinstance(body, dict) else None


def _getaddrinfo(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
