"""From a picture's description to the bytes of its file."""

import hashlib
import io
import random

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from local.replicate.drawing import flag
from local.replicate.drawing.palette import choose_palette
from local.replicate.drawing.picture import Picture
from local.replicate.drawing.scene import draw_scene
from local.replicate.drawing.source import open_source

SKETCH_SIDE = 384  # drawn at this size and scaled up: soft, and cheap on one core
GRAIN_SIDE = 96


def render(picture: Picture) -> bytes:
    """Deterministic: equal pictures are equal bytes. Raises ValueError when source or mask is no image."""
    image = _draw(picture)
    if picture.source is not None:
        image = _start_from(picture, image)
    if picture.is_flagged:
        flag.paint(image)
    return _encode(image, picture)


def _draw(picture: Picture) -> Image.Image:
    size = (picture.width, picture.height)
    scale = min(1.0, SKETCH_SIDE / max(size))
    sketch = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    # What the picture shows hangs on model, prompt, seed and place; the other settings change how it looks.
    rng = random.Random(_digest(picture.model, picture.prompt, picture.seed, picture.index))
    palette = choose_palette(picture.prompt, rng)
    detail = 3 + min(4, picture.steps // 12)
    image = draw_scene(sketch, picture.prompt, palette, rng, detail, picture.identity)
    image = image.filter(ImageFilter.BoxBlur(0.7))
    image = ImageChops.soft_light(image, _grain(picture, sketch))
    image = ImageEnhance.Color(image).enhance(0.85 + min(picture.guidance, 20.0) * 0.03)
    return image.resize(size, Image.Resampling.BICUBIC)


def _grain(picture: Picture, size: tuple[int, int]) -> Image.Image:
    """Mid-grey clouds that lighten and darken softly, different for every difference of the settings."""
    rng = random.Random(
        _digest(
            picture.model,
            picture.prompt,
            picture.seed,
            picture.index,
            picture.settings,
            picture.steps,
            picture.guidance,
        )
    )
    noise = Image.frombytes("L", (GRAIN_SIDE, GRAIN_SIDE), rng.randbytes(GRAIN_SIDE * GRAIN_SIDE))
    clouds = noise.point([116 + value // 11 for value in range(256)]).resize(size, Image.Resampling.BICUBIC)
    return Image.merge("RGB", (clouds, clouds, clouds))


def _start_from(picture: Picture, image: Image.Image) -> Image.Image:
    assert picture.source is not None
    source = open_source(picture.source, image.size)
    if picture.mask is None:
        return Image.blend(source, image, picture.strength)
    painted = Image.blend(source, image, picture.strength)
    return Image.composite(painted, source, ImageOps.grayscale(open_source(picture.mask, image.size)))


def _encode(image: Image.Image, picture: Picture) -> bytes:
    file = io.BytesIO()
    match picture.format:
        case "webp":
            image.save(file, "WEBP", quality=picture.quality, method=0)
        case "jpg":
            image.save(file, "JPEG", quality=picture.quality)
        case _:
            image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _digest(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()
