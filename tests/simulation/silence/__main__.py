"""Twenty minutes without any webhook: the table as Markdown, written to docs/reliability.md; 1 on a miss.

PYTHONPATH=layers/core python -m tests.simulation.silence
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta

from tests.report import write_section
from tests.simulation.silence.measure import LONG, SHORT, START_WORKERS, Measured, Scenario, measure, misses

SCENARIOS = (
    Scenario("2 to 15 s, as the catalog's models", SHORT),
    Scenario("1 to 5 min", LONG),
    Scenario("1 to 5 min, slow listing", LONG, page_s=1.0),
    Scenario(
        "2 to 15 s, then 20 to 90 s before a judge", SHORT, judge_s=(20.0, 90.0), creates_per_minute=300
    ),
)


def row(measured: Measured) -> str:
    """Return the scenario's line of the table."""
    asked = [
        f"{measured.to_replicate_per_job(call):.3f}"
        for call in ("create_prediction", "_page", "get_prediction", "cancel_prediction")
    ]
    median = sorted(measured.unsaved)[len(measured.unsaved) // 2]
    cells = [
        measured.scenario.name,
        f"{measured.scenario.page_s:g} s",
        f"{measured.jobs:,}",
        _spoken(median),
        _spoken(measured.longest_unsaved),
        _spoken(measured.longest_unjudged) if measured.unjudged else "-",
        *asked,
        f"{measured.to_aws_by_reconcile_per_job():.2f}",
        str(measured.most_reads_in_a_minute),
        _spoken(measured.longest_run),
    ]
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| runs of | a page takes | jobs | unsaved, median | longest | unjudged, longest | creates per job "
    "| pages | gets | cancels | calls of reconcile to AWS per job | most reads in a minute | longest run |"
)
TEXT = """\
`tests/simulation/silence` plays the real `accept`, `start`, `reconcile` and `finish` in virtual time:
{minutes} minutes of 600 requests a minute with every webhook lost, then on until the last job has ended;
of 300 where a judge at Replicate takes its time, for every image is a create of the judge's as well.
Calls take their time (a create 0.4 s, a write 12 ms); {workers} start workers, and one run of reconcile a
minute of at most 55 s. *Unsaved* is the time from Replicate's success to our saved output, which Replicate
keeps for an hour, *unjudged* the time from there to what the judge's answer came to.

{table}

All jobs succeed, no run is stopped by its time-out, and reads stay far below Replicate's 3,000 a minute. A
run visits at most 1,000 rows and reads the listing in spans of two minutes, oldest first; whom it does not
reach is due again. Before it read in spans, jobs of several minutes were lost: what was new hid what was
old."""


def report(measured: Sequence[Measured]) -> str:
    lines = [HEAD, f"|{' --- |' * HEAD.count(' | ')} --- |", *map(row, measured)]
    minutes = measured[0].scenario.minutes
    return TEXT.format(minutes=minutes, workers=START_WORKERS, table="\n".join(lines))


def main() -> int:
    """Measure every scenario, write what came out, and return 1 if something is not as promised."""
    results = []
    for scenario in SCENARIOS:
        results.append(measure(scenario))
        sys.stdout.write(f"{row(results[-1])}\n")
        sys.stdout.flush()
    missed = [f"{measured.scenario.name}: {miss}" for measured in results for miss in misses(measured)]
    if missed:
        sys.stdout.write("\n".join(missed) + "\n")
        return 1
    write_section("silence", report(results))
    return 0


def _spoken(time: timedelta) -> str:
    minutes, seconds = divmod(round(time.total_seconds()), 60)
    return f"{minutes}:{seconds:02} min" if minutes else f"{seconds} s"


if __name__ == "__main__":
    sys.exit(main())
