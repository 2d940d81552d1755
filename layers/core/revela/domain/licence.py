"""Under which licence a model's weights and outputs may be used."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Licence(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    note: dict[str, str]
