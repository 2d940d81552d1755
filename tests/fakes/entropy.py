from __future__ import annotations

import random
from datetime import datetime

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class FakeEntropy:
    """The same seed gives the same ids, seeds and fractions; ids of one instant sort as they were made."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._made = 0

    def new_id(self, prefix: str, *, now: datetime) -> str:
        self._made += 1
        value = (int(now.timestamp() * 1000) << 80) | self._made
        ulid = "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))
        return f"{prefix}_{ulid}"

    def seed(self) -> int:
        return self._random.randrange(2**31)

    def fraction(self) -> float:
        return self._random.random()
