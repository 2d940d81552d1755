"""The only Logger and Metrics: JSON lines and EMF metrics, without anything of a person.

The webhook's door uses `logger` and `metrics` too and must start fast, so that this module imports
nothing but Powertools' two.
"""

from __future__ import annotations

import hashlib
import traceback
import warnings

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from revela.settings import Settings


def make_logger(settings: Settings) -> Logger:
    # Keys are chosen by us; a location would name files of the layer, not causes.
    return Logger(level=settings.log_level, location=None, log_uncaught_exceptions=True)


def make_metrics() -> Metrics:
    """Namespace and service come from POWERTOOLS_METRICS_NAMESPACE and POWERTOOLS_SERVICE_NAME."""
    # Most invocations of a read have nothing to count, and that is no news for a log.
    warnings.filterwarnings("ignore", message="No application metrics to publish")
    return Metrics()


def user_hash(user_id: str) -> str:
    """Return what logs call a user: stable, short, and not the user's id."""
    return hashlib.sha256(user_id.encode()).hexdigest()[:12]


def kinds_of(error: BaseException | None) -> list[str]:
    """Return what may be logged of an error and its causes: their kinds, and the text of our own.

    Messages of other people's exceptions may quote what they choked on, a prompt say.
    """
    kinds = []
    while error is not None:
        kind = type(error)
        if kind.__module__.startswith("revela."):
            kinds.append(f"{kind.__name__}: {error}")
        else:
            kinds.append(" ".join(filter(None, (f"{kind.__module__}.{kind.__qualname__}", _aws_code(error)))))
        error = error.__cause__
    return kinds


def fault(error: BaseException) -> dict[str, list[str]]:
    """Return the fields of a log line about an error that nobody expected: its kinds and its place."""
    frames = traceback.extract_tb(error.__traceback__)
    return {"errors": kinds_of(error), "stack": [f"{f.filename}:{f.lineno} {f.name}" for f in frames]}


class PowertoolsTelemetry:
    """The Telemetry port. A field `user_id` is written as `user`, hashed."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        self._logger = logger
        self._metrics = metrics

    def debug(self, event: str, **fields: object) -> None:
        self._logger.debug(event, extra=_safe(fields))

    def info(self, event: str, **fields: object) -> None:
        self._logger.info(event, extra=_safe(fields))

    def warning(self, event: str, **fields: object) -> None:
        self._logger.warning(event, extra=_safe(fields))

    def count(self, metric: str, value: float = 1, *, unit: str = "Count") -> None:
        self._metrics.add_metric(name=metric, unit=MetricUnit(unit), value=value)


def _safe(fields: dict[str, object]) -> dict[str, object]:
    known = dict(fields)
    if "user_id" in known:
        known["user"] = user_hash(str(known.pop("user_id")))
    return known


def _aws_code(error: BaseException) -> str | None:
    response = getattr(error, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None
