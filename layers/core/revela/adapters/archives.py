"""Zip archives of objects, on local disk: one file at a time goes through memory, in pieces."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from revela.domain.errors import ArchiveIncomplete
from revela.ports import ArchiveEntry, Objects

FILE_MAX_BYTES = 32 * 1024 * 1024
_CHUNK = 256 * 1024
# Equal photos make equal archives: no file of it has a date.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


class ZipArchives:
    """Stored, not compressed: photos are compressed already."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    @contextmanager
    def pack(self, entries: Sequence[ArchiveEntry]) -> Iterator[Path]:
        with tempfile.NamedTemporaryFile(prefix="archive-", suffix=".zip") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for entry in entries:
                    self._add(archive, entry)
            file.flush()
            yield Path(file.name)

    def _add(self, archive: zipfile.ZipFile, entry: ArchiveEntry) -> None:
        with self._objects.fetch(entry.key, max_bytes=FILE_MAX_BYTES) as found:
            if found is None:
                raise ArchiveIncomplete(f"{entry.name} is gone")
            digest = hashlib.sha256()
            member = zipfile.ZipInfo(entry.name, _NO_DATE)
            with found.path.open("rb") as photo, archive.open(member, "w") as target:
                while chunk := photo.read(_CHUNK):
                    digest.update(chunk)
                    target.write(chunk)
        if digest.hexdigest() != entry.sha256:
            raise ArchiveIncomplete(f"{entry.name} is not what it was")
