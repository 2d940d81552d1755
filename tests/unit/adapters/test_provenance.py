"""What a published file says of its making, and that saying it costs no pixel."""

from __future__ import annotations

import io
import random
import struct
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from revela.adapters.pictures import PillowPictures
from revela.domain.errors import OutputUnusable
from revela.ports import Provenance

PICTURES = PillowPictures()
PROVENANCE = Provenance("gen_01", "black-forest-labs/flux-dev")
SECRET = "SECRET"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
DC = "{http://purl.org/dc/elements/1.1/}"
XMP = "{http://ns.adobe.com/xap/1.0/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
XMP_OF_OTHERS = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{SECRET}</x:xmpmeta>".encode()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "output"


def drawn(mode: str = "RGB", size: tuple[int, int] = (23, 17)) -> Image.Image:
    """Draw something of odd sizes, half of it see-through if the mode can be."""
    image = Image.new("RGBA", size, (200, 30, 60, 255))
    ImageDraw.Draw(image).ellipse((3, 2, 15, 14), fill=(10, 120, 250, 90))
    if mode == "I;16":
        image.putalpha(255)
        return image.convert("I").point(lambda value: value * 256).convert("I;16")
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif() -> Image.Exif:
    told = Image.Exif()
    told[0x010F] = SECRET + "-CAMERA"
    told.get_ifd(0x8825)[1] = "N"
    return told


def jpeg_segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(payload)) + payload


def jpeg_with(segments: bytes, data: bytes) -> bytes:
    return data[:2] + segments + data[2:]


def jpeg_between_scans(segment: bytes, data: bytes) -> bytes:
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    return data[:second] + segment + data[second:]


def jpeg_of_ycck() -> bytes:
    """Write a JPEG of four bands that only Adobe's segment tells to be YCCK."""
    data = bytearray(encoded(drawn().convert("CMYK"), "JPEG", exif=exif()))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(chunks: bytes, data: bytes) -> bytes:
    return data[:33] + chunks + data[33:]


def png_text() -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", SECRET)
    text.add_text("prompt", SECRET * 9, zip=True)
    text.add_itxt("Author", SECRET, lang="en")
    text.add_itxt("XML:com.adobe.xmp", XMP_OF_OTHERS.decode())
    return text


def webp_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def webp_of_one_frame() -> bytes:
    frame = encoded(drawn(), "WEBP")[12:]
    size = struct.pack("<I", 22)[:3] + struct.pack("<I", 16)[:3]
    return webp(
        webp_chunk(b"VP8X", b"\x02\0\0\0" + size)
        + webp_chunk(b"ANIM", bytes(6))
        + webp_chunk(b"ANMF", bytes(6) + size + b"\x64\0\0\0" + frame)
    )


def webp_to_be_scaled() -> bytes:
    """Write a WebP whose sizes have something in the two bits above them, which nobody heeds."""
    data = bytearray(encoded(drawn(), "WEBP"))
    data[27] |= 0x40
    data[29] |= 0x80
    return bytes(data)


def webp_with_odd_chunks() -> bytes:
    """Write a WebP with chunks of odd lengths before and after its picture, one of which nobody knows."""
    whole = encoded(drawn("RGBA"), "WEBP", lossless=False, icc_profile=SRGB + b"\0" * (len(SRGB) % 2 == 0))
    odd = b"odd " + SECRET.encode() + b"!"
    assert len(odd) % 2 == 1
    vp8x, rest = bytearray(whole[12:30]), whole[30:]
    vp8x[8] |= 0x08
    return webp(bytes(vp8x) + rest + webp_chunk(b"EXIF", odd) + webp_chunk(b"C2PA", odd))


