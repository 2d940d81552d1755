"""The transport to Replicate's API: one connection pool, the token, time-outs, retries.

Reads, cancels and deletions are repeated with exponential back-off and full jitter, as long as the whole
call may take; creates and updates never are, for Replicate knows no idempotency key. What an endpoint takes
and answers is in the modules beside this one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Any, NamedTuple, TypeVar

import httpx
from pydantic import BaseModel

from revela import __version__
from revela.adapters.replicate.answers import as_model, as_nothing, as_text
from revela.adapters.replicate.refusals import refusal, silence
from revela.adapters.replicate.transport import BoundedTransport, Monotonic, time_limit
from revela.domain.errors import (
    OutOfCredit,
    ProviderNotFound,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnauthorized,
)
from revela.domain.retry import backoff
from revela.ports import Clock, Entropy, Telemetry

Model = TypeVar("Model", bound=BaseModel)
Answer = TypeVar("Answer")
Read = Callable[[bytes], Answer]

# A page of a hundred predictions holds their inputs and logs.
ANSWER_MAX_BYTES = 32 * 1024 * 1024
ATTEMPTS = 4
RETRY_BASE = timedelta(seconds=0.5)
RETRY_MAX = timedelta(seconds=8)

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class Timeouts:
    """`total_s` bounds a whole call, its repetitions included; the others each wait within it.

    `upload_s` takes its place where a file of up to 100 MB is sent.
    """

    connect_s: float = 5.0
    read_s: float = 25.0
    write_s: float = 10.0
    pool_s: float = 5.0
    total_s: float = 30.0
    upload_s: float = 300.0


class Endpoint(NamedTuple):
    """`template` is what logs show; `path` is what is asked."""

    template: str
    path: str


def endpoint(template: str, **ids: str) -> Endpoint:
    """Fill a path. Raises ProviderNotFound for an id that can be none, before it can change the path."""
    for value in ids.values():
        if not _ID.fullmatch(value):
            raise ProviderNotFound("not an id of the provider's")
    return Endpoint(template, template.format_map(ids))


class ReplicateClient:
    """Speaks JSON with one Replicate account. One per process.

    `token` is asked before each request, so that a new one is taken up; it goes to `base_url`'s origin
    and nowhere else.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: Callable[[], str],
        clock: Clock,
        entropy: Entropy,
        telemetry: Telemetry,
        transport: httpx.BaseTransport | None = None,
        timeouts: Timeouts = Timeouts(),
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self.telemetry = telemetry
        self._base_url = httpx.URL(base_url.rstrip("/"))
        self._token = token
        self._clock = clock
        self._entropy = entropy
        self._timeouts = timeouts
        self._monotonic = monotonic
        self._http = httpx.Client(
            transport=transport or BoundedTransport(monotonic=monotonic),
            timeout=httpx.Timeout(
                connect=timeouts.connect_s,
                read=timeouts.read_s,
                write=timeouts.write_s,
                pool=timeouts.pool_s,
            ),
            headers={"Accept": "application/json", "User-Agent": f"revela/{__version__}"},
            follow_redirects=False,
            # Proxies and passwords from the environment would see, or replace, the token.
            trust_env=False,
        )

    def get(self, target: Endpoint, answer: type[Model], *, query: Mapping[str, str] | None = None) -> Model:
        url = self._url(target).copy_merge_params(query or {})
        return self._repeated("GET", target, url, as_model(answer))

    def get_text(self, target: Endpoint) -> str:
        return self._repeated("GET", target, self._url(target), as_text)

    def get_next(self, target: Endpoint, answer: type[Model], url: str) -> Model:
        """Follow a link of an answer. Raises ProviderTransient when it leads to another origin."""
        try:
            followed = self._base_url.join(url)
        except (httpx.InvalidURL, ValueError):
            raise ProviderTransient("the next page has no valid URL") from None
        if _origin(followed) != _origin(self._base_url) or followed.userinfo:
            raise ProviderTransient("the next page lies on another origin")
        return self._repeated("GET", target, followed, as_model(answer))

    def query(self, target: Endpoint, answer: type[Model], text: str) -> Model:
        """Ask with a body of plain text, by the method QUERY, which changes nothing."""
        body = {"content": text.encode("utf-8", "replace"), "headers": {"Content-Type": "text/plain"}}
        return self._repeated("QUERY", target, self._url(target), as_model(answer), body)

    def post_repeatable(self, target: Endpoint, answer: type[Model]) -> Model:
        """Ask for something that is the same done twice, such as a cancel."""
        return self._repeated("POST", target, self._url(target), as_model(answer))

    def delete(self, target: Endpoint) -> None:
        """Delete, repeatedly if need be: gone at a repetition means that it was deleted before."""
        self._repeated("DELETE", target, self._url(target), as_nothing, gone_is_done=True)

    def post_once(
        self,
        target: Endpoint,
        answer: type[Model],
        *,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> Model:
        """Ask for something that a repetition would do twice.

        ProviderUnavailable and its kinds mean that it was not done; ProviderTransient itself, that
        nobody knows.
        """
        return self._once("POST", target, as_model(answer), json=body, headers=dict(headers or {}))

    def patch_once(self, target: Endpoint, answer: type[Model], *, body: Mapping[str, Any]) -> Model:
        """Change something; each change of a deployment is a release of its own."""
        return self._once("PATCH", target, as_model(answer), json=body)

    def upload_once(
        self,
        target: Endpoint,
        answer: type[Model],
        *,
        file: tuple[str, IO[bytes], str],
        fields: Mapping[str, str],
    ) -> Model:
        """Send a file as the form field `content`; `file` is its name, its content and its type."""
        request = self._http.build_request(
            "POST", self._url(target), files={"content": file}, data=dict(fields)
        )
        return self._sent(request, target, as_model(answer), limit_s=self._timeouts.upload_s)

    def close(self) -> None:
        self._http.close()

    def _url(self, target: Endpoint) -> httpx.URL:
        return httpx.URL(f"{self._base_url}{target.path}")

    def _once(self, method: str, target: Endpoint, read: Read[Answer], **request: Any) -> Answer:
        built = self._http.build_request(method, self._url(target), **request)
        return self._sent(built, target, read, limit_s=self._timeouts.total_s)

    def _repeated(
        self,
        method: str,
        target: Endpoint,
        url: httpx.URL,
        read: Read[Answer],
        body: Mapping[str, Any] | None = None,
        *,
        gone_is_done: bool = False,
    ) -> Answer:
        give_up_at = self._clock.now() + timedelta(seconds=self._timeouts.total_s)
        repetitions = 0
        while True:
            left_s = (give_up_at - self._clock.now()).total_seconds()
            try:
                request = self._http.build_request(method, url, **(body or {}))
                return self._sent(request, target, read, limit_s=left_s)
            except (OutOfCredit, ProviderUnauthorized):
                raise
            except ProviderNotFound:
                if not (gone_is_done and repetitions):
                    raise
                return read(b"")
            except ProviderTransient as error:
                repetitions += 1
                again_at = self._clock.now() + self._wait(error, repetitions)
                if repetitions >= ATTEMPTS or again_at >= give_up_at:
                    raise
            self._clock.sleep_until(again_at)

    def _wait(self, error: ProviderTransient, repetitions: int) -> timedelta:
        wait = backoff(RETRY_BASE, repetitions - 1, fraction=self._entropy.fraction(), maximum=RETRY_MAX)
        if isinstance(error, ProviderThrottled) and error.retry_after_s is not None:
            # On top of what the provider said, so that its clients do not all come back at once.
            wait += timedelta(seconds=error.retry_after_s)
        return wait

    def _sent(
        self, request: httpx.Request, target: Endpoint, read: Read[Answer], *, limit_s: float
    ) -> Answer:
        request.headers["Authorization"] = f"Bearer {self._token()}"
        told = {"method": request.method, "path": target.template}
        self.telemetry.debug("replicate_request", **told)
        began = self._monotonic()
        status: int | None = None
        try:
            with time_limit(limit_s, monotonic=self._monotonic):
                response = self._http.send(request, stream=True)
                try:
                    status, body = response.status_code, _body(response)
                finally:
                    response.close()
        except httpx.RequestError as error:
            told["error"] = type(error).__name__
            raise silence(error) from error
        finally:
            ms = round((self._monotonic() - began) * 1000)
            self.telemetry.debug("replicate_response", **told, status=status, ms=ms)
        if not response.is_success:
            raise refusal(response.status_code, response.headers, body, now=self._clock.now())
        return read(body)


def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > ANSWER_MAX_BYTES:
            raise httpx.ReadError("the answer is too large")
    return bytes(body)


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port
