"""The provider's models that judge prompts and images."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from revela.domain.prices import ProviderCost


class JudgeModel(BaseModel):
    """`input` names the field that takes what is judged, `fixed_input` holds what every question sends.

    `deadline_s` counts from the create; `source` says where the version was seen, for whoever renews it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    version: str = Field(pattern=r"^([\w.-]+/[\w.-]+|[\w.-]+/[\w.-]+:[0-9a-f]{64}|[0-9a-f]{64})$")
    input: str = Field(min_length=1)
    fixed_input: dict[str, Any] = Field(default_factory=dict)
    deadline_s: int = Field(ge=5)
    provider_cost: ProviderCost
    source: str

    @model_validator(mode="after")
    def _asks(self) -> JudgeModel:
        if self.input in self.fixed_input:
            raise ValueError("what is judged cannot be fixed")
        return self
