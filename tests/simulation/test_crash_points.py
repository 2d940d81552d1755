"""Every call to the outside, on the real adapters, broken; the long form breaks each in every way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.report import section
from tests.simulation.crash_points import call_sites, golden, port_calls, reports
from tests.simulation.crash_points.breaker import Call
from tests.simulation.crash_points.campaign import Point, bounded, dry_runs, play, points
from tests.simulation.crash_points.choke_points import Callers
from tests.simulation.crash_points.cloud import Cloud, opened

ROWS = """
class Marks:
    def get(self): return self._tables.mark.get("one")
    def put(self, tables):
        kind = tables.mark
        found = kind(id="one")
        found.save(condition=kind.version == 1)
    def forget(self):
        mark = self._tables.mark
        mark("one").delete()
    def index(self):
        mark = self._tables.mark
        return mark.due.query(1)
    def nothing(self, found):
        found.update(self.known.get("one"))
"""
PORT_CALLS = """
def save(row, *, ports):
    def decide(seen):
        ports.objects.copy(
            seen.key,
            ports.catalog.name,
        )
    ports.accounts.get(ports.generations.get(row).user_id)
    telemetry = ports.telemetry
    objects = ports.objects
"""


@dataclass(frozen=True)
class Rehearsed:
    """A deployment, what its flows call, from where, and everything that can be broken."""

    cloud: Cloud
    runs: Mapping[str, Sequence[Call]]
    callers: Callers
    port_calls: set[port_calls.Site]
    points: Sequence[Point]


@pytest.fixture(scope="module")
def rehearsed() -> Iterator[Rehearsed]:
    with opened() as cloud:
        runs = dry_runs(cloud)
        # As they are now: histories with faults make other calls besides.
        yield Rehearsed(cloud, runs, set(cloud.callers), set(cloud.port_calls), list(points(runs)))


@pytest.mark.parametrize("label", golden.labels())
def test_a_broken_call_loses_and_doubles_nothing(rehearsed: Rehearsed, label: str) -> None:
    for point in bounded(rehearsed.points, label):
        play(rehearsed.cloud, point.scenario, point)


def test_every_call_has_its_label(rehearsed: Rehearsed) -> None:
    told = golden.difference(call.label for calls in rehearsed.runs.values() for call in calls)
    assert not told, told


def test_every_call_site_of_the_adapters_is_reached(rehearsed: Rehearsed) -> None:
    unreached = call_sites.uncovered(rehearsed.callers)
    assert not unreached, f"no flow of tests/simulation/crash_points calls {unreached}"


def test_every_call_of_a_port_is_reached(rehearsed: Rehearsed) -> None:
    unreached = port_calls.unreached(rehearsed.port_calls)
    assert not unreached, f"no flow of tests/simulation/crash_points comes to {unreached}"


def test_the_page_tells_of_these_flows_and_calls(rehearsed: Rehearsed) -> None:
    page = " ".join(section("crash-points").split())
    assert reports.of_flows(rehearsed.runs) in page, "python -m tests.simulation.crash_points writes it"


def test_what_is_reached_elsewhere_is_there() -> None:
    sites = call_sites.call_sites()
    assert [name for name in call_sites.ELSEWHERE if not any(site.startswith(name) for site in sites)] == []
    calls = list(map(str, port_calls.sites()))
    assert [name for name in port_calls.ELSEWHERE if not any(call.startswith(name) for call in calls)] == []


def test_a_row_calls_the_outside_by_whatever_name_and_method(tmp_path: Path) -> None:
    (tmp_path / "marks.py").write_text(ROWS)

    assert call_sites.call_sites(tmp_path) == {
        "marks.py:Marks.get": ["self._tables.mark.get"],
        "marks.py:Marks.put": ["found.save"],
        "marks.py:Marks.forget": ["mark('one').delete"],
        "marks.py:Marks.index": ["mark.due.query"],
    }


def test_a_port_is_called_within_calls_and_functions_and_under_no_other_name(tmp_path: Path) -> None:
    (tmp_path / "save.py").write_text(PORT_CALLS)

    assert port_calls.sites(tmp_path) == [
        ("save.py", "save.<locals>.decide", "objects.copy", 4),
        ("save.py", "save", "accounts.get", 8),
        ("save.py", "save", "generations.get", 8),
        ("save.py", "save", "objects under another name", 10),
    ]


def test_of_two_calls_of_a_port_in_a_function_each_is_to_be_reached(tmp_path: Path) -> None:
    (tmp_path / "sweep.py").write_text(
        "def sweep(*, ports):\n    ports.objects.delete('a')\n    ports.objects.delete('b')\n"
    )

    reached = {port_calls.Site("sweep.py", "sweep", "objects.delete", 3)}
    assert port_calls.unreached(reached, tmp_path) == ["sweep.py:sweep objects.delete, line 2"]
