"""Training photos of one person, as people send them: any number of good ones, and one of each bad kind.

All are composed from the portrait beside this file; the same number is always the same picture.
"""

from __future__ import annotations

import io
import random
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

_PORTRAIT = Path(__file__).with_name("portrait.jpg")
# In the portrait: the face's middle and height, and an outline of the person.
_FACE_X, _FACE_Y, _FACE_HEIGHT = 227, 115, 97
_OUTLINE = (
    *((152, 95), (156, 62), (180, 32), (225, 14), (268, 28), (297, 62), (303, 100), (288, 130), (270, 146)),
    *((258, 172), (284, 192), (303, 222), (306, 242), (340, 275), (362, 348), (400, 343), (455, 352)),
    *((490, 390), (504, 450), (512, 512), (20, 512), (22, 430), (38, 300), (70, 255), (110, 225)),
    *((114, 190), (138, 160), (184, 152), (182, 138)),
)
_SIZES = ((1024, 1024), (960, 1280), (1280, 960), (1080, 1350), (1200, 900))
# How much of a photo's height the face fills: from close by, from the waist up, from afar, in turn.
_FACE_SHARES = (0.36, 0.19, 0.46, 0.105, 0.32, 0.22, 0.4, 0.11, 0.17)
_LIGHTS = (1.0, 0.72, 1.25, 0.85, 1.1)


def good_photo(number: int) -> Image.Image:
    """Return the photo of that number: each has its own framing, background and light."""
    dice = random.Random(number)
    width, height = dice.choice(_SIZES)
    share = _FACE_SHARES[number % len(_FACE_SHARES)] * dice.uniform(0.95, 1.05)
    scene = _background(dice, width, height)
    _put_person(
        scene,
        share=share,
        across=dice.uniform(0.36, 0.64),
        down=dice.uniform(0.36, 0.5),
        mirrored=number % 2 == 1,
    )
    return ImageEnhance.Brightness(scene).enhance(_LIGHTS[number % len(_LIGHTS)])


def near_duplicate() -> Image.Image:
    """Return `good_photo(0)` as it comes back from a chat: smaller, and a little brighter."""
    original = good_photo(0)
    smaller = original.resize((original.width * 3 // 4, original.height * 3 // 4), Image.Resampling.LANCZOS)
    return ImageEnhance.Brightness(smaller).enhance(1.08)


def blurry_photo() -> Image.Image:
    photo = good_photo(2)
    return photo.filter(ImageFilter.GaussianBlur(max(photo.size) / 100))


def dark_photo() -> Image.Image:
    return ImageEnhance.Brightness(good_photo(4)).enhance(0.12)


def bright_photo() -> Image.Image:
    """Return a photo that the light washed out."""
    photo = good_photo(4)
    return Image.blend(photo, Image.new("RGB", photo.size, "white"), 0.93)


def tiny_photo() -> Image.Image:
    return good_photo(0).resize((320, 320), Image.Resampling.LANCZOS)


def photo_of_two() -> Image.Image:
    scene = _background(random.Random(-1), 1280, 960)
    _put_person(scene, share=0.2, across=0.27, down=0.35, mirrored=False)
    _put_person(scene, share=0.2, across=0.74, down=0.35, mirrored=True)
    return scene


def photo_of_nobody(number: int = 0) -> Image.Image:
    return _background(random.Random(number), 1200, 900)


def photo_from_afar() -> Image.Image:
    """Return a photo whose face is too small to learn from."""
    scene = _background(random.Random(-3), 1280, 1280)
    _put_person(scene, share=0.044, across=0.5, down=0.5, mirrored=False)
    return scene


def jpeg(photo: Image.Image, quality: int = 90) -> bytes:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality)
    return file.getvalue()


@cache
def _person() -> Image.Image:
    """Return the person alone, cut out with soft edges."""
    with Image.open(_PORTRAIT) as portrait:
        person = portrait.convert("RGBA")
    mask = Image.new("L", person.size)
    ImageDraw.Draw(mask).polygon(_OUTLINE, fill=255)
    person.putalpha(mask.filter(ImageFilter.GaussianBlur(2)))
    return person


def _put_person(scene: Image.Image, *, share: float, across: float, down: float, mirrored: bool) -> None:
    """Draw the person with the face at `across` and `down`, or lower: never floating above the ground."""
    scale = share * scene.height / _FACE_HEIGHT
    person = _person().resize(
        (round(_person().width * scale), round(_person().height * scale)), Image.Resampling.LANCZOS
    )
    face_x = _FACE_X * scale
    if mirrored:
        person = ImageOps.mirror(person)
        face_x = person.width - face_x
    left = round(scene.width * across - face_x)
    top = max(round(scene.height * down - _FACE_Y * scale), scene.height - person.height)
    scene.paste(person, (left, top), person)


def _background(dice: random.Random, width: int, height: int) -> Image.Image:
    """Return a wall or a sky with things before it: edges enough for a camera to focus on."""
    upper, lower = _colour(dice, 60, 235), _colour(dice, 30, 190)
    scene = ImageOps.colorize(Image.linear_gradient("L").resize((width, height)), upper, lower)
    scene = scene.rotate(dice.choice((0, 0, 180)))
    draw = ImageDraw.Draw(scene)
    for _ in range(dice.randint(5, 14)):
        x, y = dice.randint(-width // 8, width), dice.randint(-height // 8, height)
        box = (x, y, x + dice.randint(width // 12, width // 3), y + dice.randint(height // 12, height // 2))
        draw_shape = dice.choice((draw.rectangle, draw.ellipse))
        draw_shape(box, fill=_colour(dice, 20, 240), outline=_colour(dice, 20, 240), width=3)
    return scene


def _colour(dice: random.Random, least: int, most: int) -> tuple[int, int, int]:
    return (dice.randint(least, most), dice.randint(least, most), dice.randint(least, most))