FILES: dict[str, bytes] = {
    "jpeg": encoded(drawn(), "JPEG"),
    "jpeg grey": encoded(drawn("L"), "JPEG"),
    "jpeg progressive": encoded(drawn(), "JPEG", progressive=True),
    "jpeg with restarts": encoded(drawn(), "JPEG", restart_marker_blocks=1),
    "jpeg full of metadata": encoded(
        drawn(), "JPEG", exif=exif(), comment=SECRET, xmp=XMP_OF_OTHERS, icc_profile=SRGB
    ),
    "jpeg of many application segments": jpeg_with(
        b"".join(jpeg_segment(marker, SECRET.encode() * 3) for marker in range(0xE0, 0xF0)),
        encoded(drawn(), "JPEG"),
    ),
    "jpeg with a comment between scans": jpeg_between_scans(
        jpeg_segment(0xFE, SECRET.encode()), encoded(drawn(), "JPEG", progressive=True)
    ),
    "jpeg with fill bytes": jpeg_with(b"\xff\xff\xff", encoded(drawn(), "JPEG")),
    "jpeg with something behind": encoded(drawn(), "JPEG") + SECRET.encode(),
    "jpeg cmyk": encoded(drawn().convert("CMYK"), "JPEG", exif=exif()),
    "jpeg ycck": jpeg_of_ycck(),
    "png": encoded(drawn(), "PNG"),
    "png with alpha": encoded(drawn("RGBA"), "PNG", pnginfo=png_text(), exif=exif(), icc_profile=SRGB),
    "png palette": encoded(drawn("P"), "PNG", transparency=0, pnginfo=png_text()),
    "png of sixteen bits": encoded(drawn("I;16"), "PNG", pnginfo=png_text()),
    "png of private chunks": png_with(
        png_chunk(b"caBX", SECRET.encode()) + png_chunk(b"tIME", b"\x07\xea\x01\x01\0\0\0"),
        encoded(drawn(), "PNG", dpi=(300, 300)),
    ),
    "png of one frame": png_with(
        png_chunk(b"acTL", struct.pack(">II", 1, 0))
        + png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 23, 17, 0, 0, 1, 10, 0, 0)),
        encoded(drawn(), "PNG"),
    ),
    "png with something behind": encoded(drawn(), "PNG") + SECRET.encode(),
    "webp": encoded(drawn(), "WEBP"),
    "webp to be scaled": webp_to_be_scaled(),
    "webp lossless": encoded(drawn(), "WEBP", lossless=True),
    "webp with alpha": encoded(drawn("RGBA"), "WEBP"),
    "webp lossless with alpha": encoded(drawn("RGBA"), "WEBP", lossless=True, exact=True),
    "webp full of metadata": encoded(drawn("RGBA"), "WEBP", exif=exif(), xmp=XMP_OF_OTHERS, icc_profile=SRGB),
    "webp of odd chunks": webp_with_odd_chunks(),
    "webp of one frame": webp_of_one_frame(),
    "webp with something behind": encoded(drawn(), "WEBP") + SECRET.encode(),
}
every_file = pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in FILES.items()])


def marked(path: Path, data: bytes, provenance: Provenance = PROVENANCE) -> bytes:
    path.write_bytes(data)
    PICTURES.mark(path, provenance)
    return path.read_bytes()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def told(data: bytes) -> dict[str, str | None]:
    """Read the XMP as Pillow finds it; nothing else may stand in the packet."""
    info = opened(data).info
    packet = info.get("xmp") or info["XML:com.adobe.xmp"]
    (description,) = ET.fromstring(packet).findall(f"{RDF}RDF/{RDF}Description")
    return {prop.tag: prop.text for prop in description}


@every_file
def test_a_mark_tells_that_a_model_made_it(path: Path, data: bytes) -> None:
    assert told(marked(path, data)) == {
        f"{IPTC}DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        f"{IPTC}AISystemUsed": "black-forest-labs/flux-dev",
        f"{DC}identifier": "gen_01",
        f"{XMP}CreatorTool": "Revela",
    }


@every_file
def test_a_mark_costs_no_pixel(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    picture = PICTURES.inspect(path)
    before, after = opened(data), opened(marked(path, data))

    assert (after.format, after.mode, after.size) == (before.format, before.mode, before.size)
    assert after.tobytes() == before.tobytes()
    assert after.getpalette() == before.getpalette()
    assert after.info.get("transparency") == before.info.get("transparency")
    assert PICTURES.inspect(path) == picture
    with Image.open(path) as image:
        image.verify()


@every_file
def test_a_mark_stands_in_place_of_all_other_metadata(path: Path, data: bytes) -> None:
    after = marked(path, data)

    assert SECRET.encode() not in after
    assert not opened(after).getexif()
    known = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "adobe", "adobe_transform"}
    known |= {"progressive", "progression", "transparency", "loop", "background", "timestamp", "duration"}
    assert set(opened(after).info) - known <= {"xmp", "XML:com.adobe.xmp", "icc_profile"}


def test_the_shape_of_pixels_stays(path: Path) -> None:
    assert opened(marked(path, FILES["png of private chunks"])).info["dpi"] == pytest.approx(
        (300, 300), abs=0.1
    )


@every_file
def test_the_colour_profile_stays(path: Path, data: bytes) -> None:
    after = marked(path, data)

    assert opened(after).info.get("icc_profile") == opened(data).info.get("icc_profile")


def test_a_colour_profile_of_several_segments_stays(path: Path) -> None:
    profile = random.Random(3).randbytes(150_000)
    after = marked(path, encoded(drawn(), "JPEG", icc_profile=profile, exif=exif()))

    assert opened(after).info["icc_profile"] == profile


@every_file
def test_marking_again_changes_nothing(path: Path, data: bytes) -> None:
    once = marked(path, data)

    assert marked(path, once) == once


@every_file
def test_another_mark_takes_the_place_of_the_first(path: Path, data: bytes) -> None:
    other = Provenance("gen_02", "recraft-ai/recraft-v3")

    assert marked(path, marked(path, data), other) == marked(path, data, other)


@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
def test_what_a_mark_tells_cannot_break_out_of_it(path: Path, name: str) -> None:
    provenance = Provenance("<gen> & 'co' \"é\" 😀", "</Iptc4xmpExt:AISystemUsed>{0}]]>")

    read = told(marked(path, FILES[name], provenance))

    assert read[f"{DC}identifier"] == provenance.generation_id
    assert read[f"{IPTC}AISystemUsed"] == provenance.model


