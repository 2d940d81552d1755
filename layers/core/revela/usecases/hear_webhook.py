"""Hear a webhook: prove who sent it and for which job, and pass on what it says of the prediction.

Standard library only, unlike its neighbours: the door is open to anybody and must start fast. Its
message is validated by who receives it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from revela.ports import Clock, Telemetry

# A prediction with its input and logs has some ten KB, a training its whole log: as much as Lambda takes.
BODY_MAX_BYTES = 6 * 1024 * 1024
# Replicate's documentation, and Standard Webhooks: five minutes, both ways.
TIMESTAMP_TOLERANCE_S = 300

_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_ATTEMPT = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True)
class HearWebhook:
    """A request as it came: `query` not yet decoded, `body` byte for byte."""

    headers: Mapping[str, str]
    query: str
    body: bytes


class Verdict(IntEnum):
    """The HTTP status of the answer; which proof was missing is not the sender's business."""

    HEARD = 200
    MALFORMED = 400
    UNPROVEN = 401
    TOO_LARGE = 413


class Proofs(Protocol):
    """May raise Transient: the keys cannot be read."""

    def is_signed(self, signatures: str, *, message_id: str, timestamp: str, body: bytes) -> bool: ...

    def is_our_url(self, token: str, *, user_id: str, generation_id: str, attempt: int) -> bool: ...


class Reports(Protocol):
    def send(self, user_id: str, report: Mapping[str, Any]) -> None:
        """Send what `finish_generation` consumes. Raises Transient."""


@dataclass(frozen=True)
class DoorPorts:
    """`reduced` returns a body's prediction without what nobody needs, or None when it is none."""

    proofs: Proofs
    reports: Reports
    reduced: Callable[[bytes], dict[str, Any] | None]
    clock: Clock
    telemetry: Telemetry


def hear_webhook(request: HearWebhook, *, ports: DoorPorts) -> Verdict:
    """Tell how to answer; what was heard is in the queue by then. A replay is heard again.

    Cheap checks come first, for anybody may ask for them.

    Raises:
        Transient: the keys could not be read, or the report not sent. Replicate will repeat it.
    """
    if len(request.body) > BODY_MAX_BYTES:
        return _rejected(Verdict.TOO_LARGE, "too_large", ports)
    signed = _signed_headers(request.headers)
    if signed is None:
        return _rejected(Verdict.UNPROVEN, "headers", ports)
    now = ports.clock.now()
    if abs(now.timestamp() - int(signed.timestamp)) > TIMESTAMP_TOLERANCE_S:
        return _rejected(Verdict.UNPROVEN, "timestamp", ports)
    if not ports.proofs.is_signed(
        signed.signatures, message_id=signed.message_id, timestamp=signed.timestamp, body=request.body
    ):
        return _rejected(Verdict.UNPROVEN, "signature", ports)
    job = _job(request.query)
    if job is None or not ports.proofs.is_our_url(
        job.token, user_id=job.user_id, generation_id=job.generation_id, attempt=job.attempt
    ):
        return _rejected(Verdict.UNPROVEN, "url", ports)
    prediction = ports.reduced(request.body)
    if prediction is None:
        return _rejected(Verdict.MALFORMED, "body", ports)
    ports.reports.send(
        job.user_id,
        {"user_id": job.user_id, "id": job.generation_id, "attempt": job.attempt, "prediction": prediction},
    )
    _tell(job, prediction, now, ports)
    return Verdict.HEARD


class _SignedHeaders(NamedTuple):
    message_id: str
    timestamp: str
    signatures: str


def _signed_headers(headers: Mapping[str, str]) -> _SignedHeaders | None:
    """Return the three headers, whatever their case; None when one is missing, doubled or no number."""
    values: dict[str, list[str]] = {}
    for name, value in headers.items():
        values.setdefault(name.lower(), []).append(value)
    found = [values.get(f"webhook-{part}", []) for part in ("id", "timestamp", "signature")]
    if any(len(given) != 1 or not given[0] for given in found):
        return None
    signed = _SignedHeaders(*(given[0] for given in found))
    return signed if _TIMESTAMP.fullmatch(signed.timestamp) else None


class _Job(NamedTuple):
    user_id: str
    generation_id: str
    attempt: int
    token: str


def _job(query: str) -> _Job | None:
    """Return whom the URL names; None when it does not name each exactly once."""
    try:
        given = parse_qs(query, max_num_fields=16)
    except ValueError:
        return None
    found = [given.get(name, []) for name in ("user", "id", "attempt", "token")]
    if any(len(values) != 1 for values in found):
        return None
    user_id, generation_id, attempt, token = (values[0] for values in found)
    if not _ATTEMPT.fullmatch(attempt):
        return None
    return _Job(user_id, generation_id, int(attempt), token)


def _rejected(verdict: Verdict, reason: str, ports: DoorPorts) -> Verdict:
    # Nothing of the request itself: whoever sent it would choose what our logs say.
    ports.telemetry.warning("webhook_rejected", reason=reason)
    ports.telemetry.count("WebhookRejected")
    return verdict


def _tell(job: _Job, prediction: Mapping[str, Any], now: datetime, ports: DoorPorts) -> None:
    ports.telemetry.debug(
        "webhook_received",
        generation_id=job.generation_id,
        attempt=job.attempt,
        prediction_id=prediction["id"],
        status=prediction["status"],
    )
    ports.telemetry.count("WebhookReceived")
    if prediction["completed_at"] is not None:
        ended_at = datetime.fromisoformat(prediction["completed_at"]).astimezone(UTC)
        lag_ms = max(0.0, (now - ended_at).total_seconds() * 1000)
        ports.telemetry.count("WebhookLag", lag_ms, unit="Milliseconds")
