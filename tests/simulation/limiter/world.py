"""What every design meets: latencies, a store that counts its writes, a provider that counts requests."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from revela.domain.pace import Bucket, Limit, Read, Result, Steps
from tests.simulation.limiter.backlog import Backlog, Job
from tests.simulation.limiter.upstreams import Upstream
from tests.simulation.limiter.virtual_time import Process, VirtualTime

PER_MINUTE = 600
# Seconds, median: a read or write of one item, a transaction, the provider's network one way.
ITEM_S, TRANSACTION_S, ONE_WAY_S = 0.008, 0.025, 0.04
SPREAD = 0.35


@dataclass
class World:
    """`slow`: by how much the store is slower than usual; `crashes`: the chance of each invocation to die."""

    upstream: Upstream
    workers: int
    seed: int = 1
    slow: float = 1.0
    crashes: float = 0.0
    blocked_until_s: float = 0.0
    limit: Limit = field(default_factory=lambda: Limit.per_minute(PER_MINUTE))
    admitted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    writes_s: list[float] = field(default_factory=list)
    minutes: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.time = VirtualTime()
        self.chance = random.Random(self.seed)
        self.backlog = Backlog(self.time, self.chance, workers=self.workers)
        self.bucket = Bucket()

    def item(self) -> float:
        return self.chance.lognormvariate(0, SPREAD) * ITEM_S * self.slow

    def transaction(self) -> float:
        return self.chance.lognormvariate(0, SPREAD) * TRANSACTION_S * self.slow

    def carry_out(self, steps: Steps[Result]) -> Process[Result]:
        """Do what the pace's adapter does with DynamoDB: each step takes effect halfway through."""
        step = next(steps)
        while True:
            wait_s = self.item()
            yield wait_s / 2
            answer: Bucket | None = self.bucket
            if not isinstance(step, Read):
                self.writes_s.append(self.time.now_s)
                answer = step.applied(self.bucket) if step.holds(self.bucket) else None
                self.bucket = answer or self.bucket
            yield wait_s / 2
            try:
                step = steps.send(answer)
            except StopIteration as end:
                result: Result = end.value
                return result

    def create(self, _job: Job) -> Process[float | None]:
        """Claim, ask the provider, and record: return None, or the seconds that it says to wait."""
        yield self.item()
        yield self.chance.lognormvariate(0, SPREAD) * ONE_WAY_S
        wait_s = self._ask()
        yield self.chance.lognormvariate(0, SPREAD) * ONE_WAY_S
        yield self.transaction() if wait_s is None else self.item()
        return wait_s

    def _ask(self) -> float | None:
        now_s = self.time.now_s
        wait_s = self.blocked_until_s - now_s if now_s < self.blocked_until_s else self.upstream.ask(now_s)
        if wait_s is None:
            self.admitted_s.append(now_s)
            return None
        self.refused_s.append(now_s)
        # "Your rate limit resets in ~9s": whole seconds.
        return float(max(1, -int(-wait_s // 1)))
