"""Replicate's answers and silences, as the errors that decide what happens to a job.

| answer                                  | read or cancel      | create                                  |
|-----------------------------------------|---------------------|-----------------------------------------|
| 401, 403                                | ProviderUnauthorized| same: nothing was created               |
| 402                                     | OutOfCredit         | same                                    |
| 404                                     | ProviderNotFound    | same                                    |
| 429                                     | ProviderThrottled   | same                                    |
| other 4xx                               | ProviderRejected    | same                                    |
| 3xx, 500, 503, connection never made    | ProviderUnavailable | same                                    |
| 408, other 5xx, reset, no answer in time| ProviderTransient   | same: nobody knows what it created      |

That a create answered by 500 or 503 left nothing behind is no promise of Replicate's: it is what users of
the API report of every case they saw, while 502 and 504 come from a gateway that may have passed it on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from revela.domain.errors import (
    OutOfCredit,
    Permanent,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnauthorized,
    ProviderUnavailable,
)

DETAIL_MAX_CHARS = 500
INVALID_FIELDS_MAX = 20
# A provider that asks for more is asked again anyway: one odd answer must not close the house for days.
RETRY_AFTER_MAX_S = 3_600.0

_NOTHING_DONE = frozenset({500, 503})
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# "Your rate limit resets in ~30s.", formerly "Expected available in 1 second."
_RESETS_IN = re.compile(r"(?:resets|available) in ~?(\d+(?:\.\d+)?) ?s", re.IGNORECASE)


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> ProviderTransient | Permanent:
    """Return the error that an answer without success is."""
    problem = _problem(body)
    detail = _detail(status, problem)
    if status in (401, 403):
        return ProviderUnauthorized(detail)
    if status == 402:
        return OutOfCredit(detail)
    if status == 404:
        return ProviderNotFound(detail)
    if status == 429:
        return ProviderThrottled(detail, retry_after_s(headers, problem, now=now))
    if status in _NOTHING_DONE or 300 <= status < 400:
        return ProviderUnavailable(detail)
    if 400 <= status < 500 and status != 408:
        return ProviderRejected(detail, _invalid_fields(problem))
    return ProviderTransient(detail)


def silence(error: httpx.RequestError) -> ProviderTransient:
    """Return the error that a missing answer is."""
    detail = type(error).__name__
    return ProviderUnavailable(detail) if isinstance(error, _NEVER_SENT) else ProviderTransient(detail)


def retry_after_s(headers: Mapping[str, str], problem: Mapping[str, Any], *, now: datetime) -> float | None:
    """Return what the provider said: by header, by the body's `retry_after`, or within its sentence."""
    said = _header_s(headers.get("retry-after"), now)
    if said is None:
        said = _finite(problem.get("retry_after"))
    if said is None and isinstance(problem.get("detail"), str):
        found = _RESETS_IN.search(problem["detail"])
        said = _finite(found.group(1)) if found else None
    return None if said is None else min(max(said, 0.0), RETRY_AFTER_MAX_S)


def _header_s(value: str | None, now: datetime) -> float | None:
    if value is None:
        return None
    seconds = _finite(value)
    if seconds is not None:
        return seconds
    try:
        return (parsedate_to_datetime(value) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _problem(body: bytes) -> dict[str, Any]:
    # A gateway answers in HTML.
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}


def _detail(status: int, problem: Mapping[str, Any]) -> str:
    said = next((problem[key] for key in ("detail", "title") if isinstance(problem.get(key), str)), "")
    return f"{status} {said}".strip()[:DETAIL_MAX_CHARS]


def _invalid_fields(problem: Mapping[str, Any]) -> tuple[str, ...]:
    fields = problem.get("invalid_fields")
    if not isinstance(fields, list):
        return ()
    names = (field.get("field") for field in fields if isinstance(field, dict))
    return tuple(name for name in names if isinstance(name, str))[:INVALID_FIELDS_MAX]
