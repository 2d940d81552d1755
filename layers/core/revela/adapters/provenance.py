"""Provenance in the bytes of a published file: an XMP packet in place of all other metadata.

Spliced here: Pillow would encode the pixels anew, exiv2 is GPL, exempi needs a native library.

What stays is listed, not what goes: anybody may invent a chunk. Manifests of C2PA go too, as they sign
the very bytes that change here. Malformed files raise OutputUnusable.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from xml.sax.saxutils import escape

from revela.domain.errors import OutputUnusable
from revela.ports import Provenance

# IPTC Photo Metadata Standard 2025.1. It ends as read-only: it has no room to be edited in place.
_PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/">
   <Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>
   <Iptc4xmpExt:AISystemUsed>{model}</Iptc4xmpExt:AISystemUsed>
   <dc:identifier>{generation_id}</dc:identifier>
   <xmp:CreatorTool>Revela</xmp:CreatorTool>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def xmp_packet(provenance: Provenance) -> bytes:
    return _PACKET.format(
        source_type=_SOURCE_TYPE,
        model=escape(provenance.model),
        generation_id=escape(provenance.generation_id),
    ).encode()


def marked_jpeg(data: bytes, packet: bytes) -> bytes:
    # The orientation goes with the rest of EXIF: neither sizes nor thumbnails ever followed it.
    jfif, rest = [], []
    for marker, segment in _jpeg_segments(data):
        if marker == _APP0 and _named(segment, b"JFIF\0"):
            jfif.append(segment)
        elif marker < _APP0 or _explains_colour(marker, segment):
            rest.append(segment)
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + packet
    app1 = b"\xff\xe1" + (2 + len(xmp)).to_bytes(2, "big") + xmp
    # JFIF asks to be the first segment.
    return b"".join([b"\xff\xd8", *jfif, app1, *rest, b"\xff\xd9"])


def marked_png(data: bytes, packet: bytes) -> bytes:
    chunks = _png_chunks(data)
    kind, header = next(chunks)
    if kind != b"IHDR":
        raise OutputUnusable("broken_image")
    itxt = b"iTXt" + b"XML:com.adobe.xmp\0" + b"\0\0\0\0" + packet
    return b"".join(
        [
            _PNG_SIGNATURE,
            header,
            (len(itxt) - 4).to_bytes(4, "big") + itxt + zlib.crc32(itxt).to_bytes(4, "big"),
            *(chunk for kind, chunk in chunks if kind in _PNG_PAINTED_WITH),
        ]
    )


def marked_webp(data: bytes, packet: bytes) -> bytes:
    chunks = _webp_chunks(data)
    kind, first = next(chunks, (b"", memoryview(b"")))
    if kind == b"VP8X":
        header = _told_of_xmp(first)
        stays = [chunk for kind, chunk in chunks if kind in _WEBP_PAINTED_WITH]
    else:
        # A simple file ends with its picture: decoders read nothing behind it.
        header = _extended_header(kind, bytes(first[8:18]))
        stays = [first]
    xmp = b"XMP " + len(packet).to_bytes(4, "little") + packet
    body: list[bytes | memoryview] = [b"WEBP", header]
    for chunk in stays:
        body += [chunk, b"\0" * (len(chunk) % 2)]
    body += [xmp, b"\0" * (len(xmp) % 2)]
    return b"".join([b"RIFF", sum(map(len, body)).to_bytes(4, "little"), *body])


_APP0 = 0xE0
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# T.81, table B.1. Stuffed bytes, restarts and what is reserved belong to the scan that they stand in.
_JPEG_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield each segment with its marker up to the end of the image; a scan has its data with it."""
    view = memoryview(data)
    position = 2
    while found := _JPEG_MARKER.search(data, position):
        start = found.start()
        marker = data[start + 1]
        if marker == _END_OF_IMAGE:
            return
        length = int.from_bytes(data[start + 2 : start + 4], "big")
        position = start + 2 + length
        if length < 2 or position > len(data):
            break
        if marker == _START_OF_SCAN:
            following = _JPEG_MARKER.search(data, position)
            position = following.start() if following else len(data)
        yield marker, view[start:position]
    raise OutputUnusable("broken_image")


def _explains_colour(marker: int, segment: memoryview) -> bool:
    """Tell whether it holds a piece of the colour profile, or Adobe's word on how colours are stored."""
    return (marker == 0xE2 and _named(segment, b"ICC_PROFILE\0")) or (
        marker == 0xEE and _named(segment, b"Adobe")
    )


def _named(segment: memoryview, name: bytes) -> bool:
    return bytes(segment[4 : 4 + len(name)]) == name


_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_PAINTED_WITH = frozenset(
    b"IHDR PLTE IDAT IEND tRNS bKGD pHYs sBIT sRGB gAMA cHRM iCCP cICP mDCV cLLI".split()
)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield each chunk whole with its type, the one that ends the image at last."""
    view = memoryview(data)
    position = len(_PNG_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        kind = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if end > len(data):
            raise OutputUnusable("broken_image")
        yield kind, view[position:end]
        position = end


# An animation of one frame is a picture like others.
_WEBP_PAINTED_WITH = frozenset((b"ICCP", b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF"))
# RFC 9649, section 2.7.
_HAS_ALPHA, _HAS_EXIF, _HAS_XMP = 0x10, 0x08, 0x04


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield each chunk with its name and header but without its padding."""
    view = memoryview(data)
    position, riff_end = 12, 8 + int.from_bytes(data[4:8], "little")
    if riff_end > len(data):
        raise OutputUnusable("broken_image")
    while position < riff_end:
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        if end > riff_end:
            raise OutputUnusable("broken_image")
        yield data[position : position + 4], view[position:end]
        position = end + (end - position) % 2


def _told_of_xmp(vp8x: memoryview) -> bytes:
    if len(vp8x) != 18:
        raise OutputUnusable("broken_image")
    header = bytearray(vp8x)
    header[8] = header[8] & ~_HAS_EXIF | _HAS_XMP
    return bytes(header)


def _extended_header(kind: bytes, picture: bytes) -> bytes:
    """Return the VP8X chunk that a simple file needs before it may carry metadata.

    `picture`: the first ten bytes of what the chunk of this kind holds.
    """
    flags = _HAS_XMP
    if kind == b"VP8 " and picture[3:6] == b"\x9d\x01\x2a" and len(picture) == 10:
        # RFC 6386, section 9.1: fourteen bits each, with two of scaling above them.
        width = int.from_bytes(picture[6:8], "little") & 0x3FFF
        height = int.from_bytes(picture[8:10], "little") & 0x3FFF
    elif kind == b"VP8L" and picture.startswith(b"\x2f") and len(picture) >= 5:
        # RFC 9649, section 3.4: fourteen bits each of what is one less, then whether alpha is used.
        bits = int.from_bytes(picture[1:5], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        flags |= _HAS_ALPHA * (bits >> 28 & 1)
    else:
        raise OutputUnusable("broken_image")
    if not width or not height:
        raise OutputUnusable("broken_image")
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X" + (10).to_bytes(4, "little") + bytes([flags, 0, 0, 0]) + canvas
