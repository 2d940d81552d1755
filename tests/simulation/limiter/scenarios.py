"""What happens to the system, and what of it is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.simulation.limiter.designs import Design
from tests.simulation.limiter.upstreams import UPSTREAMS
from tests.simulation.limiter.virtual_time import Process
from tests.simulation.limiter.world import PER_MINUTE, World

SATURATING = 1.1
# Enough that no worker is ever idle, and batches are full.
QUEUED = 3000
CRASHES = 0.01
# A read takes 160 ms instead of 8, a transaction half a second.
SLOW_STORE = 20.0


@dataclass(frozen=True)
class Scenario:
    """`measured_s`: when utilisation is measured, of `limit` a minute; `counted_from_s`: writes."""

    name: str
    load: float
    measured_s: tuple[float, float]
    limit: int = PER_MINUTE
    queued: int = 0
    burst: int = 0
    halved_at_s: float | None = None
    blocked_s: tuple[float, float] | None = None
    crashes: float = 0.0
    slow: float = 1.0
    counted_from_s: float = 0.0

    @property
    def ends_s(self) -> float:
        return self.measured_s[1]


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("steady", SATURATING, (60, 660), queued=QUEUED),
        Scenario("burst", 0.0, (60, 300), burst=3000, counted_from_s=60),
        Scenario(
            "limit halved", SATURATING, (360, 1500), limit=PER_MINUTE // 2, halved_at_s=300, queued=QUEUED
        ),
        Scenario("10-minute block", 0.8, (780, 1200), blocked_s=(120, 720), counted_from_s=720),
        Scenario("1 % crashes", SATURATING, (60, 660), crashes=CRASHES, queued=QUEUED),
        Scenario("slow store", SATURATING, (60, 660), slow=SLOW_STORE, queued=QUEUED),
    )
}


@dataclass(frozen=True)
class Outcome:
    """Utilisation of the limit, refusals per 1,000 requests, the rest per admitted request."""

    utilisation: float
    refusals: float
    writes: float
    postponed: float
    first_minute: float


def play(scenario: Scenario, upstream: str, workers: int, design: Design, *, seed: int = 1) -> Outcome:
    world = World(
        UPSTREAMS[upstream](PER_MINUTE), workers, seed=seed, slow=scenario.slow, crashes=scenario.crashes
    )
    world.backlog.work = partial(design, world)
    world.backlog.add(scenario.queued)
    if scenario.load:
        world.time.begin(_arrivals(world, scenario.load))
    if scenario.burst:
        world.time.begin(_after(lambda: world.backlog.add(scenario.burst)), after_s=60)
    if scenario.halved_at_s is not None:
        halve = partial(world.upstream.change_limit, scenario.limit)
        world.time.begin(_after(halve), after_s=scenario.halved_at_s)
    if scenario.blocked_s is not None:
        block = partial(setattr, world, "blocked_until_s", scenario.blocked_s[1])
        world.time.begin(_after(block), after_s=scenario.blocked_s[0])
    world.time.run(until_s=scenario.ends_s)
    return _outcome(world, scenario)


def _outcome(world: World, scenario: Scenario) -> Outcome:
    begin_s, end_s = scenario.measured_s
    admitted = _within(world.admitted_s, begin_s, end_s)
    counted = _within(world.admitted_s, scenario.counted_from_s, end_s)
    asked = len(world.admitted_s) + len(world.refused_s)
    return Outcome(
        utilisation=admitted / ((end_s - begin_s) / 60 * scenario.limit),
        refusals=1000 * len(world.refused_s) / asked,
        writes=_within(world.writes_s, scenario.counted_from_s, end_s) / max(counted, 1),
        postponed=world.backlog.postponed / len(world.admitted_s),
        first_minute=_within(world.admitted_s, begin_s, begin_s + 60) / scenario.limit,
    )


def _within(times_s: list[float], begin_s: float, end_s: float) -> int:
    return sum(begin_s <= time_s < end_s for time_s in times_s)


def _arrivals(world: World, load: float) -> Process[None]:
    while True:
        world.backlog.add()
        yield world.chance.expovariate(load * PER_MINUTE / 60)


def _after(happen: Callable[[], None]) -> Process[None]:
    happen()
    return
    yield  # a process that never waits
