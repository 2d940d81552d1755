"""The planted bugs as data: what a user would notice, where it is planted, which test must fail."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).parents[2]
# Each has a file of its own beside this one. In the first four lies what loses credits, jobs or images.
CORE_AREAS = ("money", "transitions", "pace", "reconcile")
AREAS = (
    *CORE_AREAS,
    "handover",
    "endings",
    "idempotency",
    "provider",
    "webhooks",
    "outputs",
    "isolation",
    "models",
    "trainings",
    "safety",
)


class Mutant(BaseModel):
    """`file` is relative to the repository; `find` is there exactly once; `killed_by` is one test's id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")
    area: str
    what: str = Field(min_length=20, max_length=160, pattern=r"^[A-Z].*\.$")
    file: str = Field(pattern=r"^(layers/core/revela|functions)/[a-z0-9_/]+\.py$")
    find: str = Field(min_length=1)
    replace: str
    killed_by: str = Field(pattern=r"^tests/[a-z_/]+\.py::test_[a-z_0-9]+$")

    def planted(self, source: str) -> str:
        """Return the source with the bug in it. Raises LookupError unless `find` is there exactly once."""
        times = source.count(self.find)
        if times != 1:
            raise LookupError(f"{self.name}: what it replaces is {times} times in {self.file}")
        return source.replace(self.find, self.replace)


def load() -> list[Mutant]:
    """Return all mutants, by area and within it as written down."""
    return [
        Mutant.model_validate({"name": name, "area": area, **bug})
        for area in AREAS
        for name, bug in tomllib.loads((Path(__file__).parent / f"{area}.toml").read_text("utf-8")).items()
    ]
