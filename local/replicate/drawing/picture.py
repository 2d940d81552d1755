"""All that decides one picture."""

from dataclasses import dataclass, replace
from typing import Self

from local.replicate.drawing import flag
from local.replicate.drawing.identity import Identity


@dataclass(frozen=True)
class Picture:
    """Equal pictures are equal bytes; any difference shows.

    `settings` is every other parameter of the run in canonical form. `source` is an image to start from,
    of which `1 - strength` stays; where `mask` is black all of it stays. `identity` is whom it shows.
    """

    model: str
    prompt: str
    seed: int
    width: int
    height: int
    format: str  # webp, jpg or png
    quality: int
    steps: int
    guidance: float
    settings: str
    source: bytes | None = None
    mask: bytes | None = None
    strength: float = 1.0
    index: int = 0
    identity: Identity | None = None

    @property
    def file_name(self) -> str:
        return f"out-{self.index}.{self.format}"

    @property
    def content_type(self) -> str:
        return "image/jpeg" if self.format == "jpg" else f"image/{self.format}"

    @property
    def is_flagged(self) -> bool:
        return flag.is_asked_for(self.prompt, self.index)

    def batch(self, count: int) -> tuple[Self, ...]:
        """The pictures of one run: one seed, told apart by their place."""
        return tuple(replace(self, index=index) for index in range(count))
