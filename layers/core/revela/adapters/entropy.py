from __future__ import annotations

import random
import secrets
from datetime import datetime

# https://github.com/ulid/spec: 48 bits of milliseconds, 80 random bits, in Crockford's base 32.
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80


class SystemEntropy:
    """Ids from the system's secure source, so that nobody guesses one; jitter and seeds need no such."""

    def new_id(self, prefix: str, *, now: datetime) -> str:
        milliseconds = int(now.timestamp() * 1000)
        value = milliseconds << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        ulid = "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))
        return f"{prefix}_{ulid}"

    def seed(self) -> int:
        return random.getrandbits(31)

    def fraction(self) -> float:
        return random.random()  # noqa: S311  # jitter
