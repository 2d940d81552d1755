"""Request fields as a model takes them: their types, bounds and names, and the sizes of images."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from revela.domain.errors import InvalidParam

# The vocabulary that tells what to make. `model` chooses the rest; `seed` is chosen when absent.
Params = dict[str, Any]


class Parameter(BaseModel):
    """One request field as one model takes it.

    `input` is the model's own name for it, None where the model does just this and has no such input.
    `written` maps our value (as text) to the model's own, where the two differ.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: str | None
    type: Literal["string", "integer", "number", "boolean"]
    required: bool = False
    default: bool | int | float | str | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    enum: tuple[str, ...] = ()
    choices: tuple[int, ...] = ()
    written: dict[str, int | str] = Field(default_factory=dict)
    min_length: int | None = None
    max_length: int | None = None

    def invalid(self, name: str, value: Any) -> InvalidParam | None:
        """Return why `value` is not accepted, or None."""
        if self.type == "string":
            return self._invalid_string(name, value)
        if self.type == "boolean":
            return None if isinstance(value, bool) else InvalidParam(name, "must_be_boolean")
        whole = self.type == "integer"
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            return InvalidParam(name, "must_be_integer" if whole else "must_be_number")
        if self.choices and value not in self.choices:
            return InvalidParam(name, "not_one_of", {"allowed": ", ".join(map(str, self.choices))})
        if not (self.minimum is None or value >= self.minimum) or not (
            self.maximum is None or value <= self.maximum
        ):
            return InvalidParam(name, "out_of_range", {"minimum": self.minimum, "maximum": self.maximum})
        return None

    def write(self, value: Any) -> Any:
        """Return an accepted value as the model takes it."""
        return self.written.get(str(value), value)

    def _invalid_string(self, name: str, value: Any) -> InvalidParam | None:
        if not isinstance(value, str):
            return InvalidParam(name, "must_be_string")
        if self.enum and value not in self.enum:
            return InvalidParam(name, "not_one_of", {"allowed": ", ".join(self.enum)})
        if self.min_length is not None and len(value.strip()) < self.min_length:
            return InvalidParam(name, "must_not_be_empty")
        if self.max_length is not None and len(value) > self.max_length:
            return InvalidParam(name, "too_long", {"maximum": self.max_length})
        if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in value):
            return InvalidParam(name, "control_characters")
        return None


class Sizes(BaseModel):
    """How a model takes its size: by the name of an aspect ratio, or in pixels.

    `ratios` maps each aspect ratio to its [width, height]. A model that takes ratios makes exactly
    these sizes; one that takes pixels makes any multiple of `step` from `minimum` to `maximum`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["aspect_ratio", "pixels"]
    ratios: dict[str, tuple[int, int]]
    minimum: int | None = None
    maximum: int | None = None
    step: int | None = None

    @model_validator(mode="after")
    def _complete(self) -> Sizes:
        if self.by == "pixels" and None in (self.minimum, self.maximum, self.step):
            raise ValueError("sizes by pixels need minimum, maximum and step")
        if "1:1" not in self.ratios:
            raise ValueError("1:1 is the default size and must be among the ratios")
        return self

    def pick(self, params: Mapping[str, Any]) -> tuple[int, int] | list[InvalidParam]:
        """Return (width, height) in pixels, or why there is none."""
        if "aspect_ratio" in params:
            both = [f for f in ("width", "height") if f in params]
            if both:
                return [InvalidParam(f, "size_or_ratio") for f in both]
            ratio = params["aspect_ratio"]
            if not isinstance(ratio, str) or ratio not in self.ratios:
                return [InvalidParam("aspect_ratio", "not_one_of", {"allowed": ", ".join(self.ratios)})]
            return self.ratios[ratio]
        default = self.ratios["1:1"]
        size = {"width": params.get("width", default[0]), "height": params.get("height", default[1])}
        wrong = [
            InvalidParam(f, "must_be_integer")
            for f, v in size.items()
            if isinstance(v, bool) or not isinstance(v, int)
        ]
        if wrong:
            return wrong
        width, height = size["width"], size["height"]
        if self.by == "aspect_ratio":
            if (width, height) in self.ratios.values():
                return width, height
            allowed = ", ".join(f"{w}x{h}" for w, h in self.ratios.values())
            return [InvalidParam(f, "size_not_one_of", {"allowed": allowed}) for f in size if f in params]
        return self._wrong_pixels(size) or (width, height)

    def _wrong_pixels(self, size: Mapping[str, int]) -> list[InvalidParam]:
        assert self.minimum is not None
        assert self.maximum is not None
        assert self.step is not None
        return [
            InvalidParam(
                f, "out_of_range_step", {"minimum": self.minimum, "maximum": self.maximum, "step": self.step}
            )
            for f, v in size.items()
            if not self.minimum <= v <= self.maximum or v % self.step
        ]

    def ratio_of(self, size: tuple[int, int]) -> str:
        return next(name for name, pixels in self.ratios.items() if pixels == size)
