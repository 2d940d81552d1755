"""Which faults of which calls are played, and what came of each."""

from __future__ import annotations

import traceback
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context

from tests.simulation.crash_points.breaker import KILLS, Breaker, Call, Fault
from tests.simulation.crash_points.cloud import Cloud, opened
from tests.simulation.crash_points.evidence import assert_at_rest
from tests.simulation.crash_points.history import History
from tests.simulation.crash_points.scenarios import SCENARIOS, Scenario
from tests.simulation.crash_points.scenarios_judged import JUDGED
from tests.simulation.crash_points.scenarios_troubled import TROUBLED

# The shortest first: a label is broken where it is cheapest to.
EVERY = (*SCENARIOS, *TROUBLED, *JUDGED)


@dataclass(frozen=True)
class Point:
    """One fault of one call of one scenario; `number` counts the calls of its dry run."""

    scenario: Scenario
    number: int
    label: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.scenario.name}, call {self.number} ({self.label}), {self.fault}"


def dry_runs(cloud: Cloud) -> dict[str, Sequence[Call]]:
    """Play each scenario without any fault but its own, and return the calls it made."""
    runs: dict[str, Sequence[Call]] = {}
    for scenario in EVERY:
        breaker = play(cloud, scenario).on.breaker
        never = [*breaker.unplayed, *breaker.meanwhile]
        assert not never, f"{scenario.name} never calls {never}"
        runs[scenario.name] = breaker.seen
    return runs


def points(runs: dict[str, Sequence[Call]]) -> Iterator[Point]:
    """Yield everything that can be broken."""
    for scenario in EVERY:
        for number, call in enumerate(runs[scenario.name]):
            if scenario.scripted.get(call.label) and _first(runs[scenario.name], call.label) == number:
                continue  # it is broken already
            for fault in call.faults:
                yield Point(scenario, number, call.label, fault)


def bounded(every: Sequence[Point], label: str) -> list[Point]:
    """Return both kills of the first call of this label and, of every third label, one other fault.

    Which labels and which fault is decided by the label, the same each time; the long form has all.
    """
    first = {point.fault: point for point in reversed(every) if point.label == label}
    kills = [point for fault, point in first.items() if fault in KILLS]
    others = [point for fault, point in sorted(first.items()) if fault not in KILLS]
    drawn = zlib.crc32(label.encode())
    return kills if drawn % 3 else [*kills, others[drawn // 3 % len(others)]]


@dataclass(frozen=True)
class Outcome:
    """`repaired_in`: how long after the fault the last job ended, less what its flow waits for by itself.

    `failure`: what did not hold.
    """

    point: Point
    repaired_in: timedelta
    failure: str | None = None


def survive(cloud: Cloud, point: Point) -> Outcome:
    """Play the point's scenario with its fault, and check everything."""
    try:
        history = play(cloud, point.scenario, point)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the outcome
        return Outcome(point, timedelta(0), "".join(traceback.format_exception(error)))
    return Outcome(point, max(history.repaired_in - point.scenario.waits, timedelta(0)))


def survive_all(every: Sequence[Point], processes: int) -> list[Outcome]:
    """Play them all, in so many processes at once."""
    shares = [every[n :: processes * 8] for n in range(processes * 8)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return [outcome for outcomes in pool.map(_survive_share, shares) for outcome in outcomes]


def _survive_share(share: Sequence[Point]) -> list[Outcome]:
    with opened() as cloud:
        return [survive(cloud, point) for point in share]


def play(cloud: Cloud, scenario: Scenario, point: Point | None = None) -> History:
    breaks = {point.number: point.fault} if point else {}
    cloud.begin(lambda on: Breaker(on.time, breaks, scenario.scripted))
    history = History(cloud)
    try:
        scenario.play(history)
        if point is not None:
            assert cloud.breaker.seen[point.number].label == point.label, "the history took another course"
        assert_at_rest(history, scenario)
    except Exception as error:
        error.add_note(f"{point or scenario.name}; broken: {cloud.breaker.broken}")
        raise
    return history


def _first(calls: Sequence[Call], label: str) -> int:
    return next(number for number, call in enumerate(calls) if call.label == label)
