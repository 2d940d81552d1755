"""The bounds that the pace holds, scenario by scenario, and the misses that are explained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.simulation.limiter.designs import full_jitter, minute_counter, reserved_slots
from tests.simulation.limiter.scenarios import SCENARIOS, Outcome, play
from tests.simulation.limiter.upstreams import UPSTREAMS

WORKERS = (2, 10, 50, 200)
REFUSALS_MAX, WRITES_MAX = 1.0, 0.15
UTILISATION_MIN = {
    "steady": 0.98,
    "burst": 0.98,
    "10-minute block": 0.98,
    "1 % crashes": 0.98,
    "slow store": 0.95,
}
# In the minute that follows sixty seconds after a cut or after the end of a block.
RECOVERED_MIN = {"limit halved": 0.95, "10-minute block": 0.95}


class Case(NamedTuple):
    scenario: str
    upstream: str
    workers: int


def cases() -> Iterator[Case]:
    for scenario in SCENARIOS:
        for upstream in UPSTREAMS:
            for workers in WORKERS:
                yield Case(scenario, upstream, workers)


def misses(case: Case, outcome: Outcome) -> list[str]:
    """Name the bounds that do not hold."""
    missed = []
    if outcome.utilisation < UTILISATION_MIN.get(case.scenario, 0):
        missed.append("utilisation")
    if outcome.first_minute < RECOVERED_MIN.get(case.scenario, 0):
        missed.append("recovery")
    if outcome.refusals > REFUSALS_MAX:
        missed.append("refusals")
    if outcome.writes > WRITES_MAX:
        missed.append("writes")
    return missed


def explanation(case: Case, miss: str) -> str | None:
    """Return why this bound is not held here, None if it must be."""
    if case.scenario == "limit halved" and case.upstream == "sliding minute" and miss == "recovery":
        return (
            "A sliding minute tells its new limit only by being filled once more: the 300 requests of the "
            "second minute are all admitted at its start, and come free again sixty seconds later."
        )
    if case.scenario == "slow store" and case.workers in (2, 10) and miss == "utilisation":
        return (
            "A create takes a second when its claim, its record and the look whether its slot still stands "
            "wait for the store: so few workers cannot send more, whatever the pace allows."
        )
    if case.scenario == "slow store" and case.workers == 200:
        return (
            "Two hundred workers hold twice as many jobs as their lives have slots for; each that is put "
            "back costs them another write of the slow store, and many arrive at one slot's time."
        )
    return None


def table() -> Iterator[str]:
    """Yield Markdown: one table per scenario, then what was missed and why."""
    explained: dict[str, list[Case]] = {}
    unexplained: list[tuple[Case, str]] = []
    scenario = ""
    for case in cases():
        if case.scenario != scenario:
            scenario = case.scenario
            yield from _head(scenario)
        ours, jitter, counter = (
            play(SCENARIOS[scenario], case.upstream, case.workers, design)
            for design in (reserved_slots, full_jitter, minute_counter)
        )
        missed = misses(case, ours)
        for miss in missed:
            reason = explanation(case, miss)
            if reason is None:
                unexplained.append((case, miss))
            elif case not in explained.setdefault(reason, []):
                explained[reason].append(case)
        yield (
            f"| {case.upstream} | {case.workers} | {ours.utilisation:.3f} | {ours.first_minute:.3f} "
            f"| {ours.refusals:.2f} | {ours.writes:.3f} | {ours.postponed:.2f} | {', '.join(missed)} "
            f"| {jitter.utilisation:.3f} | {jitter.refusals:.0f} "
            f"| {counter.utilisation:.3f} | {counter.refusals:.0f} | {counter.writes:.2f} |"
        )
    yield from _misses(explained, unexplained)


def _head(scenario: str) -> Iterator[str]:
    yield f"\n### {scenario[0].upper()}{scenario[1:]}\n"
    yield (
        "| upstream | workers | utilisation | first minute | 429 per 1,000 | writes per call "
        "| put back per call | missed | full jitter: utilisation | 429 "
        "| minute counter: utilisation | 429 | writes |"
    )
    yield "| --- |" + " ---: |" * 6 + " --- |" + " ---: |" * 5


def _misses(explained: dict[str, list[Case]], unexplained: list[tuple[Case, str]]) -> Iterator[str]:
    yield "\n### Missed\n"
    for reason, missing in explained.items():
        where = sorted({f"{case.scenario}, {case.upstream}, {case.workers} workers" for case in missing})
        yield f"- {'; '.join(where)}: {reason}"
    for case, miss in unexplained:
        yield f"- **{case.scenario}, {case.upstream}, {case.workers} workers: {miss}, unexplained**"
    if not explained and not unexplained:
        yield "Nothing."
