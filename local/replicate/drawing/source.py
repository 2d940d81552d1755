"""Images to start from."""

import io

from PIL import Image, ImageOps, UnidentifiedImageError


def size_of_image(data: bytes) -> tuple[int, int]:
    """Width and height as displayed. Raises ValueError for what is no image."""
    return open_image(data).size


def open_source(data: bytes, size: tuple[int, int]) -> Image.Image:
    """The image as RGB, scaled and cropped to cover `size`."""
    return ImageOps.fit(open_image(data), size, Image.Resampling.BICUBIC)


def open_image(data: bytes) -> Image.Image:
    """The image as RGB, upright. Raises ValueError for what is no image."""
    try:
        return ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise ValueError("cannot identify image file") from error
