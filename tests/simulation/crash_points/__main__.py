"""The long forms: every fault of every call, or `pairs`: every pair of kills. Writes docs/reliability.md."""

from __future__ import annotations

import sys
import time
from collections import Counter

from tests.report import write_section
from tests.simulation.crash_points.campaign import Outcome, dry_runs, points, survive_all
from tests.simulation.crash_points.cloud import opened

PROCESSES = 2


def main(arguments: list[str]) -> int:
    return break_every_call()


def break_every_call() -> int:
    began = time.monotonic()
    with opened() as cloud:
        runs = dry_runs(cloud)
    every = list(points(runs))
    outcomes = survive_all(every, PROCESSES)
    failed = [outcome for outcome in outcomes if outcome.failure]
    for outcome in failed:
        print(f"{outcome.point}\n{outcome.failure}")
    text = report(outcomes, calls=sum(map(len, runs.values())))
    print(text, f"\n{time.monotonic() - began:.0f} s", sep="")
    if not failed:
        write_section("crash-points", text)
    return len(failed)


def report(outcomes: list[Outcome], *, calls: int) -> str:
    labels = {outcome.point.label for outcome in outcomes}
    faults = Counter(outcome.point.fault for outcome in outcomes)
    return f"{calls} {len(labels)} {faults}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
