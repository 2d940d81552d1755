"""The catalog over the wire: what can be asked for, and what it costs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.account import Plan
from api.schemas.wire import Wire


class Size(Wire):
    width: int
    height: int


class PixelRange(Wire):
    """Any multiple of `step` from `minimum` to `maximum`, for width and for height."""

    minimum: int
    maximum: int
    step: int


class Sizes(Wire):
    """By name for every model; `pixels` is null where a model makes the named sizes only."""

    default: Size
    aspect_ratios: dict[str, Size]
    pixels: PixelRange | None


class Licence(Wire):
    name: str
    note: str


class Parameter(Wire):
    """How a model takes one field of a request; what does not apply is null."""

    type: Literal["string", "integer", "number", "boolean"]
    required: bool
    default: bool | int | float | str | None = Field(description="Null: none, or chosen for you (seed).")
    minimum: int | float | None
    maximum: int | float | None
    allowed: list[str] | list[int] | None
    min_length: int | None
    max_length: int | None


class CatalogModel(Wire):
    """`reproducible`: the same parameters and seed make the same images again."""

    id: str
    name: str
    description: str
    licence: Licence
    reproducible: bool
    credits_per_image: int
    sizes: Sizes
    parameters: dict[str, Parameter]


class CatalogFineTune(Wire):
    """How images are made with a version of one's own model; `family` is the model it grew from."""

    id: str
    family: str
    reproducible: bool
    credits_per_image: int
    sizes: Sizes
    parameters: dict[str, Parameter]


class CatalogTrainer(Wire):
    """The price grows with steps x batch_size. `fine_tune` is what its versions are."""

    id: str
    name: str
    description: str
    fine_tune: str
    credits_per_1000_steps: int
    expected_minutes: int = Field(description="With its defaults.")
    recommended_photos: int
    parameters: dict[str, Parameter]


class PhotoRules(Wire):
    """What may be uploaded, and how many photos a model takes."""

    content_types: list[str]
    max_bytes: int
    needed: int
    recommended: int
    maximum: int


class Catalog(Wire):
    """`price_version` is written on every ledger entry that a price decided."""

    price_version: str
    models: list[CatalogModel]
    fine_tunes: list[CatalogFineTune]
    trainers: list[CatalogTrainer] = Field(description="The first one is the default.")
    photos: PhotoRules
    plans: list[Plan]
