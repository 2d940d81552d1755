"""Idempotency keys: a request that is repeated gets the answer that was given first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from revela.domain.change import IdempotencyKey
from revela.domain.errors import InvalidRequest
from revela.domain.job import Job
from revela.domain.policy import IDEMPOTENCY_KEPT
from revela.ports import Ports


@dataclass(frozen=True)
class Key:
    """A key as one request used it; `request_hash` tells whether another one asks for the same."""

    user_id: str
    id: str
    request_hash: str


def key_of(user_id: str, route: str, key: str | None, requested: Mapping[str, Any]) -> Key | None:
    if not key:
        return None
    canonical = json.dumps(dict(requested), sort_keys=True, separators=(",", ":"))
    return Key(
        user_id,
        f"key#{route}#{hashlib.sha256(key.encode()).hexdigest()}",
        hashlib.sha256(canonical.encode()).hexdigest(),
    )


def replay(key: Key | None, *, ports: Ports) -> Job | None:
    """Return the job as it was first accepted. Raises InvalidRequest when the key came with another body."""
    if key is None:
        return None
    known = ports.generations.idempotency_key(key.user_id, key.id)
    # TTL deletes late, so that an expired key may still be there.
    if known is None or known.expires_at <= ports.clock.now():
        return None
    if known.request_hash != key.request_hash:
        raise InvalidRequest("idempotency_key_reused")
    return known.accepted


def first_answer(key: Key | None, accepted: Job, *, now: datetime) -> IdempotencyKey | None:
    if key is None:
        return None
    return IdempotencyKey(
        user_id=key.user_id,
        id=key.id,
        request_hash=key.request_hash,
        accepted=accepted,
        expires_at=now + IDEMPOTENCY_KEPT,
    )
