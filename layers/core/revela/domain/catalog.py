"""The catalog: which models there are, what each takes and costs, and how it names things.

Clients speak one vocabulary for all models; the catalog narrows it to what a model takes and
renders the model's own input. It is data (`data/catalog.json`), validated when it is loaded.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from revela.domain.errors import InvalidParam, InvalidRequest
from revela.domain.plans import Plan

# The vocabulary that tells what to make. `model` chooses the rest; `seed` is chosen when absent.
Params = dict[str, Any]


class Parameter(BaseModel):
    """One request field as one model takes it.

    `input` is the model's own name for it, None where the model does just this and has no such input.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: str | None
    type: Literal["string", "integer", "number"]
    required: bool = False
    default: int | float | str | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    enum: tuple[str, ...] = ()
    min_length: int | None = None
    max_length: int | None = None

    def invalid(self, name: str, value: Any) -> InvalidParam | None:
        """Return why `value` is not accepted, or None."""
        if self.type == "string":
            return self._invalid_string(name, value)
        whole = self.type == "integer"
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            return InvalidParam(name, "must_be_integer" if whole else "must_be_number")
        if not (self.minimum is None or value >= self.minimum) or not (
            self.maximum is None or value <= self.maximum
        ):
            return InvalidParam(name, "out_of_range", {"minimum": self.minimum, "maximum": self.maximum})
        return None

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


class ProviderCost(BaseModel):
    """What the provider bills us in US dollars: by the image, or by the second of predict time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd_per_image: Decimal | None = None
    usd_per_second: Decimal | None = None

    @model_validator(mode="after")
    def _one(self) -> ProviderCost:
        if (self.usd_per_image is None) == (self.usd_per_second is None):
            raise ValueError("a cost is either by the image or by the second")
        return self

    def micro_usd(self, *, images: int, predict_time_s: float | None) -> int:
        """Return the cost in millionths of a US dollar."""
        if self.usd_per_image is not None:
            return int(self.usd_per_image * images * 1_000_000)
        return int((self.usd_per_second or Decimal(0)) * Decimal(str(predict_time_s or 0)) * 1_000_000)


class Licence(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    note: dict[str, str]


class CatalogModel(BaseModel):
    """A model people can ask for; `version` is what the provider is told to run.

    `deadline_s` counts from the moment a worker sends the job to the provider.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    name: str
    description: dict[str, str]
    version: str = Field(pattern=r"^([\w.-]+/[\w.-]+|[\w.-]+/[\w.-]+:[0-9a-f]{64}|[0-9a-f]{64})$")
    licence: Licence
    reproducible: bool
    credits_per_image: int = Field(ge=0)
    provider_cost: ProviderCost
    deadline_s: int = Field(ge=5, le=1800)
    fixed_input: dict[str, Any]
    sizes: Sizes
    parameters: dict[str, Parameter]

    def complete(self, requested: Mapping[str, Any], *, max_outputs: int) -> Params:
        """Return every parameter of the job, defaults filled in; `seed` is absent when not asked for.

        Raises:
            InvalidRequest: naming each field that is unknown to the model or not acceptable.
        """
        given = {name: value for name, value in requested.items() if value is not None}
        invalid = [
            InvalidParam(name, "not_taken", {"model": self.id, "allowed": ", ".join(self.takes())})
            for name in given
            if name not in self.takes()
        ]
        params: Params = {}
        for name, parameter in self.parameters.items():
            value = given.get(name, parameter.default)
            if name == "num_outputs" and name not in given:
                value = min(int(value or 1), max_outputs)
            if value is None:
                if parameter.required:
                    invalid.append(InvalidParam(name, "required"))
                continue
            problem = parameter.invalid(name, value)
            if problem:
                invalid.append(problem)
            params[name] = value
        if not invalid and params["num_outputs"] > max_outputs:
            invalid.append(InvalidParam("num_outputs", "plan_allows", {"maximum": max_outputs}))
        if "quality" in given and "quality" in self.parameters and params.get("format") == "png":
            invalid.append(InvalidParam("quality", "lossless_format"))
        size = self.sizes.pick(given)
        if isinstance(size, list):
            invalid += size
        if invalid:
            raise InvalidRequest("invalid_request", invalid_params=invalid)
        params["width"], params["height"] = size
        if params.get("format") == "png":
            params.pop("quality", None)
        return params

    def takes(self) -> list[str]:
        """Return the request fields that this model takes, beside `model`."""
        return [*self.parameters, "width", "height", "aspect_ratio"]

    def render(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the model's own input for completed parameters."""
        rendered = dict(self.fixed_input)
        for name, parameter in self.parameters.items():
            if name in params and parameter.input is not None:
                rendered[parameter.input] = params[name]
        size = (params["width"], params["height"])
        if self.sizes.by == "aspect_ratio":
            rendered["aspect_ratio"] = self.sizes.ratio_of(size)
        else:
            rendered["width"], rendered["height"] = size
        return rendered


class Catalog(BaseModel):
    """`price_version` is written on every ledger entry that a price decided."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    price_version: str
    plans: tuple[Plan, ...]
    models: tuple[CatalogModel, ...]

    @model_validator(mode="after")
    def _unique(self) -> Catalog:
        for kind, ids in (("plan", [p.id for p in self.plans]), ("model", [m.id for m in self.models])):
            if len(set(ids)) != len(ids):
                raise ValueError(f"each {kind} id must be unique")
        return self

    def model(self, model_id: str) -> CatalogModel:
        """Raises InvalidRequest when there is no such model."""
        for model in self.models:
            if model.id == model_id:
                return model
        allowed = ", ".join(m.id for m in self.models)
        raise InvalidRequest(
            "invalid_request", invalid_params=[InvalidParam("model", "not_one_of", {"allowed": allowed})]
        )

    def plan(self, plan_id: str) -> Plan:
        """Raises InvalidRequest when there is no such plan."""
        for plan in self.plans:
            if plan.id == plan_id:
                return plan
        allowed = ", ".join(p.id for p in self.plans)
        raise InvalidRequest(
            "invalid_request", invalid_params=[InvalidParam("plan", "not_one_of", {"allowed": allowed})]
        )
