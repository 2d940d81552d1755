from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from revela.adapters.clock import SystemClock


def test_time_is_the_worlds_in_utc() -> None:
    before = datetime.now(UTC)

    now = SystemClock().now()

    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)


def test_an_offset_skips_hours() -> None:
    ahead = SystemClock(offset_s=7200).now() - datetime.now(UTC)

    assert timedelta(hours=2) - timedelta(minutes=1) < ahead <= timedelta(hours=2)


@pytest.mark.parametrize(
    ("wait", "expected_s"), [(timedelta(seconds=30), 30.0), (timedelta(seconds=-30), 0.0)]
)
def test_sleeping_is_by_the_clock_that_tells_the_time(
    monkeypatch: pytest.MonkeyPatch, wait: timedelta, expected_s: float
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    clock = SystemClock(offset_s=3600)

    clock.sleep_until(clock.now() + wait)

    assert slept == [pytest.approx(expected_s, abs=20)]
    assert slept[0] <= expected_s
