"""Bodies of successful answers, read as what the endpoint answers with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from revela.domain.errors import ProviderTransient

Model = TypeVar("Model", bound=BaseModel)


def as_model(model: type[Model]) -> Callable[[bytes], Model]:
    """Return a reader of JSON; it raises ProviderTransient for what the model is not."""

    def read(body: bytes) -> Model:
        # Not chained: what a validation error quotes is the user's input.
        try:
            return model.model_validate(json.loads(body))
        except ValidationError:
            raise ProviderTransient(f"the answer is no {model.__name__}") from None
        except (ValueError, RecursionError):
            raise ProviderTransient("the answer is not JSON") from None

    return read


def as_text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def as_nothing(body: bytes) -> None:
    """A success says all; whatever else a deletion answers with is not needed."""
