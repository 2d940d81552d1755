"""What use cases learn of a model and ask about it. A hint: no job fails for want of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime

from revela.domain.errors import Conflict, Transient, Unavailable
from revela.domain.model_health import ModelHealth
from revela.ports import Ports

TRIES = 3


def rests_until(model_id: str, *, ports: Ports) -> datetime | None:
    """Return when a model that is unavailable is tried again; None when it may be used."""
    try:
        return ports.health.get(model_id).rests_until(ports.clock.now())
    except Transient as error:
        ports.telemetry.warning("model_health_unknown", model=model_id, reason=type(error).__name__)
        return None


def require_available(model_id: str, of: Iterable[str], *, ports: Ports) -> None:
    """Raises Unavailable while a model rests; it names those `of` the same kind that do not."""
    until = rests_until(model_id, ports=ports)
    if until is None:
        return
    alternatives = [id_ for id_ in of if id_ != model_id and rests_until(id_, ports=ports) is None]
    seconds = max(math.ceil((until - ports.clock.now()).total_seconds()), 1)
    minutes = math.ceil(seconds / 60)
    if not alternatives:
        raise Unavailable("all_models_resting", retry_after_s=seconds, model=model_id, minutes=minutes)
    raise Unavailable(
        "model_resting",
        retry_after_s=seconds,
        model=model_id,
        minutes=minutes,
        alternatives=", ".join(alternatives),
    )


def report_failure(model_id: str, *, ports: Ports) -> datetime | None:
    """Count a failure that is the model's own; return until when the model now rests, if it does."""
    now = ports.clock.now()
    after = _change(model_id, lambda health: health.failed(now), ports)
    until = after.rests_until(now) if after else None
    if until is not None:
        ports.telemetry.count("ModelUnavailable")
        ports.telemetry.warning("model_unavailable", model=model_id, until=until)
    return until


def report_success(model_id: str, *, ports: Ports) -> None:
    _change(model_id, lambda health: health.succeeded() if health.failures else None, ports)


def _change(
    model_id: str, decide: Callable[[ModelHealth], ModelHealth | None], ports: Ports
) -> ModelHealth | None:
    try:
        for _ in range(TRIES):
            health = ports.health.get(model_id)
            after = decide(health)
            if after is None:
                return health
            try:
                ports.health.put(after)
            except Conflict:
                continue
            return after
    except Transient as error:
        ports.telemetry.warning("model_health_unknown", model=model_id, reason=type(error).__name__)
    return None
