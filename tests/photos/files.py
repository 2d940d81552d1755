"""Files as people, phones and attackers send them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

from local.photos.training_photos import good_photo

WEST_OF_GREENWICH = "W"


def portrait(side: int = 640) -> Image.Image:
    photo = good_photo(0)
    photo.thumbnail((side * 2, side * 2))
    return photo.crop((0, 0, side, side))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def heic(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=80, **options)
    return file.getvalue()


def heic_sequence() -> bytes:
    """Return a HEIC whose major brand says that its frames follow each other, as a burst's does."""
    return heic(portrait()).replace(b"ftypheic", b"ftyphevc", 1)


def heic_of_two() -> bytes:
    """Return a HEIC with another still behind the first."""
    both = pillow_heif.from_pillow(portrait())
    both.add_from_pillow(Image.new("RGB", (640, 640), "navy"))
    file = io.BytesIO()
    both.save(file, quality=80)
    return file.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    """Return what a phone writes: who took the photo with what, where, and which side is up."""
    found = Image.Exif()
    found[0x0112] = orientation
    found[0x010F] = "SECRET-CAMERA"
    found[0x013B] = "SECRET-AUTHOR"
    found.get_ifd(0x8825).update({1: "S", 2: (23.0, 33.0, 1.0), 3: WEST_OF_GREENWICH, 4: (46.0, 38.0, 2.0)})
    return found


def zip_bomb() -> bytes:
    """Return an archive of 50 KB with 50 MB of zeros in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("photo.jpg", bytes(50_000_000))
    return file.getvalue()


def png(width: int, height: int, *, pixels: bytes = b"") -> bytes:
    """Return a PNG that claims a size, whatever pixels it has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def png_with_text_bomb() -> bytes:
    text = PngImagePlugin.PngInfo()
    for number in range(80):
        text.add_itxt(f"comment{number}", "x" * 1_000_000, zip=True)
    return encoded(portrait(), "PNG", pnginfo=text)


def jpeg_of_size(width: int, height: int) -> bytes:
    """Return a JPEG whose header claims a size that its pixels do not have."""
    data = bytearray(encoded(Image.new("RGB", (64, 64)), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def huge_webp() -> bytes:
    """Return a lossless WebP that claims 16,383 x 16,383 pixels."""
    bits = (16_382 | 16_382 << 14).to_bytes(4, "little")
    vp8l = b"VP8L" + struct.pack("<I", 6) + b"\x2f" + bits + b"\x00"
    return b"RIFF" + struct.pack("<I", 4 + len(vp8l)) + b"WEBP" + vp8l


def huge_heic() -> bytes:
    """Return a HEIC that claims 12,000 x 12,000 pixels."""
    data = bytearray(heic(Image.new("RGB", (512, 512))))
    size = data.index(b"ispe") + 8
    data[size : size + 8] = struct.pack(">II", 12_000, 12_000)
    return bytes(data)


def heic_larger_than_it_says() -> bytes:
    """Return a HEIC of 1,500 x 1,500 pixels that claims 600 x 600."""
    data = bytearray(heic(Image.new("RGB", (1500, 1500), "teal")))
    size = data.index(b"ispe") + 8
    data[size : size + 8] = struct.pack(">II", 600, 600)
    return bytes(data)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """Return an ICC profile in whose eyes red is green: what is red in the file is to be seen as green."""
    return srgb_profile().replace(b"rXYZ", b"tmpZ").replace(b"gXYZ", b"rXYZ").replace(b"tmpZ", b"gXYZ")
