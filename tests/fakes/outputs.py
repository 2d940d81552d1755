from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from revela.domain.errors import OutputUnusable
from revela.ports import Downloaded
from tests.fakes.calls import Calls, port_call


class FakeOutputs:
    """A web of files by URL. A URL that is not served is gone; one that maps to an error raises it."""

    def __init__(self, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self.files: dict[str, bytes | Exception] = {}

    @port_call
    def download(self, url: str) -> AbstractContextManager[Downloaded]:
        return self._downloaded(self.files.get(url, OutputUnusable("gone")))

    @contextmanager
    def _downloaded(self, served: bytes | Exception) -> Iterator[Downloaded]:
        if isinstance(served, Exception):
            raise served
        with tempfile.NamedTemporaryFile() as file:
            file.write(served)
            file.flush()
            yield Downloaded(Path(file.name), len(served), hashlib.sha256(served).hexdigest())
