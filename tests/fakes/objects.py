from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from revela.domain.errors import Transient
from revela.ports import SHOWN, Clock, Fetched, Upload
from tests.fakes.calls import Calls, port_call
from tests.fakes.clock import FakeClock

WINDOW = timedelta(minutes=5)
VALID = timedelta(minutes=15)


class StoredObject(NamedTuple):
    data: bytes
    content_type: str


class FakeObjects:
    """A bucket in memory. With `failure` set, every call but `presign` raises it."""

    def __init__(self, calls: Calls | None = None, *, clock: Clock | None = None) -> None:
        self.calls = calls or Calls()
        self.stored: dict[str, StoredObject] = {}
        self.failure: Exception | None = None
        self._clock = clock or FakeClock()

    @port_call
    def fetch(self, key: str, *, max_bytes: int) -> AbstractContextManager[Fetched | None]:
        self._may_fail()
        return self._fetched(self.stored.get(key), max_bytes)

    def presign_upload(self, key: str, *, content_type: str, max_bytes: int, valid_for: timedelta) -> Upload:
        return Upload("https://bucket.test/", {"key": key, "Content-Type": content_type})

    @contextmanager
    def _fetched(self, found: StoredObject | None, max_bytes: int) -> Iterator[Fetched | None]:
        if found is None:
            yield None
            return
        with tempfile.NamedTemporaryFile() as file:
            file.write(found.data[: max_bytes + 1])
            file.flush()
            size_bytes = min(len(found.data), max_bytes + 1)
            yield Fetched(Path(file.name), size_bytes, hashlib.sha256(found.data).hexdigest()[:8])

    @port_call
    def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        self._may_fail()
        self.stored[key] = StoredObject(path.read_bytes(), content_type)

    @port_call
    def put_bytes(self, key: str, data: bytes, *, content_type: str) -> None:
        self._may_fail()
        self.stored[key] = StoredObject(data, content_type)

    @port_call
    def copy(self, source: str, target: str, *, content_type: str) -> None:
        self._may_fail()
        if source not in self.stored:
            raise Transient("NoSuchKey")
        self.stored[target] = StoredObject(self.stored[source].data, content_type)

    @port_call
    def delete(self, keys: Sequence[str]) -> None:
        self._may_fail()
        for key in keys:
            self.stored.pop(key, None)

    @port_call
    def delete_prefix(self, prefix: str) -> int:
        self._may_fail()
        if not prefix.endswith("/"):
            raise ValueError("a prefix that does not end with / would reach its neighbours")
        doomed = [key for key in self.stored if key.startswith(prefix)]
        for key in doomed:
            del self.stored[key]
        return len(doomed)

    def presign(self, keys: Sequence[str]) -> tuple[dict[str, str], datetime]:
        if not all(key.startswith(SHOWN) for key in keys):
            raise ValueError("a URL of what nobody may be shown")
        now = self._clock.now()
        signed_at = now - timedelta(seconds=now.timestamp() % WINDOW.total_seconds())
        expires_at = signed_at + VALID
        urls = {key: f"https://bucket.test/{quote(key)}?signed={signed_at:%Y%m%dT%H%M%SZ}" for key in keys}
        return urls, expires_at

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure
