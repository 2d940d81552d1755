"""How bad a day is."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import NamedTuple

from tests.simulation.processes import Chances


class Day(NamedTuple):
    """Decided by the seed, the same for the whole history."""

    requests_fail: float  # of the requests to Replicate, and how many fates are bad
    invocations_fail: float  # of all invocations, at any of their calls to AWS
    messages_stray: float  # of the messages and webhooks: lost, doubled, late
    judges_fail: float  # how often a judge's mood changes
    harmful: float  # of the images that Replicate makes
    silent: bool  # no webhook ever arrives
    skew_max: timedelta

    @classmethod
    def of(cls, chance: random.Random) -> Day:
        requests, invocations, messages, judges, harmful = (0.01 * 20 ** chance.random() for _ in range(5))
        skew_max = timedelta(seconds=chance.uniform(0, 4))
        return cls(requests, invocations, messages, judges, harmful, chance.random() < 0.15, skew_max)

    @property
    def chances(self) -> Chances:
        # An invocation makes some ten calls, and each may fail in four ways.
        per_call = self.invocations_fail / 10 / 4
        return Chances(
            overtaken=0.4,
            stalled=self.invocations_fail / 10,
            killed=per_call,
            aws=per_call,
            provider=self.requests_fail / 2,
            twins=self.messages_stray,
            skew_max=self.skew_max,
        )
