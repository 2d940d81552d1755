"""Every call to the outside, on the real adapters, broken; the long form breaks each in every way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.simulation.crash_points import golden
from tests.simulation.crash_points.call_sites import ELSEWHERE, call_sites, uncovered
from tests.simulation.crash_points.campaign import Point, bounded, dry_runs, play, points
from tests.simulation.crash_points.cloud import Cloud, opened


@dataclass
class Rehearsed:
    """A deployment, what its flows call, and everything that can be broken."""

    cloud: Cloud
    labels: set[str]
    points: Sequence[Point]


@pytest.fixture(scope="module")
def rehearsed() -> Iterator[Rehearsed]:
    with opened() as cloud:
        runs = dry_runs(cloud)
        labels = {call.label for calls in runs.values() for call in calls}
        yield Rehearsed(cloud, labels, list(points(runs)))


@pytest.mark.parametrize("label", golden.labels())
def test_a_broken_call_loses_and_doubles_nothing(rehearsed: Rehearsed, label: str) -> None:
    for point in bounded(rehearsed.points, label):
        play(rehearsed.cloud, point.scenario, point)


def test_every_call_has_its_label(rehearsed: Rehearsed) -> None:
    told = golden.difference(rehearsed.labels)
    assert not told, told


def test_every_call_site_of_the_adapters_is_reached(rehearsed: Rehearsed) -> None:
    unreached = uncovered(rehearsed.cloud.callers)
    assert not unreached, f"no flow of tests/simulation/crash_points/scenarios.py calls {unreached}"


def test_what_is_reached_elsewhere_is_there() -> None:
    sites = call_sites()
    assert [name for name in ELSEWHERE if not any(site.startswith(name) for site in sites)] == []
