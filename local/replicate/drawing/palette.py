"""Colours that go together, from a hue, or from the colour words of a prompt."""

import colorsys
import random
import re
from dataclasses import dataclass

Colour = tuple[int, int, int]

# Words a prompt is likely to hold, and the hue (0 to 1) they ask for.
_HUES = {
    "red": 0.99,
    "sunset": 0.04,
    "orange": 0.07,
    "autumn": 0.08,
    "gold": 0.12,
    "golden": 0.12,
    "yellow": 0.14,
    "forest": 0.33,
    "green": 0.36,
    "sea": 0.52,
    "ocean": 0.54,
    "blue": 0.60,
    "night": 0.66,
    "purple": 0.77,
    "violet": 0.77,
    "pink": 0.92,
}


@dataclass(frozen=True)
class Palette:
    zenith: Colour
    horizon: Colour
    glow: Colour
    far: Colour
    near: Colour
    skin: Colour
    cloth: Colour


def choose_palette(prompt: str, rng: random.Random) -> Palette:
    asked = [_HUES[word] for word in re.findall(r"[a-z]+", prompt.lower()) if word in _HUES]
    hue = (asked[0] + rng.uniform(-0.03, 0.03)) if asked else rng.random()
    accent = hue + rng.choice((0.08, 0.5, 0.58, -0.12))
    return Palette(
        zenith=_colour(hue + 0.06, rng.uniform(0.22, 0.38), 0.55),
        horizon=_colour(hue, rng.uniform(0.66, 0.78), 0.65),
        glow=_colour(accent, 0.82, 0.85),
        far=_colour(hue + 0.02, 0.52, 0.38),
        near=_colour(hue + 0.10, 0.10, 0.45),
        skin=_colour(rng.uniform(0.04, 0.09), rng.uniform(0.35, 0.74), rng.uniform(0.35, 0.55)),
        cloth=_colour(accent, rng.uniform(0.25, 0.45), 0.5),
    )


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` 0 is the first colour, 1 the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _colour(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)
