"""Every call of photos and of a model's deletion, on the real adapters, broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.simulation.crash_points.cloud import Cloud, opened
from tests.simulation.crash_points.photo_flows import PhotoPoint, every_point, first_of_each_label, play


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with opened() as deployed:
        yield deployed


def survived(cloud: Cloud, points: Sequence[PhotoPoint]) -> None:
    for point in points:
        try:
            play(cloud, point.flow, point)
        except Exception as error:
            error.add_note(f"{point.flow.__name__}, call {point.number} ({point.label}), {point.fault}")
            raise


def test_what_is_broken_once_under_each_label_leaves_no_photo_and_no_hold(cloud: Cloud) -> None:
    points = list(every_point(cloud))
    chosen = first_of_each_label(points)

    assert len({point.label for point in chosen}) > 30
    survived(cloud, chosen)


@pytest.mark.long
def test_whatever_is_broken_leaves_no_photo_and_no_hold(cloud: Cloud) -> None:
    survived(cloud, list(every_point(cloud)))
