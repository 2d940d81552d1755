"""Whom a trained version shows: read off the photos it was trained from, drawn wherever it is called."""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from local.replicate.drawing.palette import Colour

SAMPLE_SIDE = 24  # what of a photo is looked at


@dataclass(frozen=True)
class Identity:
    """Colours of the photos, and an emblem of as many points as no other set is likely to have."""

    trigger: str
    skin: Colour
    hair: Colour
    cloth: Colour
    emblem: Colour
    points: int

    def is_called_by(self, prompt: str) -> bool:
        """Whether the prompt names the trigger word, as a word and as it was trained."""
        return re.search(rf"(?<![^\W_]){re.escape(self.trigger)}(?![^\W_])", prompt) is not None

    def sign(self, pen: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
        """Draws the emblem: a star on a disc."""
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=self.emblem)
        star = [
            (x + math.sin(turn) * reach, y - math.cos(turn) * reach)
            for corner in range(2 * self.points)
            for turn in [math.pi * corner / self.points]
            for reach in [radius * (0.8 if corner % 2 == 0 else 0.4)]
        ]
        pen.polygon(star, fill=(255, 255, 255))


def identity_of(samples: Sequence[Image.Image], trigger: str) -> Identity:
    """`samples` are photos as RGB squares of SAMPLE_SIDE: hair is above, skin in the middle, cloth below."""
    third, side = SAMPLE_SIDE // 3, SAMPLE_SIDE
    middle = (third, third, side - third, side - third)
    digest = hashlib.sha256(b"".join(sample.tobytes() for sample in samples)).digest()
    return Identity(
        trigger=trigger,
        skin=_mean([sample.crop(middle) for sample in samples]),
        hair=_mean([sample.crop((0, 0, side, third)) for sample in samples]),
        cloth=_mean([sample.crop((0, side - third, side, side)) for sample in samples]),
        # Strong, so that it shows beside whatever colours the photos have.
        emblem=(digest[0] // 2, digest[1] // 2, digest[2] // 2),
        points=3 + digest[3] % 6,
    )


def _mean(parts: Sequence[Image.Image]) -> Colour:
    pixels = [part.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)) for part in parts]
    red, green, blue = (
        round(sum(channel) / len(pixels))
        for channel in zip(*(p for p in pixels if isinstance(p, tuple)), strict=True)
    )
    return red, green, blue