def test_whoever_has_the_file_open_reads_the_mark(path: Path) -> None:
    path.write_bytes(FILES["jpeg full of metadata"])
    with path.open("rb") as file:
        PICTURES.mark(path, PROVENANCE)

        assert file.read() == path.read_bytes()


@pytest.mark.parametrize(
    "name", ["webp", "webp to be scaled", "webp lossless", "webp with alpha", "webp full of metadata"]
)
def test_the_header_of_a_webp_tells_what_is_inside(path: Path, name: str) -> None:
    after = marked(path, FILES[name])
    flags = after[20]
    image = opened(FILES[name])

    assert after[12:16] == b"VP8X"
    assert int.from_bytes(after[4:8], "little") == len(after) - 8
    assert len(after) % 2 == 0
    assert bool(flags & 0x20) == ("icc_profile" in image.info)
    assert bool(flags & 0x10) == (image.mode == "RGBA")
    assert flags & 0x0E == 0x04
    assert (1 + int.from_bytes(after[24:27], "little"), 1 + int.from_bytes(after[27:30], "little")) == (
        23,
        17,
    )


def test_a_lossless_webp_tells_of_its_alpha(path: Path) -> None:
    simple = FILES["webp lossless with alpha"]
    assert simple[12:16] == b"VP8L"

    assert marked(path, simple)[20] == 0x14


def test_the_mark_of_a_jpeg_follows_its_jfif_header(path: Path) -> None:
    after = marked(path, FILES["jpeg"])

    assert after[2:4] == b"\xff\xe0"
    assert after[20:22] == b"\xff\xe1"


@every_file
def test_a_file_cut_short_anywhere_is_refused_and_left_alone(path: Path, data: bytes) -> None:
    whole = data.removesuffix(SECRET.encode())
    for kept in {*range(60), *range(60, len(whole), 9), *range(len(whole) - 40, len(whole))}:
        path.write_bytes(whole[:kept])

        with pytest.raises(OutputUnusable, match=r"broken_image|not_an_image"):
            PICTURES.mark(path, PROVENANCE)
        assert path.read_bytes() == whole[:kept]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of EXIF that is damaged
@every_file
def test_damage_is_refused_or_stays_what_it_was(path: Path, data: bytes) -> None:
    dice = random.Random(11)
    for _ in range(40):
        damaged = bytearray(data)
        for _ in range(dice.randint(1, 3)):
            damaged[dice.randrange(len(damaged))] = dice.choice(
                (0, 1, 0x7F, 0xD9, 0xE1, 0xFF, dice.randrange(256))
            )
        path.write_bytes(damaged)
        try:
            picture = PICTURES.inspect(path)
            PICTURES.mark(path, PROVENANCE)
        except OutputUnusable:
            continue
        assert PICTURES.inspect(path) == picture
        assert opened(path.read_bytes()).tobytes() == opened(bytes(damaged)).tobytes()


VP8X = webp_chunk(b"VP8X", b"\x04\0\0\0" + bytes(6))
MALFORMED: dict[str, Callable[[], bytes]] = {
    "jpeg without an end": lambda: FILES["jpeg"][:-2],
    "jpeg with a segment shorter than its length": lambda: jpeg_with(b"\xff\xe1\0\x01", FILES["jpeg"]),
    "jpeg with a segment longer than the file": lambda: jpeg_with(b"\xff\xe1\xff\xff", FILES["jpeg"]),
    "png that begins with another chunk": lambda: (
        FILES["png"][:8] + png_chunk(b"tEXt", b"a\0b") + FILES["png"][8:]
    ),
    "webp of nothing": lambda: webp(b""),
    "webp of something unknown": lambda: webp(webp_chunk(b"VP9 ", bytes(32))),
    "webp with a short header": lambda: webp(webp_chunk(b"VP8X", bytes(8)) + FILES["webp"][12:]),
    "webp lossy without its signature": lambda: webp(webp_chunk(b"VP8 ", bytes(32))),
    "webp lossy of no width": lambda: webp(webp_chunk(b"VP8 ", b"\0\0\0\x9d\x01\x2a\0\0\x01\0")),
    "webp lossless without its signature": lambda: webp(webp_chunk(b"VP8L", bytes(32))),
    "webp with a chunk longer than the file": lambda: webp(VP8X + b"VP8 \xff\0\0\0" + bytes(16)),
}


@pytest.mark.parametrize("build", [pytest.param(build, id=name) for name, build in MALFORMED.items()])
def test_a_malformed_file_is_broken(path: Path, build: Callable[[], bytes]) -> None:
    with pytest.raises(OutputUnusable, match="broken_image"):
        marked(path, build())


def test_a_webp_that_lacks_its_last_padding_gets_it(path: Path) -> None:
    padded = webp(FILES["webp"][12:] + webp_chunk(b"junk", b"odd"))
    bare = padded[:4] + struct.pack("<I", len(padded) - 9) + padded[8:-1]

    assert marked(path, bare) == marked(path, FILES["webp"])


def test_only_pictures_are_marked(path: Path) -> None:
    with pytest.raises(OutputUnusable, match="not_an_image"):
        marked(path, b"<html>502 Bad Gateway</html>")
