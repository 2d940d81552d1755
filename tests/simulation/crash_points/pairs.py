"""Two kills in one history: the first at any call, the second at any call of what follows."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from multiprocessing import get_context

from tests.simulation.crash_points.breaker import KILLS, Fault
from tests.simulation.crash_points.evidence import assert_at_rest
from tests.simulation.crash_points.history import History
from tests.simulation.crash_points.memory import Memory
from tests.simulation.crash_points.scenarios import SCENARIOS, Scenario

Kills = Mapping[int, Fault]

# The flow of a generation: alone, with another one behind it, carried by reconcile, tried again, and judged.
NAMES = ("life", "queue", "silence", "trouble", "judged")
FLOWS = {scenario.name: scenario for scenario in SCENARIOS if scenario.name in NAMES}


@dataclass(frozen=True)
class Outcome:
    """`repaired_in`: how long after the second kill the last job ended; `failure`: what did not hold."""

    flow: str
    repaired_in: timedelta
    failure: str | None = None


def play(kills: Kills, scenario: Scenario) -> History:
    """Play the flow with these kills and check everything."""
    history = History(Memory(kills))
    try:
        scenario.play(history)
        assert len(history.on.breaker.broken) == len(kills), "the history took another course"
        assert_at_rest(history, scenario)
    except Exception as error:
        error.add_note(f"{scenario.name}, killed at {dict(kills)}: {history.on.breaker.broken}")
        raise
    return history


def first_kills(scenario: Scenario) -> list[Kills]:
    return _kills({}, play({}, scenario), after=-1)


def second_kills(first: Kills, scenario: Scenario) -> list[Kills]:
    """Return every second kill that may follow the first."""
    return _kills(first, play(first, scenario), after=max(first))


def survive(kills: Kills, scenario: Scenario) -> Outcome:
    try:
        history = play(kills, scenario)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the outcome
        return Outcome(scenario.name, timedelta(0), "".join(traceback.format_exception(error)))
    return Outcome(scenario.name, history.repaired_in)


def survive_share(scenario: Scenario, step: int) -> Iterator[Outcome]:
    """Play every `step`th pair; the same ones each time."""
    for pair in islice(_pairs(scenario, first_kills(scenario)), 0, None, step):
        yield survive(pair, scenario)


def survive_all(processes: int) -> list[Outcome]:
    """Play every pair of every flow, in so many processes at once."""
    work = [(name, first) for name, scenario in FLOWS.items() for first in first_kills(scenario)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return [outcome for outcomes in pool.map(_after, work, chunksize=4) for outcome in outcomes]


def _after(work: tuple[str, Kills]) -> list[Outcome]:
    name, first = work
    return [survive(pair, FLOWS[name]) for pair in second_kills(first, FLOWS[name])]


def _pairs(scenario: Scenario, firsts: Iterable[Kills]) -> Iterator[Kills]:
    for first in firsts:
        yield from second_kills(first, scenario)


def _kills(before: Kills, history: History, *, after: int) -> list[Kills]:
    numbers: Sequence[int] = range(after + 1, len(history.on.breaker.seen))
    return [{**before, number: fault} for number in numbers for fault in KILLS]
