"""The flag: what a picture bears that its prompt wants flagged, and by which the judge of images knows it.

A board of magenta and black in the upper left corner, which no scene has. It outlives compression, and the
scaling of the whole picture: of 384 pixels on the longer side it still has 48.
"""

import re

from PIL import Image

SHARE = 1 / 8  # of the longer side
CELLS = 4  # on each side of the board

_WORD = re.compile(r"#flag([0-3]?)\b")

_MAGENTA, _BLACK = b"\xff\x00\xff", b"\x00\x00\x00"
_BOARD = Image.frombytes(
    "RGB",
    (CELLS, CELLS),
    b"".join(_BLACK if (x + y) % 2 else _MAGENTA for y in range(CELLS) for x in range(CELLS)),
)
_NEAREST_END = ([0] * 128 + [255] * 128) * 3  # of each channel


def is_asked_for(prompt: str, index: int) -> bool:
    """`#flag` asks for every picture of a run, `#flag2` for the one with that index."""
    return any(place in {"", str(index)} for place in _WORD.findall(prompt))


def paint(image: Image.Image) -> None:
    side = max(CELLS, round(_side(image)))
    image.paste(_BOARD.resize((side, side), Image.Resampling.NEAREST), (0, 0))


def is_on(image: Image.Image) -> bool:
    """`image` is RGB."""
    side = _side(image)
    corner = image.resize((CELLS, CELLS), Image.Resampling.BOX, box=(0, 0, side, side))
    return corner.point(_NEAREST_END).tobytes() == _BOARD.tobytes()


def _side(image: Image.Image) -> float:
    return min(max(image.size) * SHARE, *image.size)
