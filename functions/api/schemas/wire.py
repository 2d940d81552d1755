"""What all that goes over the wire is made of."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError


def _milliseconds(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Cut to milliseconds, so that a time reads the same before and after it was stored.
Time = Annotated[
    datetime, PlainSerializer(_milliseconds), WithJsonSchema({"type": "string", "format": "date-time"})
]
Url = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"})]

NAME_MAX = 80
# The type of errors that name a text of `messages.PARAMS` themselves.
OUR_OWN = "our_own"


def not_accepted(code: str, **args: int) -> PydanticCustomError:
    return PydanticCustomError(OUR_OWN, "{code}", {"code": code, **args})


def written(text: str, *, maximum: int, lines: bool = False) -> str:
    """Return what somebody wrote, on one line or several, without the space around it."""
    of_a_line = text.replace("\n", "") if lines else text
    # Controls, lone surrogates, and what breaks lines; joiners stay, for emoji are made of them.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in of_a_line):
        raise not_accepted("control_characters")
    if len(stripped := text.strip()) > maximum:
        raise not_accepted("too_long", maximum=maximum)
    return stripped


def _named(name: str) -> str:
    if not (stripped := written(name, maximum=NAME_MAX)):
        raise not_accepted("must_not_be_empty")
    return stripped


Name = Annotated[
    str, AfterValidator(_named), Field(json_schema_extra={"minLength": 1, "maxLength": NAME_MAX})
]


class Wire(BaseModel):
    # Schemas are built when first used: a cold start pays for those of its own request only.
    model_config = ConfigDict(frozen=True, defer_build=True, json_schema_serialization_defaults_required=True)


class PageQuery(Wire):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Items on the page, at most.")
    cursor: str | None = Field(None, min_length=1, max_length=512, description="`cursor` of the page before.")


class Said(Wire):
    """A stable code, and a sentence in the language of Accept-Language."""

    code: str
    sentence: str
