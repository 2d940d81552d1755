"""Write training photos to try an upload with: `python -m local.photos FOLDER [COUNT]`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from local.photos import training_photos as photos

BAD: dict[str, Callable[[], Image.Image]] = {
    "blurry": photos.blurry_photo,
    "dark": photos.dark_photo,
    "bright": photos.bright_photo,
    "tiny": photos.tiny_photo,
    "two": photos.photo_of_two,
    "nobody": photos.photo_of_nobody,
    "afar": photos.photo_from_afar,
    "duplicate": photos.near_duplicate,
}


def write(folder: Path, count: int) -> list[Path]:
    """Write `count` good photos and one of each bad kind."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {f"good-{number:02}": photos.good_photo(number) for number in range(count)}
    named |= {f"bad-{name}": make() for name, make in BAD.items()}
    written = []
    for name, photo in named.items():
        written.append(folder / f"{name}.jpg")
        written[-1].write_bytes(photos.jpeg(photo))
    return written


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    for path in write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 12):
        print(path)
