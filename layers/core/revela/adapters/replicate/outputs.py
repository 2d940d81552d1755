"""The Outputs port: fetches one output of a prediction to a file, in bounded memory, time and size."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO

import httpx

from revela import __version__
from revela.adapters.replicate.origins import AllowedOrigins, Lookup
from revela.adapters.replicate.transport import BoundedTransport, Monotonic, time_limit
from revela.domain.errors import OutputUnusable, ProviderTransient
from revela.domain.retry import backoff
from revela.ports import Clock, Downloaded, Entropy

SIZE_MAX_BYTES = 32 * 1024 * 1024
# `policy.SAVING_LEASE` counts on this.
TOTAL_MAX = timedelta(seconds=60)
ATTEMPTS = 4
RETRY_BASE = timedelta(seconds=0.5)
RETRY_MAX = timedelta(seconds=8)

_CHUNK_BYTES = 64 * 1024
_GONE = frozenset({404, 410})
_LATER = frozenset({408, 425, 429})


class ReplicateOutputs:
    """`origins`: `https://host` allows the host and all below it; with a port, exactly that origin.

    Sends no token: outputs are public to who has their URL, and a token sent there could leak.
    """

    def __init__(
        self,
        *,
        origins: Iterable[str],
        clock: Clock,
        entropy: Entropy,
        size_max_bytes: int = SIZE_MAX_BYTES,
        total_max: timedelta = TOTAL_MAX,
        lookup: Lookup | None = None,
        transport: httpx.BaseTransport | None = None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._origins = AllowedOrigins(origins, lookup=lookup)
        self._clock = clock
        self._entropy = entropy
        self._size_max_bytes = size_max_bytes
        self._total_max = total_max
        self._monotonic = monotonic
        self._http = httpx.Client(
            transport=transport or BoundedTransport(resolve=self._origins.resolve, monotonic=monotonic),
            timeout=httpx.Timeout(connect=5.0, read=15.0, write=5.0, pool=5.0),
            # An encoded body would be checked against the length of another one, and can be a bomb.
            headers={"Accept-Encoding": "identity", "Accept": "*/*", "User-Agent": f"revela/{__version__}"},
            follow_redirects=False,
            trust_env=False,
        )

    def download(self, url: str) -> AbstractContextManager[Downloaded]:
        return self._downloaded(self._origins.checked(url))

    def close(self) -> None:
        self._http.close()

    @contextmanager
    def _downloaded(self, url: httpx.URL) -> Iterator[Downloaded]:
        with tempfile.NamedTemporaryFile(prefix="output-") as file:
            size_bytes, sha256 = self._fetch_repeatedly(url, file)
            yield Downloaded(Path(file.name), size_bytes, sha256)

    def _fetch_repeatedly(self, url: httpx.URL, file: IO[bytes]) -> tuple[int, str]:
        give_up_at = self._clock.now() + self._total_max
        repetitions = 0
        while True:
            left_s = (give_up_at - self._clock.now()).total_seconds()
            try:
                with time_limit(left_s, monotonic=self._monotonic):
                    return self._fetch(url, file)
            except (httpx.RequestError, ProviderTransient) as error:
                repetitions += 1
                wait = backoff(
                    RETRY_BASE, repetitions - 1, fraction=self._entropy.fraction(), maximum=RETRY_MAX
                )
                again_at = self._clock.now() + wait
                if repetitions >= ATTEMPTS or again_at >= give_up_at:
                    # Not chained: the error may quote the URL.
                    raise ProviderTransient(_said(error)) from None
            self._clock.sleep_until(again_at)

    def _fetch(self, url: httpx.URL, file: IO[bytes]) -> tuple[int, str]:
        file.seek(0)
        file.truncate()
        with self._http.stream("GET", url) as response:
            _check_status(response.status_code)
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise OutputUnusable("encoded")
            length = _length(response.headers)
            if length is not None and length > self._size_max_bytes:
                raise OutputUnusable("too_large")
            digest, size_bytes = hashlib.sha256(), 0
            for chunk in response.iter_raw(_CHUNK_BYTES):
                size_bytes += len(chunk)
                if size_bytes > self._size_max_bytes:
                    raise OutputUnusable("too_large")
                digest.update(chunk)
                file.write(chunk)
        if length is not None and size_bytes != length:
            raise ProviderTransient("the output was cut short")
        file.flush()
        return size_bytes, digest.hexdigest()


def _check_status(status: int) -> None:
    if status == 200:
        return
    if status in _GONE:
        raise OutputUnusable("gone")
    if status >= 500 or status in _LATER:
        raise ProviderTransient(f"the output is not served now: {status}")
    # Redirects among them: where they lead is not where we were told to look.
    raise OutputUnusable(f"status_{status}")


def _length(headers: httpx.Headers) -> int | None:
    said = headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() else None


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ProviderTransient) else type(error).__name__
