"""The PhotoFiles port over Pillow and pillow-heif: an upload becomes facts and a clean copy.

Nothing of the upload is believed, its type least. Memory: the decoder's own picture, once; all that
follows works on strips or on what is left at 2,048 pixels.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import NamedTuple

import pillow_heif
from PIL import ExifTags, Image, ImageCms

from revela.adapters.photo_measures import exposure, light, perceptual_hash, sharpness
from revela.adapters.photo_sniffing import sniffed
from revela.adapters.pictures import BROKEN, PIXELS_MAX
from revela.domain.photo import BYTES_MAX, CleanCopy, PhotoFacts, PhotoFormat, Remark, Unreadable

CLEAN_SIDE = 2048
CLEAN_QUALITY = 92
# Amazon Rekognition takes five megabytes, and thirty photos must fit a zip of a hundred.
CLEAN_BYTES_MAX = 3_000_000
_LESSER_QUALITIES = (85, 75, 60, 40, 20)
_STRIP_ROWS = 256

_PILLOW = {
    PhotoFormat.JPEG: "JPEG",
    PhotoFormat.PNG: "PNG",
    PhotoFormat.WEBP: "WEBP",
    PhotoFormat.HEIC: "HEIF",
}
_DECLARED = {
    "image/jpeg": PhotoFormat.JPEG,
    "image/png": PhotoFormat.PNG,
    "image/webp": PhotoFormat.WEBP,
    "image/heic": PhotoFormat.HEIC,
    "image/heif": PhotoFormat.HEIC,
}
# libheif's errors are RuntimeErrors; metadata that lies makes Pillow look up and divide in vain.
_BROKEN = (*BROKEN, RuntimeError, KeyError, TypeError, AttributeError, ZeroDivisionError)
# EXIF 2.32, tag Orientation: what to do to see the picture upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SRGB = ImageCms.createProfile("sRGB")
# Colour spaces of ICC profiles, and the mode of the pixels that they describe.
_SPACES = {"RGB": "RGB", "CMYK": "CMYK", "GRAY": "L"}

pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


class _Decoded(NamedTuple):
    """`width` and `height` are the file's, before the decoder's own scaling and lying as it does."""

    image: Image.Image
    width: int
    height: int
    orientation: int


class PillowPhotoFiles:
    def inspect(self, path: Path, *, declared_type: str, clean: Path) -> PhotoFacts | Unreadable:
        size_bytes = path.stat().st_size
        if size_bytes > BYTES_MAX:
            return Unreadable(Remark(code="too_large", args={"maximum": BYTES_MAX // 1_000_000}))
        kind = sniffed(path)
        if isinstance(kind, Unreadable):
            return kind
        decoded = _decoded(path, kind)
        if isinstance(decoded, Unreadable):
            return decoded
        image = _upright(_sized(_in_srgb(_reduced(decoded.image), decoded.image)), decoded.orientation)
        lying = decoded.orientation >= 5
        exposed = exposure(image)
        return PhotoFacts(
            format=kind,
            declared_type_differs=_DECLARED.get(declared_type) is not kind,
            width=decoded.height if lying else decoded.width,
            height=decoded.width if lying else decoded.height,
            size_bytes=size_bytes,
            sharpness=sharpness(image),
            exposure=exposed,
            light=light(exposed),
            perceptual_hash=perceptual_hash(image),
            clean=_saved(image, clean),
        )


def _decoded(path: Path, kind: PhotoFormat) -> _Decoded | Unreadable:
    try:
        with warnings.catch_warnings():
            # Pillow warns of metadata it cannot read, which is left behind anyway.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=[_PILLOW[kind]]) as image:
                width, height = image.size
                if width * height > PIXELS_MAX:
                    return _too_many_pixels()
                if _moves(image, kind):
                    return Unreadable(Remark(code="animated"))
                # A JPEG is decoded at half or quarter size when that is enough.
                scale = min(1.0, CLEAN_SIDE / max(width, height))
                image.draft(None, (round(width * scale), round(height * scale)))
                image.load()
                return _Decoded(image, width, height, _orientation(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _too_many_pixels()
    except _BROKEN as error:
        return Unreadable(Remark(code="broken"), detail=f"{type(error).__name__}: {error}")


def _too_many_pixels() -> Unreadable:
    return Unreadable(Remark(code="too_many_pixels", args={"maximum": PIXELS_MAX // 1_000_000}))


def _moves(image: Image.Image, kind: PhotoFormat) -> bool:
    """Tell whether frames follow each other.

    Phones put a gain map or a preview behind the first picture of a JPEG or HEIC: that is a still.
    """
    return kind in (PhotoFormat.PNG, PhotoFormat.WEBP) and getattr(image, "n_frames", 1) != 1


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except _BROKEN:
        return 1
    return found if found in _UPRIGHT else 1


def _reduced(image: Image.Image) -> Image.Image:
    """Return it without transparency and less than twice as large as the clean copy may be.

    In strips, for each step would otherwise hold the whole picture once more.
    """
    factor = max(image.size) // CLEAN_SIDE
    if factor < 2:
        return _flat(image)
    width, height = image.size
    rows = _STRIP_ROWS * factor
    whole: Image.Image | None = None
    for top in range(0, height, rows):
        strip = _flat(image.crop((0, top, width, min(height, top + rows)))).reduce(factor)
        if whole is None:
            whole = Image.new(strip.mode, (strip.width, -(-height // factor)))
        whole.paste(strip, (0, top // factor))
    assert whole is not None
    return whole


def _flat(image: Image.Image) -> Image.Image:
    """Return it in RGB, CMYK or L, as its colour profile needs it; what was transparent is white."""
    if image.mode.startswith("I"):
        # Sixteen bits of grey; Pillow would cut them off at white, not scale them.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image if image.mode in ("RGB", "CMYK", "L") else image.convert("RGB")


def _in_srgb(image: Image.Image, source: Image.Image) -> Image.Image:
    """Return it as the profile in `source` wants it seen; a profile that is broken says nothing."""
    embedded = source.info.get("icc_profile")
    if embedded:
        try:
            profile = ImageCms.getOpenProfile(io.BytesIO(embedded))
            if _SPACES.get(profile.profile.xcolor_space.strip()) == image.mode:
                seen = ImageCms.profileToProfile(image, profile, _SRGB, outputMode="RGB")
                assert seen is not None
                return seen
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB")


def _sized(image: Image.Image) -> Image.Image:
    scale = CLEAN_SIDE / max(image.size)
    if scale >= 1:
        return image
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _saved(image: Image.Image, clean: Path) -> CleanCopy:
    # Pixels alone: Pillow takes along comment, EXIF and colour profile from `info`.
    bare = Image.new("RGB", image.size)
    bare.paste(image)
    for quality in (CLEAN_QUALITY, *_LESSER_QUALITIES):
        bare.save(clean, "JPEG", quality=quality)
        if clean.stat().st_size <= CLEAN_BYTES_MAX:
            break
    data = clean.read_bytes()
    return CleanCopy(
        width=image.width, height=image.height, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
    )
