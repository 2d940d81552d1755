"""What a judge of prompts or images says, and which words it may say it in."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

# Stable words: rows, answers of the API and logs carry them, and `messages` has a text for each.
HarmCategory = Literal["sexual", "nudity", "minors", "violence", "hate", "self_harm", "drugs", "other"]
HARM_CATEGORIES: tuple[HarmCategory, ...] = get_args(HarmCategory)


class Judgement(BaseModel):
    """`category` is None exactly when it is allowed. `cost_micro_usd` is what the house pays for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["judgement"] = "judgement"
    category: HarmCategory | None = None
    cost_micro_usd: int = 0

    @property
    def allowed(self) -> bool:
        return self.category is None


class Ticket(BaseModel):
    """A judge that has been asked and has not answered yet: what to ask it for the answer with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ticket"] = "ticket"
    id: str


# Told apart by their kind, which has to be there: a ticket is never read as leave to publish.
Found = Annotated[Judgement | Ticket, Field(discriminator="kind")]
