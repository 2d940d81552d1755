"""Models that make images: what they take and cost, and how a request becomes their own input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from revela.domain.errors import InvalidParam, InvalidRequest
from revela.domain.parameters import Parameter, Params, Sizes
from revela.domain.prices import ProviderCost


class ImageModel(BaseModel):
    """What a model of the catalog and one that was trained from photos have in common.

    `deadline_s` counts from the moment a worker sends the job to the provider.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
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
                rendered[parameter.input] = parameter.write(params[name])
        size = (params["width"], params["height"])
        if self.sizes.by == "aspect_ratio":
            rendered["aspect_ratio"] = self.sizes.ratio_of(size)
        else:
            rendered["width"], rendered["height"] = size
        return rendered
