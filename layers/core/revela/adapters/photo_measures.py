"""What the pixels of a photo tell: sharpness, exposure, light, and a hash that copies share.

All at one working size, so that a photo is not called blurry for being large, nor sharp for being small.
Pillow alone: functions do without numpy.
"""

from __future__ import annotations

from itertools import accumulate

from PIL import Image, ImageChops, ImageFilter, ImageStat

from revela.domain.photo import Exposure, Light

# Large enough for focus to show, small enough for a sensor's noise and an enlargement's softness not to.
WORKING_SIDE = 384
# Crété et al., "The blur effect" (SPIE 6492, 2007) blur over nine pixels.
_BLUR_RADIUS = 4
_CLIPPED_DARK = 8
_CLIPPED_BRIGHT = 247
_DARK_BELOW = 85
_BRIGHT_ABOVE = 170
_HASH_SIDE = 8


def sharpness(image: Image.Image) -> float:
    """Return how much of the edges is lost by blurring the image: 0 is a smear already.

    Crété's blur metric, from 1 down. It compares a picture with itself, so that flat backgrounds and
    low contrast do not count as blur; the worse axis counts, for shaking has a direction.
    """
    grey = _working(image)
    return round(min(_edges_lost(grey, 1, 0), _edges_lost(grey, 0, 1)), 3)


def exposure(image: Image.Image) -> Exposure:
    histogram = _working(image).histogram()
    pixels = sum(histogram)
    return Exposure(
        mean=round(sum(luma * count for luma, count in enumerate(histogram)) / pixels),
        low=_percentile(histogram, 0.1),
        high=_percentile(histogram, 0.9),
        clipped_dark=round(sum(histogram[: _CLIPPED_DARK + 1]) / pixels, 3),
        clipped_bright=round(sum(histogram[_CLIPPED_BRIGHT:]) / pixels, 3),
    )


def light(exposed: Exposure) -> Light:
    if exposed.mean < _DARK_BELOW:
        return Light.DARK
    return Light.BRIGHT if exposed.mean > _BRIGHT_ABOVE else Light.EVEN


def perceptual_hash(image: Image.Image) -> str:
    """Return 64 bits in hex: each says whether a cell of 9 x 8 is brighter than its right neighbour."""
    cells = image.convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX)
    luma = cells.tobytes()
    bits = 0
    for row in range(_HASH_SIDE):
        start = row * (_HASH_SIDE + 1)
        for at in range(start, start + _HASH_SIDE):
            bits = bits << 1 | (luma[at] > luma[at + 1])
    return f"{bits:016x}"


def _working(image: Image.Image) -> Image.Image:
    scale = WORKING_SIDE / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.convert("L").resize(size, Image.Resampling.LANCZOS)


def _edges_lost(grey: Image.Image, across: int, down: int) -> float:
    edges = _edges(grey, across, down)
    radius = (_BLUR_RADIUS * across, _BLUR_RADIUS * down)
    of_blurred = _edges(grey.filter(ImageFilter.BoxBlur(radius)), across, down)
    all_of_them = ImageStat.Stat(edges).sum[0]
    lost = ImageStat.Stat(ImageChops.subtract(edges, of_blurred)).sum[0]
    return lost / all_of_them if all_of_them else 0.0


def _edges(grey: Image.Image, across: int, down: int) -> Image.Image:
    shifted = grey.crop((across, down, grey.width, grey.height))
    return ImageChops.difference(shifted, grey.crop((0, 0, grey.width - across, grey.height - down)))


def _percentile(histogram: list[int], share: float) -> int:
    wanted = sum(histogram) * share
    return next(luma for luma, seen in enumerate(accumulate(histogram)) if seen >= wanted)
