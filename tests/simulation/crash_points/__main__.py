"""The long forms: every fault of every call; `pairs`: every pair of kills; `labels`: the golden list.

`every N` plays each Nth fault, evenly over all flows; `judged every N` does so of the others than
those of scenarios_judged, and plays these whole. All but `labels` write their section of
docs/reliability.md, if everything held.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.report import write_section
from tests.simulation.crash_points import golden, pairs, reports
from tests.simulation.crash_points.campaign import dry_runs, points, survive_all
from tests.simulation.crash_points.cloud import opened
from tests.simulation.crash_points.scenarios import Scenario
from tests.simulation.crash_points.scenarios_judged import JUDGED

PROCESSES = 2


def main(arguments: list[str]) -> int:
    match arguments:
        case []:
            return break_calls(1)
        case ["every", step]:
            return break_calls(int(step))
        case ["judged", "every", step]:
            return break_calls(int(step), whole=JUDGED)
        case ["pairs"]:
            return kill_twice()
        case ["labels"]:
            return write_labels()
    sys.stderr.write(__doc__ or "")
    return 2


def break_calls(step: int, whole: Sequence[Scenario] = ()) -> int:
    with opened() as cloud:
        runs = dry_runs(cloud)
    every = list(points(runs))
    others = [point for point in every if point.scenario not in whole]
    chosen = [*others[::step], *(point for point in every if point.scenario in whole)]
    outcomes = survive_all(chosen, PROCESSES)
    text = reports.of_crash_points(runs, every, outcomes)
    return _told("crash-points", text, [o.failure for o in outcomes])


def kill_twice() -> int:
    outcomes = pairs.survive_all(PROCESSES)
    return _told("pairs", reports.of_pairs(outcomes), [o.failure for o in outcomes])


def write_labels() -> int:
    with opened() as cloud:
        golden.write(call.label for calls in dry_runs(cloud).values() for call in calls)
    return 0


def _told(section: str, text: str, failures: list[str | None]) -> int:
    failed = [failure for failure in failures if failure]
    sys.stdout.write("\n".join([*failed, text, ""]))
    if not failed:
        write_section(section, text)
    return min(len(failed), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
