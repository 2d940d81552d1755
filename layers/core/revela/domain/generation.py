"""A generation: images asked for with one prompt and one model."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from revela.domain.account import Place
from revela.domain.job import Job, State


class Output(BaseModel):
    """One published image; sizes in pixels and bytes, `sha256` of the bytes as the provider made them."""

    model_config = ConfigDict(frozen=True)

    index: int
    key: str
    content_type: str
    width: int
    height: int
    size_bytes: int
    sha256: str
    thumbnail_key: str
    thumbnail_width: int
    thumbnail_height: int


class Generation(Job):
    """`params` are complete; the model renders its own input of them."""

    KIND: ClassVar[Literal["generation", "training"]] = "generation"

    model: str
    params: dict[str, Any]
    credits_per_image: int
    outputs: tuple[Output, ...] = ()

    @property
    def place(self) -> Place:
        return "waiting" if self.state is State.WAITING else "running"

    @property
    def runs(self) -> str:
        return self.model

    @property
    def num_outputs(self) -> int:
        return int(self.params["num_outputs"])

    @property
    def images_asked(self) -> int:
        return self.num_outputs

    @property
    def pointer_id(self) -> str:
        """The key of the item that marks this generation's place among its user's waiting ones."""
        return f"wait#{self.id.removeprefix('gen_')}"

    @property
    def quarantine_prefix(self) -> str:
        return f"quarantine/{self.user_id}/{self.id}/"

    @property
    def published_prefix(self) -> str:
        return f"users/{self.user_id}/generations/{self.id}/"
