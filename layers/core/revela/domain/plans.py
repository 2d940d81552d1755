"""What a plan allows: credits on opening, jobs at once and waiting, images per day, own models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Plan(BaseModel):
    """`monthly` credits lapse when the month after the grant ends; once-only ones never do.

    A plan that is not `public` is given by operators and not offered in the catalog.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: dict[str, str]
    public: bool = True
    credits: int = Field(ge=0)
    monthly: bool
    jobs_at_once: int = Field(ge=1)
    jobs_waiting: int = Field(ge=0)
    images_per_request: int = Field(ge=1)
    images_per_day: int = Field(ge=1)
    free_cancels_per_day: int = Field(ge=0)
    free_blocks_per_day: int = Field(ge=0)
    trainings_at_once: int = Field(ge=0)
    models_kept: int = Field(ge=0)
