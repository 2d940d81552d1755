"""Reads what Replicate's JSON says, however it says it.

Observed and documented oddities: `error` is typed as text but is not always, fields are absent, times
have three to nine digits of a second, `output` is a list, one value or nothing, `metrics` holds whatever
a model puts there. What cannot be read is None, never an exception.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

ERROR_MAX_CHARS = 2_000


def error_text(value: Any) -> str | None:
    """Return an error of any JSON type as text, or None when there is none."""
    if value is None or value in ("", [], {}):
        return None
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "unreadable"
    # Half of a surrogate pair is JSON to Python, but not to every reader after us.
    return text[:ERROR_MAX_CHARS].encode("utf-8", "replace").decode()


def output_urls(value: Any) -> tuple[str, ...]:
    """Return the URLs of an output: a list of them, a single one, or nothing."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(item for item in value if isinstance(item, str))
    return ()


def seconds(value: Any) -> float | None:
    """Return a duration if it is a number that a duration can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        duration = float(value)
    except OverflowError:
        return None
    return duration if math.isfinite(duration) and duration >= 0 else None


def predict_time(metrics: Any) -> float | None:
    return seconds(metrics.get("predict_time")) if isinstance(metrics, dict) else None


def instant(value: Any) -> datetime | None:
    """Return an ISO 8601 time in UTC; one without a zone is taken to be UTC already."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
