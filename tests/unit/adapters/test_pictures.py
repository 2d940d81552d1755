"""What Pillow is allowed to decode, and what becomes of what people and models send."""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from revela.adapters.pictures import RENDERING_SIDE, THUMBNAIL_SIDE, PillowPictures
from revela.adapters.provenance import xmp_packet
from revela.domain.errors import OutputUnusable
from revela.ports import Picture, Provenance, Thumbnail

PICTURES = PillowPictures()
PROVENANCE = Provenance("gen_01", "black-forest-labs/flux-dev")
READERS = (PICTURES.inspect, partial(PICTURES.thumbnail, provenance=PROVENANCE), PICTURES.rendering)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "output"


def drawn(width: int = 96, height: int = 64) -> Image.Image:
    image = Image.new("RGB", (width, height))
    ImageDraw.Draw(image).ellipse((0, 0, width, height), fill="orange")
    return image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noisy(width: int = 96, height: int = 64) -> Image.Image:
    return Image.frombytes("RGB", (width, height), random.Random(1).randbytes(width * height * 3))


def thumbnail_of(path: Path) -> Thumbnail:
    return PICTURES.thumbnail(path, PROVENANCE)


def png(width: int, height: int, *, pixels: bytes = b"") -> bytes:
    """Write a PNG that claims a size, whatever pixels it has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def huge_webp() -> bytes:
    """Write a lossless WebP that claims 16,383 x 16,383 pixels."""
    bits = (16_382 | 16_382 << 14).to_bytes(4, "little")
    vp8l = b"VP8L" + struct.pack("<I", 6) + b"\x2f" + bits + b"\x00"
    return b"RIFF" + struct.pack("<I", 4 + len(vp8l)) + b"WEBP" + vp8l


@pytest.mark.parametrize(
    ("kind", "content_type", "extension"),
    [("JPEG", "image/jpeg", "jpg"), ("PNG", "image/png", "png"), ("WEBP", "image/webp", "webp")],
)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (96, 64), (1536, 640)])
def test_what_may_be_published_is_told_by_its_bytes(
    path: Path, kind: str, content_type: str, extension: str, width: int, height: int
) -> None:
    path.write_bytes(encoded(drawn(width, height), kind))

    assert PICTURES.inspect(path) == Picture(content_type, extension, width, height)


NOT_IMAGES = [
    b"",
    b"x",
    b"<html><body>502 Bad Gateway</body></html>",
    b"\xff\xd8",
    b"\x89PNG\r\n\x1a",
    b"RIFF\x00\x00\x00\x00WAVE",
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    *(encoded(Image.new("RGB", (8, 8)), kind) for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM", "PDF")),
    b"%!PS-Adobe-3.0 EPSF-3.0\n",
]


@pytest.mark.parametrize("data", NOT_IMAGES)
def test_other_formats_are_not_even_opened(path: Path, data: bytes) -> None:
    path.write_bytes(data)

    for read in READERS:
        with pytest.raises(OutputUnusable) as raised:
            read(path)
        assert raised.value.reason == "not_an_image"


def test_a_name_decides_nothing(tmp_path: Path) -> None:
    disguised = tmp_path / "picture.png"
    disguised.write_bytes(encoded(drawn(), "JPEG"))

    assert PICTURES.inspect(disguised).content_type == "image/jpeg"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_picture_cut_short_is_broken(path: Path, kind: str, kept: float) -> None:
    whole = encoded(noisy(), kind)
    path.write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(OutputUnusable, match="broken_image"):
        PICTURES.inspect(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damage_is_decoded_or_refused_but_never_an_accident(path: Path, kind: str) -> None:
    whole = encoded(noisy(32, 32), kind)
    dice = random.Random(7)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged)
        for read in READERS:
            try:
                read(path)
            except OutputUnusable:
                refused += 1

    assert refused > 0


@pytest.mark.parametrize(
    "bomb",
    [
        png(50_001, 1_000),
        png(10_000, 10_000),
        png(20_000, 20_000),
        png(2**31 - 1, 2**31 - 1),
        huge_webp(),
    ],
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(path: Path, bomb: bytes) -> None:
    path.write_bytes(bomb)

    for read in READERS:
        with pytest.raises(OutputUnusable) as raised:
            read(path)
        assert raised.value.reason == "too_many_pixels"


def test_a_bomb_of_text_is_refused(path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    for number in range(80):
        text.add_itxt(f"comment{number}", "x" * 1_000_000, zip=True)
    path.write_bytes(encoded(drawn(), "PNG", pnginfo=text))

    with pytest.raises(OutputUnusable, match="broken_image"):
        PICTURES.inspect(path)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_moves_is_refused(path: Path, kind: str) -> None:
    path.write_bytes(encoded(drawn(), kind, save_all=True, append_images=[noisy()], duration=100))

    with pytest.raises(OutputUnusable, match="animated"):
        PICTURES.inspect(path)


def test_a_jpeg_of_several_pictures_is_refused(path: Path) -> None:
    path.write_bytes(encoded(drawn(), "MPO", save_all=True, append_images=[noisy()]))

    with pytest.raises(OutputUnusable, match="animated"):
        PICTURES.inspect(path)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1024, 1024), (512, 512)),
        ((1536, 640), (512, 213)),
        ((640, 1536), (213, 512)),
        ((512, 512), (512, 512)),
        ((96, 64), (96, 64)),
        ((1, 1), (1, 1)),
        ((4000, 1), (512, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_thumbnail_keeps_the_shape_and_never_grows(
    path: Path, kind: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    path.write_bytes(encoded(drawn(*size), kind))

    thumbnail = thumbnail_of(path)

    with Image.open(io.BytesIO(thumbnail.data)) as image:
        assert (image.format, image.size) == ("WEBP", expected)
        image.load()
    assert (thumbnail.width, thumbnail.height) == expected
    assert max(expected) <= THUMBNAIL_SIDE


@pytest.mark.parametrize(
    ("mode", "kind", "expected"),
    [
        ("RGB", "PNG", "RGB"),
        ("RGBA", "PNG", "RGBA"),
        ("RGBA", "WEBP", "RGBA"),
        ("L", "PNG", "RGB"),
        ("LA", "PNG", "RGBA"),
        ("P", "PNG", "RGB"),
        ("1", "PNG", "RGB"),
        ("I;16", "PNG", "RGB"),
        ("L", "JPEG", "RGB"),
        ("CMYK", "JPEG", "RGB"),
    ],
)
def test_every_kind_of_pixel_has_a_thumbnail(path: Path, mode: str, kind: str, expected: str) -> None:
    image = Image.new(mode, (600, 300))
    path.write_bytes(encoded(image, kind))

    assert PICTURES.inspect(path).width == 600
    with Image.open(io.BytesIO(thumbnail_of(path).data)) as thumbnail:
        assert thumbnail.mode == expected


def test_transparency_stays_transparent(path: Path) -> None:
    image = Image.new("RGBA", (600, 600), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 300, 600))
    path.write_bytes(encoded(image, "PNG"))

    with Image.open(io.BytesIO(thumbnail_of(path).data)) as thumbnail:
        assert thumbnail.getpixel((10, 256))[3] == 0  # type: ignore[index]  # four bands
        assert thumbnail.getpixel((500, 256))[3] == 255  # type: ignore[index]  # four bands


def test_a_palette_with_a_hole_keeps_it(path: Path) -> None:
    image = Image.new("P", (600, 600), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    path.write_bytes(encoded(image, "PNG", transparency=0))

    with Image.open(io.BytesIO(thumbnail_of(path).data)) as thumbnail:
        assert thumbnail.mode == "RGBA"


def test_grey_of_sixteen_bits_is_not_burnt_out(path: Path) -> None:
    path.write_bytes(encoded(Image.new("I;16", (600, 600), 0x8000), "PNG"))

    with Image.open(io.BytesIO(thumbnail_of(path).data)) as thumbnail:
        assert abs(thumbnail.getpixel((256, 256))[0] - 0x80) < 8  # type: ignore[index]  # three bands


def test_a_thumbnail_tells_nothing_of_where_and_who(path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET-CAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    path.write_bytes(
        encoded(
            noisy(600, 600), "WEBP", exif=exif, xmp=b"<x>SECRET-XMP</x>", icc_profile=b"SECRET-PROFILE" * 10
        )
    )

    data = thumbnail_of(path).data

    assert b"SECRET" not in data
    assert not {b"EXIF", b"ICCP"} & {data[i : i + 4] for i in range(len(data))}


def test_a_thumbnail_tells_that_a_model_made_it(path: Path) -> None:
    path.write_bytes(encoded(drawn(), "PNG"))

    with Image.open(io.BytesIO(thumbnail_of(path).data)) as thumbnail:
        assert thumbnail.info["xmp"] == xmp_packet(PROVENANCE)


def test_the_same_picture_has_the_same_thumbnail(path: Path) -> None:
    path.write_bytes(encoded(noisy(1024, 768), "WEBP"))

    assert thumbnail_of(path) == thumbnail_of(path)


def rendered(path: Path, data: bytes) -> Image.Image:
    path.write_bytes(data)
    image = Image.open(io.BytesIO(PICTURES.rendering(path)))
    image.load()
    return image


def is_near(image: Image.Image, point: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    seen = image.getpixel(point)
    assert isinstance(seen, tuple)
    return all(abs(is_ - was) < 12 for is_, was in zip(seen, colour, strict=True))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1536, 640), (384, 160)), ((640, 1536), (160, 384)), ((96, 64), (96, 64)), ((4000, 1), (384, 1))],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_rendering_is_a_small_jpeg_of_the_same_shape(
    path: Path, kind: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    image = rendered(path, encoded(drawn(*size), kind))

    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", expected)
    assert max(expected) <= RENDERING_SIDE


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("1", "PNG"), ("L", "JPEG"), ("CMYK", "JPEG")],
)
def test_every_kind_of_pixel_has_a_rendering(path: Path, mode: str, kind: str) -> None:
    assert rendered(path, encoded(drawn().convert(mode), kind)).mode == "RGB"


def test_a_rendering_of_grey_of_sixteen_bits_is_not_burnt_out(path: Path) -> None:
    image = rendered(path, encoded(Image.new("I;16", (600, 600), 0x4000), "PNG"))

    assert is_near(image, (100, 100), (0x40, 0x40, 0x40))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("ink", [(0, 0, 0), (255, 255, 255)])
def test_neither_black_nor_white_hides_on_nothing(path: Path, ink: tuple[int, int, int], kind: str) -> None:
    drawing = Image.new("RGBA", (300, 300), (*ink, 0))
    ImageDraw.Draw(drawing).rectangle((100, 100, 200, 200), fill=(*ink, 255))
    image = rendered(path, encoded(drawing, kind, lossless=True))

    assert is_near(image, (150, 150), ink)
    assert is_near(image, (20, 20), (128, 128, 128))


def test_a_palette_with_a_hole_is_rendered_on_grey(path: Path) -> None:
    hole = Image.new("P", (300, 300), 0)
    hole.putpalette([255, 0, 0, 0, 255, 0])

    assert is_near(rendered(path, encoded(hole, "PNG", transparency=0)), (150, 150), (128, 128, 128))


def test_a_rendering_of_noise_fits_a_data_url(path: Path) -> None:
    path.write_bytes(encoded(noisy(RENDERING_SIDE, RENDERING_SIDE), "PNG"))

    assert len(base64.b64encode(PICTURES.rendering(path))) < 200_000


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_rendering_tells_nothing_but_its_pixels(path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET-CAMERA"
    options = {"exif": exif, "xmp": b"SECRET-XMP", "icc_profile": b"SECRET" * 30, "comment": "SECRET"}
    path.write_bytes(encoded(drawn(), kind, **options))
    assert b"SECRET" in path.read_bytes()

    assert b"SECRET" not in PICTURES.rendering(path)
