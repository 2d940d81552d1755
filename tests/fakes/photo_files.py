from __future__ import annotations

import hashlib
from pathlib import Path

from revela.domain.photo import PhotoFacts, Remark, Unreadable
from tests.fakes.calls import Calls, port_call

_MARK = b"photo "


def photo_bytes(facts: PhotoFacts) -> bytes:
    """Return what FakePhotoFiles takes for a photo with these facts."""
    return _MARK + facts.model_dump_json().encode()


class FakePhotoFiles:
    """Reads the bytes of `photo_bytes`; everything else is no image. The clean copy is the same bytes."""

    def __init__(self, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()

    @port_call
    def inspect(self, path: Path, *, declared_type: str, clean: Path) -> PhotoFacts | Unreadable:
        data = path.read_bytes()
        if not data.startswith(_MARK):
            return Unreadable(Remark(code="not_an_image"))
        clean.write_bytes(data)
        facts = PhotoFacts.model_validate_json(data.removeprefix(_MARK))
        copy = {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        return facts.model_copy(update={"clean": facts.clean.model_copy(update=copy)})
