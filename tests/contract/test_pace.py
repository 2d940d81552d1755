from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from revela.adapters.dynamodb.pace import DynamoPace
from revela.ports import Pace
from tests.contract.aws import aws, deploy_tables
from tests.fakes import FakePace
from tests.fakes.clock import START

GAP = timedelta(milliseconds=101)  # 600 a minute, and 1 % of margin
READ_GAP = timedelta(microseconds=20_200)  # 3,000 a minute


@pytest.fixture(params=["memory", "dynamodb"])
def processes(request: pytest.FixtureRequest) -> Iterator[tuple[Pace, Pace]]:
    """Two processes that share the provider's account."""
    if request.param == "memory":
        shared = FakePace(creates_per_minute=600, reads_per_minute=3000)
        yield shared, shared
        return
    with aws():
        tables = deploy_tables()
        yield (
            DynamoPace(tables, creates_per_minute=600, reads_per_minute=3000),
            DynamoPace(tables, creates_per_minute=600, reads_per_minute=3000),
        )


@pytest.fixture
def pace(processes: tuple[Pace, Pace]) -> Pace:
    return processes[0]


def test_the_first_slot_is_now_and_the_rest_follow_evenly(pace: Pace) -> None:
    assert pace.reserve_creates(3, now=START) == [START, START + GAP, START + 2 * GAP]


def test_no_slot_is_handed_out_twice(processes: tuple[Pace, Pace]) -> None:
    slots: list[datetime] = []
    for round_ in range(10):
        for process in processes:
            slots += process.reserve_creates(round_ % 3 + 1, now=START + round_ * timedelta(milliseconds=7))

    assert slots == sorted(slots)
    assert all(later - earlier == GAP for earlier, later in pairwise(slots))


def test_unused_time_is_not_saved_up(processes: tuple[Pace, Pace]) -> None:
    one, other = processes
    one.reserve_creates(5, now=START)
    later = START + timedelta(minutes=1)

    assert other.reserve_creates(2, now=later) == [later, later + GAP]
    assert one.reserve_creates(1, now=later) == [later + 2 * GAP]


def test_a_minute_never_takes_more_than_the_provider_allows(processes: tuple[Pace, Pace]) -> None:
    slots = [slot for n in range(100) for slot in processes[n % 2].reserve_creates(10, now=START)]

    assert sum(slot < START + timedelta(minutes=1) for slot in slots) == 595


def test_nothing_is_created_before_the_end_of_a_block(processes: tuple[Pace, Pace]) -> None:
    one, other = processes
    one.reserve_creates(2, now=START)
    until = START + timedelta(seconds=30)
    one.block(until=until)

    assert other.blocked_until() == until
    assert other.reserve_creates(2, now=START) == [until, until + GAP]
    after = until + timedelta(minutes=1)
    assert one.reserve_creates(1, now=after) == [after]


def test_a_shorter_block_does_not_lift_a_longer_one(pace: Pace) -> None:
    until = START + timedelta(seconds=30)
    pace.block(until=until)
    pace.block(until=START + timedelta(seconds=10))

    assert pace.blocked_until() == until
    assert pace.reserve_creates(1, now=START) == [until]


def test_a_block_that_ends_before_the_next_free_slot_moves_none(pace: Pace) -> None:
    pace.reserve_creates(100, now=START)
    until = START + timedelta(seconds=5)
    pace.block(until=until)

    assert pace.blocked_until() == until
    assert pace.reserve_creates(1, now=START) == [START + 100 * GAP]


def test_nobody_is_blocked_at_first(pace: Pace) -> None:
    assert pace.blocked_until() is None
    pace.reserve_creates(1, now=START)
    assert pace.blocked_until() is None


def test_reads_have_a_pace_of_their_own_and_no_block(pace: Pace) -> None:
    pace.reserve_creates(50, now=START)
    pace.block(until=START + timedelta(minutes=5))

    assert pace.reserve_reads(2, now=START) == START
    assert pace.reserve_reads(1, now=START) == START + 2 * READ_GAP
