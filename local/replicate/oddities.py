"""Predictions in JSON as they should not be, but have been seen: odd fields on order."""

from collections.abc import Callable, Sequence

from local.replicate.faults import Oddity
from local.replicate.models.model import Json

UNKNOWN_FIELDS: Json = {
    "hardware": "gpu-h100",
    "queue": {"position": 3, "estimate": None},
    "tags": ["internal", 7],
    "logs_truncated": False,
}
NULLABLE = ("logs", "metrics", "started_at", "completed_at", "data_removed", "model", "version", "source")


def made_odd(body: Json, oddities: Sequence[Oddity]) -> Json:
    for oddity in oddities:
        body = _MAKERS[oddity](body)
    return body


def _nulls(body: Json) -> Json:
    """What may be left out is there, and is null."""
    return body | dict.fromkeys(NULLABLE)


def _unknown_fields(body: Json) -> Json:
    return body | UNKNOWN_FIELDS


def _error_type(body: Json) -> Json:
    """An error that is an object, and of a prediction without one an empty list."""
    error = body.get("error")
    return body | {"error": [] if error is None else {"detail": error, "code": 500}}


def _precision(body: Json) -> Json:
    """Nanoseconds, as replies of 2023 had, and no fraction at all."""
    odd = {"created_at": "456789Z", "started_at": "000001Z"}
    times = {name: body[name].removesuffix("Z") + tail for name, tail in odd.items() if body.get(name)}
    if body.get("completed_at"):
        times["completed_at"] = body["completed_at"].partition(".")[0] + "+00:00"
    return body | times


_MAKERS: dict[Oddity, Callable[[Json], Json]] = {
    "nulls": _nulls,
    "unknown_fields": _unknown_fields,
    "error_type": _error_type,
    "precision": _precision,
}
