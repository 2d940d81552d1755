from __future__ import annotations

from pathlib import Path

from revela.domain.errors import OutputUnusable
from revela.ports import Picture, Provenance, Thumbnail
from tests.fakes.calls import Calls, port_call

_EXTENSIONS = {"image/webp": "webp", "image/jpeg": "jpg", "image/png": "png"}


def picture_bytes(
    content_type: str = "image/webp", width: int = 1024, height: int = 1024, name: str = ""
) -> bytes:
    """Return what FakePictures takes for an image; `name` makes its bytes its own."""
    return f"picture {content_type} {width} {height} {name}".encode()


def marked(picture: bytes, provenance: Provenance) -> bytes:
    """Return it as FakePictures marks it, whatever mark it had."""
    unmarked = picture.partition(b" marked:")[0]
    return unmarked + f" marked:{provenance.generation_id}:{provenance.model}".encode()


class FakePictures:
    """Reads the bytes of `picture_bytes`; everything else is no image."""

    def __init__(self, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()

    @port_call
    def inspect(self, path: Path) -> Picture:
        words = path.read_bytes().split(b" ")
        if words[0] != b"picture" or words[1].decode() not in _EXTENSIONS:
            raise OutputUnusable("not_an_image")
        content_type = words[1].decode()
        return Picture(content_type, _EXTENSIONS[content_type], int(words[2]), int(words[3]))

    @port_call
    def mark(self, path: Path, provenance: Provenance) -> None:
        path.write_bytes(marked(path.read_bytes(), provenance))

    @port_call
    def thumbnail(self, path: Path, provenance: Provenance) -> Thumbnail:
        words = path.read_bytes().split(b" ")
        width, height = int(words[2]), int(words[3])
        scale = min(1.0, 512 / max(width, height))
        small = max(1, round(width * scale)), max(1, round(height * scale))
        return Thumbnail(marked(picture_bytes("image/webp", *small, name="thumbnail"), provenance), *small)

    @port_call
    def rendering(self, path: Path) -> bytes:
        return b"rendering of " + path.read_bytes()
