"""What a photo's first bytes say that it is, whatever name or type came along with it."""

from __future__ import annotations

from pathlib import Path

from revela.domain.photo import PhotoFormat, Remark, Unreadable

# Brands of ISO/IEC 23008-12: still pictures in HEVC, and image sequences.
_STILLS = {b"heic", b"heix", b"heim", b"heis", b"mif1"}
_SEQUENCES = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"}
_AVIF = {b"avif", b"avis"}
# What people send besides photos: it deserves a better answer than "this is not a picture".
_OTHERS = (
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"8BPS",
    b"%PDF-",
    b"\0\0\1\0",
    b"\xff\x0a",
    b"\0\0\0\x0cJXL ",
    b"\0\0\0\x0cjP  ",
)
_HEAD_BYTES = 256


def sniffed(path: Path) -> PhotoFormat | Unreadable:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(b"\xff\xd8\xff"):
        return PhotoFormat.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PhotoFormat.PNG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return PhotoFormat.WEBP
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head.startswith(_OTHERS) or b"<svg" in head.lower():
        return Unreadable(Remark(code="unsupported_format"))
    return Unreadable(Remark(code="not_an_image"))


def _by_brand(head: bytes) -> PhotoFormat | Unreadable:
    size = int.from_bytes(head[:4], "big")
    major = head[8:12]
    compatible = {head[at : at + 4] for at in range(16, min(size, len(head)), 4)}
    if major in _SEQUENCES:
        return Unreadable(Remark(code="animated"))
    if major in _STILLS and not compatible & _AVIF:
        return PhotoFormat.HEIC
    return Unreadable(Remark(code="unsupported_format"))
