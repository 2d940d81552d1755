"""Fields of Replicate's JSON, read as `lenient` reads them: what is odd becomes None, never an error."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from revela.adapters.replicate import lenient
from revela.domain.prediction import PredictionStatus


class Body(BaseModel):
    """Something that Replicate answers with; fields that nobody here reads are kept for operators."""

    model_config = ConfigDict(extra="allow")


def _status(value: Any) -> Any:
    # A status that is not documented yet ends nothing: the job is watched until our own deadline.
    unknown = isinstance(value, str) and value not in set(PredictionStatus)
    return PredictionStatus.PROCESSING if unknown else value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _mapping(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _number(value: Any) -> int | None:
    return value if type(value) is int else None


Status = Annotated[PredictionStatus, BeforeValidator(_status)]
Text = Annotated[str | None, BeforeValidator(_text)]
Mapping = Annotated[dict[str, Any] | None, BeforeValidator(_mapping)]
Number = Annotated[int | None, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]
Error = Annotated[str | None, BeforeValidator(lenient.error_text)]
Urls = Annotated[tuple[str, ...], BeforeValidator(lenient.output_urls)]
Instant = Annotated[datetime | None, BeforeValidator(lenient.instant)]
PredictTime = Annotated[float | None, BeforeValidator(lenient.predict_time)]
