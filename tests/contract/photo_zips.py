"""Zips of photos to train from: real JPEGs of plain colours, told apart by their hue."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from PIL import Image


def jpeg(colour: tuple[int, int, int] = (200, 150, 120), side: int = 64, shade: int = 0) -> bytes:
    image = Image.new("RGB", (side, side), colour)
    image.paste((shade * 16 % 256, 60, 90), (0, 0, side, side // 3))
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


def zip_of(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def photo_zip(count: int = 12, colour: tuple[int, int, int] = (200, 150, 120)) -> bytes:
    return zip_of({f"{number:02d}.jpg": jpeg(colour, shade=number) for number in range(count)})
