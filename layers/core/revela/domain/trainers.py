"""Trainers: what makes a personal model from photos, what each takes, costs and needs of time.

They are data (`data/catalog.json`), pinned to one version of the provider's trainer each. People
speak one vocabulary (steps, resolution, learning_rate, batch_size, lora_rank, autocaption); a
trainer narrows it to what it takes and renders its own input, as models of the catalog do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from revela.domain.errors import InvalidParam, InvalidRequest
from revela.domain.image_model import ImageModel
from revela.domain.parameters import Parameter, Params
from revela.domain.photo import ModelKind
from revela.domain.prices import ProviderCost
from revela.domain.trigger_words import PromptPrefix, Subject, with_trigger_word


class PinnedVersion(BaseModel):
    """The provider's trainer; `source` says where the version was seen, for whoever renews it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: str = Field(pattern=r"^[\w.-]+$")
    name: str = Field(pattern=r"^[\w.-]+$")
    version: str = Field(pattern=r"^[0-9a-f]{64}$")
    source: str

    @property
    def reference(self) -> str:
        return f"{self.owner}/{self.name}:{self.version}"


class InputNames(BaseModel):
    """The trainer's names for what no request names; None where it takes no such thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: str
    trigger_word: str
    caption_prefix: str | None


class Duration(BaseModel):
    """How long a training is expected to run: a fixed part, and one for each step of one image.

    `resolution_percent` is what a step takes at each resolution, of `step_ms`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    setup_s: int = Field(ge=0)
    step_ms: int = Field(ge=1)
    resolution_percent: dict[int, int] = Field(default_factory=dict)

    def expected_s(self, params: Mapping[str, Any]) -> int:
        percent = self.resolution_percent.get(params.get("resolution", 0), 100)
        images: int = params["steps"] * params.get("batch_size", 1)
        return self.setup_s + math.ceil(images * self.step_ms * percent / 100_000)


class FineTune(ImageModel):
    """What a trained version takes and costs, whoever it shows; `family` is the model it grew from."""

    family: str
    prompt_prefix: PromptPrefix

    def render_for(self, subject: Subject, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the version's own input for completed parameters, the trigger word in its prompt."""
        prompt = with_trigger_word(params["prompt"], subject, self.prompt_prefix)
        return self.render({**params, "prompt": prompt})


class Trainer(BaseModel):
    """A way to train; `fine_tune` names what its versions are.

    `kind_input` is input that hangs on the kind of model. `queue_allowance_s` is how long a training may
    wait at the provider before it runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    name: str
    description: dict[str, str]
    provider: PinnedVersion
    fine_tune: str
    credits_per_1000_steps: int = Field(ge=1)
    provider_cost: ProviderCost
    duration: Duration
    queue_allowance_s: int = Field(ge=600, le=86_400)
    recommended_photos: int = Field(ge=1)
    inputs: InputNames
    caption_prefix: PromptPrefix
    fixed_input: dict[str, Any]
    kind_input: dict[ModelKind, dict[str, Any]]
    parameters: dict[str, Parameter]

    @model_validator(mode="after")
    def _complete(self) -> Trainer:
        if "steps" not in self.parameters or self.parameters["steps"].default is None:
            raise ValueError("a trainer takes steps, which decide its price, and has a default for them")
        if self.provider_cost.usd_per_second is None:
            raise ValueError("a training is billed by the second")
        if set(self.kind_input) != set(ModelKind):
            raise ValueError("kind_input names every kind")
        return self

    def takes(self) -> list[str]:
        """Return the request fields that this trainer takes, beside `trainer`."""
        return list(self.parameters)

    def complete(self, requested: Mapping[str, Any]) -> Params:
        """Return every parameter of the training, defaults filled in.

        Raises:
            InvalidRequest: naming each field that is unknown to the trainer or not acceptable.
        """
        given = {name: value for name, value in requested.items() if value is not None}
        invalid = [
            InvalidParam(name, "not_taken", {"model": self.id, "allowed": ", ".join(self.takes())})
            for name in given
            if name not in self.parameters
        ]
        params: Params = {}
        for name, parameter in self.parameters.items():
            params[name] = given.get(name, parameter.default)
            if problem := parameter.invalid(name, params[name]):
                invalid.append(problem)
        if invalid:
            raise InvalidRequest("invalid_request", invalid_params=invalid)
        return params

    def render_training_input(
        self, params: Mapping[str, Any], subject: Subject, *, input_images_url: str
    ) -> dict[str, Any]:
        """Return the trainer's own input for completed parameters and a zip of photos."""
        rendered = {**self.fixed_input, **self.kind_input[subject.kind]}
        for name, parameter in self.parameters.items():
            if parameter.input is not None:
                rendered[parameter.input] = parameter.write(params[name])
        rendered[self.inputs.images] = input_images_url
        rendered[self.inputs.trigger_word] = subject.trigger_word
        if self.inputs.caption_prefix is not None:
            rendered[self.inputs.caption_prefix] = self.caption_prefix.of(subject)
        return rendered

    def credits(self, params: Mapping[str, Any]) -> int:
        """Return the price in whole credits, rounded up: it grows with every image that is looked at."""
        images: int = params["steps"] * params.get("batch_size", 1)
        return -(-self.credits_per_1000_steps * images // 1000)

    def expected_s(self, params: Mapping[str, Any]) -> int:
        return self.duration.expected_s(params)

    def deadline_s(self, params: Mapping[str, Any]) -> int:
        """Return how long after it was sent a training is given up: the provider itself never does."""
        return self.queue_allowance_s + 2 * self.expected_s(params)

    def expected_minutes(self, params: Mapping[str, Any]) -> int:
        return math.ceil(self.expected_s(params) / 60)

    def expected_cost_micro_usd(self, params: Mapping[str, Any]) -> int:
        """Return what the provider is expected to bill, in millionths of a US dollar."""
        return self.provider_cost.micro_usd(images=0, predict_time_s=self.expected_s(params))
