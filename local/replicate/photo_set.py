"""The archive that a training reads, opened as the trainers open it: nested folders, captions, no `__MACOSX`.

The texts of its errors are Python's and the trainers' own, as they end up in a training's `error`.
"""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from PIL import Image, ImageOps, UnidentifiedImageError

from local.replicate.drawing.identity import SAMPLE_SIDE, Identity, identity_of

IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}
MEMBER_MAX_BYTES = 64 * 1024 * 1024


class UnreadablePhotos(Exception):
    """The trainer breaks off; the text is its own, and becomes the training's `error`."""


@dataclass(frozen=True)
class PhotoSet:
    """`captions` has the text of each image that brought one, by the image's path."""

    files: int
    images: tuple[str, ...]
    captions: dict[str, str]
    samples: tuple[Image.Image, ...]

    def identity(self, trigger: str) -> Identity:
        return identity_of(self.samples, trigger)


def read_photo_set(data: bytes, *, takes_tar: bool) -> PhotoSet:
    """Raises UnreadablePhotos where a trainer would break off."""
    members = dict(_members(data, takes_tar=takes_tar))
    images = tuple(name for name in members if PurePosixPath(name).suffix.lower() in IMAGES)
    if not images:
        raise UnreadablePhotos(
            "No files found in []. "
            "Either [] is not a directory or it does not contain any .png or .jpg/jpeg files."
        )
    captions = {
        name: members[caption].decode("utf-8", "replace")
        for name in images
        if (caption := str(PurePosixPath(name).with_suffix(".txt"))) in members
    }
    samples = tuple(_sample(name, members[name]) for name in images)
    return PhotoSet(len(members), images, captions, samples)


def _members(data: bytes, *, takes_tar: bool) -> Iterator[tuple[str, bytes]]:
    file = io.BytesIO(data)
    if zipfile.is_zipfile(file):
        yield from _zipped(file)
    elif takes_tar and tarfile.is_tarfile(file):
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            for member in tar:
                if member.isfile() and _counts(member.name, member.size):
                    opened = tar.extractfile(member)
                    yield member.name, opened.read() if opened else b""
    else:
        raise UnreadablePhotos("input_images must be a zip file")


def _zipped(file: io.BytesIO) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if not member.is_dir() and _counts(member.filename, member.file_size):
                    yield member.filename, archive.read(member)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:  # broken, encrypted, odd method
        raise UnreadablePhotos(str(error)) from error


def _counts(name: str, size: int) -> bool:
    if size > MEMBER_MAX_BYTES:
        raise UnreadablePhotos(f"CUDA out of memory. {name} has {size} bytes")
    return not name.startswith("__MACOSX/") and not PurePosixPath(name).name.startswith("._")


def _sample(name: str, data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        image.draft("RGB", (SAMPLE_SIDE * 4, SAMPLE_SIDE * 4))  # a JPEG is decoded small, and whole
        return ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (SAMPLE_SIDE, SAMPLE_SIDE))
    except UnidentifiedImageError as error:
        raise UnreadablePhotos(f"cannot identify image file 'input_images/{name}'") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadablePhotos(str(error)) from error
