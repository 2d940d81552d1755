"""Asks Replicate with the product's client, and explains what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from local.check.causes import Cause
from local.check.report import Failed
from revela.domain.errors import (
    OutOfCredit,
    Permanent,
    ProviderNotFound,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnauthorized,
)

Answer = TypeVar("Answer")


class Silent:
    """Telemetry of a check: its steps say all there is to say."""

    def debug(self, event: str, **fields: object) -> None:
        """Of no interest here."""

    info = warning = debug

    def count(self, metric: str, value: float = 1, *, unit: str = "Count") -> None:
        """There is nobody to count for."""


def asked(
    ask: Callable[[], Answer],
    *,
    missing: Cause = Cause.REPLICATE_SILENT,
    rejected: Cause = Cause.REPLICATE_SILENT,
) -> Answer:
    """Return the answer. Raises Failed; `missing` and `rejected` are what 404 and other 4xx mean here.

    By default they mean that something else than Replicate answers.
    """
    try:
        return ask()
    except (ProviderTransient, Permanent) as error:
        cause = _cause(error, missing, rejected)
        raise Failed(cause, str(error) or type(error).__name__) from None


def _cause(error: ProviderTransient | Permanent, missing: Cause, rejected: Cause) -> Cause:
    match error:
        case ProviderUnauthorized():
            return Cause.TOKEN_REFUSED
        case OutOfCredit():
            return Cause.OUT_OF_CREDIT
        case ProviderThrottled():
            return Cause.THROTTLED
        case ProviderTransient():
            return Cause.REPLICATE_SILENT
        case ProviderNotFound():
            return missing
        case _:
            return rejected
