"""Scenes: a sky with a light in it, and ridges or a person before it.

All coordinates are shares of the canvas, so one composition fits every size.
"""

import math
import random
import re
from dataclasses import replace

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from local.replicate.drawing.identity import Identity
from local.replicate.drawing.palette import Palette, mix

_PERSON = re.compile(
    r"\b(portrait|person|people|man|woman|girl|boy|face|headshot|selfie|model|tok|astronaut|profile)\b",
    re.IGNORECASE,
)

# Pillow's radial gradient is 181 in the middle of its edges; the halo has to be nothing there.
_HALO = [round(255 * max(0.0, 1 - value / 178) ** 1.5) for value in range(256)]


def draw_scene(
    size: tuple[int, int],
    prompt: str,
    palette: Palette,
    rng: random.Random,
    detail: int,
    identity: Identity | None = None,
) -> Image.Image:
    """`detail` is how many layers there are, 2 to 7. Whoever has an `identity` is shown."""
    canvas = _sky(size, palette)
    _light(canvas, palette, rng)
    if identity is not None or _PERSON.search(prompt) or rng.random() < 0.2:
        _bokeh(canvas, palette, rng, detail * 4)
        _person(canvas, palette, rng, identity)
    else:
        _ridges(canvas, palette, rng, detail)
    return canvas


def _sky(size: tuple[int, int], palette: Palette) -> Image.Image:
    ramp = Image.linear_gradient("L").resize(size)
    return ImageOps.colorize(
        ramp, palette.zenith, palette.glow, mid=palette.horizon, blackpoint=0, midpoint=150, whitepoint=255
    )


def _light(canvas: Image.Image, palette: Palette, rng: random.Random) -> None:
    width, height = canvas.size
    reach = round(max(canvas.size) * rng.uniform(0.8, 1.3))
    x, y = round(width * rng.uniform(0.2, 0.8)), round(height * rng.uniform(0.15, 0.5))
    halo = Image.radial_gradient("L").point(_HALO).resize((reach, reach))
    canvas.paste(palette.glow, (x - reach // 2, y - reach // 2), halo)
    radius = min(canvas.size) * rng.uniform(0.05, 0.11)
    disc = mix(palette.glow, (255, 255, 255), 0.6)
    ImageDraw.Draw(canvas).ellipse((x - radius, y - radius, x + radius, y + radius), fill=disc)


def _ridges(canvas: Image.Image, palette: Palette, rng: random.Random, count: int) -> None:
    width, height = canvas.size
    pen = ImageDraw.Draw(canvas)
    for layer in range(count):
        nearness = (layer + 1) / count
        base = 0.45 + 0.45 * nearness
        waves = [
            (rng.uniform(0.05, 0.12) / (n + 1), rng.uniform(1.0, 2.2) * (n + 1), rng.uniform(0, math.tau))
            for n in range(4)
        ]
        crest = [
            (x, height * (base - sum(a * math.sin(f * math.tau * x / width + p) for a, f, p in waves)))
            for x in range(0, width + 4, 4)
        ]
        pen.polygon([(0, height), *crest, (width, height)], fill=mix(palette.far, palette.near, nearness))


def _bokeh(canvas: Image.Image, palette: Palette, rng: random.Random, count: int) -> None:
    width, height = canvas.size
    mask = Image.new("L", canvas.size)
    pen = ImageDraw.Draw(mask)
    for _ in range(count):
        x, y = rng.random() * width, rng.random() * height
        radius = min(canvas.size) * rng.uniform(0.01, 0.07)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=rng.randrange(25, 90))
    canvas.paste(mix(palette.glow, (255, 255, 255), 0.4), mask=mask.filter(ImageFilter.BoxBlur(2)))


def _person(canvas: Image.Image, palette: Palette, rng: random.Random, identity: Identity | None) -> None:
    """Head and shoulders, lit from one side; an identity lends its colours and its emblem."""
    if identity is not None:
        palette = replace(palette, skin=identity.skin, cloth=identity.cloth)
    width, height = canvas.size
    unit = min(width, height * 0.9)
    middle, top = width * rng.uniform(0.44, 0.56), height * rng.uniform(0.20, 0.26)
    head, side = unit * rng.uniform(0.135, 0.155), rng.choice((-1, 1))
    pen = ImageDraw.Draw(canvas)
    hair = identity.hair if identity else mix(palette.near, palette.skin, rng.uniform(0.0, 0.35))
    face_y, shoulders_y = top + head * 1.25, top + head * 3.1

    length = rng.choice((1.5, 2.2, 3.2))
    pen.rounded_rectangle(
        (middle - head * 1.28, top - head * 0.15, middle + head * 1.28, top + head * (1.2 + length)),
        radius=head * 1.2,
        fill=hair,
    )
    for shift, colour in ((0.0, palette.cloth), (0.10, mix(palette.cloth, palette.near, 0.35))):
        left, right = middle - head * 3.1, middle + head * 3.1
        offset = -side * head * shift * 6
        box = (left + max(offset, 0), shoulders_y, right + min(offset, 0), height * 2 - shoulders_y)
        pen.rounded_rectangle(box, radius=head * 1.5, fill=colour)
    shade = mix(palette.skin, palette.near, 0.35)
    pen.rounded_rectangle(
        (middle - head * 0.48, face_y, middle + head * 0.48, shoulders_y + head * 0.55),
        head * 0.4,
        fill=shade,
    )
    pen.ellipse((middle - head, top, middle + head, top + head * 2.6), fill=shade)
    lit = (middle - head + max(side, 0) * head * 0.25, top + head * 0.05)
    pen.ellipse((*lit, lit[0] + head * 1.75, top + head * 2.5), fill=palette.skin)
    pen.pieslice(
        (middle - head * 1.12, top - head * 0.3, middle + head * 1.12, top + head * 1.7), 180, 360, fill=hair
    )
    _face(pen, middle + side * head * 0.06, face_y, head, palette, hair)
    if identity is not None:
        identity.sign(pen, middle, shoulders_y + head * 1.1, head * 0.7)


def _face(
    pen: ImageDraw.ImageDraw, x: float, y: float, head: float, palette: Palette, hair: tuple[int, int, int]
) -> None:
    shadow, line = mix(palette.skin, palette.near, 0.55), max(1, round(head * 0.05))
    for direction in (-1, 1):
        eye = x + direction * head * 0.38
        pen.arc(
            (eye - head * 0.22, y - head * 0.25, eye + head * 0.22, y + head * 0.05), 200, 340, hair, line
        )
        pen.ellipse(
            (eye - head * 0.09, y - head * 0.02, eye + head * 0.09, y + head * 0.14), fill=palette.near
        )
    pen.arc((x - head * 0.14, y + head * 0.2, x + head * 0.14, y + head * 0.5), 20, 160, shadow, line)
    pen.chord(
        (x - head * 0.3, y + head * 0.5, x + head * 0.3, y + head * 0.85),
        15,
        165,
        fill=mix(shadow, (170, 60, 70), 0.5),
    )
