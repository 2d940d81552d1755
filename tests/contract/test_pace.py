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
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


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


def slots(pace: Pace, count: int, *, now: datetime, before: datetime | None = None) -> list[datetime]:
    return list(pace.reserve_creates(count, now=now, before=before or now + HOUR).slots)


# Slots


def test_the_first_slot_is_now_and_the_rest_follow_evenly(pace: Pace) -> None:
    assert slots(pace, 3, now=START) == [START, START + GAP, START + 2 * GAP]


def test_no_slot_is_handed_out_twice(processes: tuple[Pace, Pace]) -> None:
    handed_out: list[datetime] = []
    for round_ in range(10):
        for process in processes:
            now = START + round_ * timedelta(milliseconds=7)
            handed_out += slots(process, round_ % 3 + 1, now=now)

    assert handed_out == sorted(handed_out)
    assert all(later - earlier == GAP for earlier, later in pairwise(handed_out))


def test_unused_time_is_not_saved_up(processes: tuple[Pace, Pace]) -> None:
    one, other = processes
    slots(one, 5, now=START)
    later = START + timedelta(minutes=1)

    assert slots(other, 2, now=later) == [later, later + GAP]
    assert slots(one, 1, now=later) == [later + 2 * GAP]


def test_a_minute_never_takes_more_than_the_provider_allows(processes: tuple[Pace, Pace]) -> None:
    handed_out = [slot for n in range(100) for slot in slots(processes[n % 2], 10, now=START)]

    assert sum(slot < START + timedelta(minutes=1) for slot in handed_out) == 595


def test_a_slot_that_comes_too_late_is_left_to_others(processes: tuple[Pace, Pace]) -> None:
    one, other = processes
    slots(one, 100, now=START)  # 10.1 s

    refused = other.reserve_creates(10, now=START, before=START + 10 * SECOND)

    free_at = START + 100 * GAP
    assert refused.slots == ()
    assert refused.later == tuple(free_at + n * GAP for n in range(10))
    assert slots(one, 1, now=START) == [free_at]


def test_at_the_end_of_the_horizon_a_batch_is_taken_whole_or_not_at_all(pace: Pace) -> None:
    horizon = START + 20 * SECOND
    slots(pace, 190, now=START)  # 19.19 s: room for nine

    assert slots(pace, 10, now=START, before=horizon) == []
    assert len(slots(pace, 8, now=START, before=horizon)) == 8


def test_a_batch_beyond_what_any_horizon_holds_is_taken_in_part(pace: Pace) -> None:
    turns = pace.reserve_creates(10, now=START, before=START + SECOND / 2)

    assert turns.slots == tuple(START + n * GAP for n in range(5))
    assert turns.later == tuple(START + n * GAP for n in range(5, 10))


# Blocks


def test_nothing_is_created_before_the_end_of_a_block(processes: tuple[Pace, Pace]) -> None:
    one, other = processes
    slots(one, 2, now=START)
    until = START + timedelta(seconds=30)
    one.block(sent_at=START, now=START, until=until)

    assert other.blocked_until() == until
    assert slots(other, 2, now=START) == [until, until + GAP]
    after = until + timedelta(minutes=1)
    assert slots(one, 1, now=after) == [after]


def test_slots_handed_out_before_a_block_are_void_and_their_time_is_not_lost(
    processes: tuple[Pace, Pace],
) -> None:
    one, other = processes
    held = one.reserve_creates(100, now=START, before=START + HOUR)
    assert not one.is_void(held)
    until = START + timedelta(seconds=5)
    other.block(sent_at=START, now=START, until=until)

    assert one.is_void(held)
    assert slots(one, 1, now=START) == [until]


def test_a_shorter_block_does_not_lift_a_longer_one(pace: Pace) -> None:
    until = START + timedelta(seconds=30)
    pace.block(sent_at=START, now=START, until=until)
    pace.block(sent_at=START, now=START, until=START + timedelta(seconds=10))

    assert pace.blocked_until() == until
    assert slots(pace, 1, now=START) == [until]


def test_a_refusal_of_a_moment_that_is_known_voids_nothing(processes: tuple[Pace, Pace]) -> None:
    one, other = processes
    one.block(sent_at=START, now=START, until=START + 30 * SECOND)
    held = one.reserve_creates(10, now=START, before=START + HOUR)

    other.block(sent_at=START, now=START + SECOND, until=START + 31 * SECOND)

    assert not one.is_void(held)


def test_what_is_turned_away_in_a_block_comes_back_spread_in_the_order_of_coming(pace: Pace) -> None:
    until = START + 600 * SECOND
    pace.block(sent_at=START, now=START, until=until)

    turned_away = [
        pace.reserve_creates(1, now=START + n * 60 * SECOND, before=START + n * 60 * SECOND + 20 * SECOND)
        for n in range(9)
    ]

    assert all(turns.slots == () for turns in turned_away)
    assert [turns.later[0] - until for turns in turned_away] == [n * 12 * SECOND for n in range(9)]


def test_nobody_is_blocked_at_first(pace: Pace) -> None:
    assert pace.blocked_until() is None
    slots(pace, 1, now=START)
    assert pace.blocked_until() is None


# The rate, learned


def test_a_refusal_slows_everybody_down(processes: tuple[Pace, Pace]) -> None:
    one, other = processes
    until = START + SECOND

    rate = one.create_refused(sent_at=START, now=START, until=until)

    assert rate == pytest.approx(600 / 1.01 / 1.03, rel=1e-3)
    first, second = slots(other, 2, now=START)
    assert first == until
    assert (second - first) / GAP == pytest.approx(1.03, rel=1e-3)


def test_refusals_of_one_moment_count_once(processes: tuple[Pace, Pace]) -> None:
    rates = [
        process.create_refused(sent_at=START, now=START + n * SECOND / 10, until=START + SECOND)
        for n, process in enumerate(processes * 5)
    ]

    assert rates[0] is not None
    assert rates[1:] == [None] * 9


def test_between_two_refusals_the_limit_is_measured(pace: Pace) -> None:
    pace.create_refused(sent_at=START, now=START, until=START + SECOND)
    # From the end of the block on, forty were sent within 4.2 s, and none for 3.8 s: 5 a second.
    again = START + SECOND + 40.5 * GAP * 1.03
    rate = pace.create_refused(sent_at=again, now=again, until=START + 9 * SECOND)

    assert rate == pytest.approx(300 / 1.02, rel=1e-3)


def test_one_refusal_never_more_than_halves_the_rate(pace: Pace) -> None:
    first = pace.create_refused(sent_at=START, now=START, until=START + SECOND)
    again = START + 3 * SECOND
    second = pace.create_refused(sent_at=again, now=again, until=again + 60 * SECOND)

    assert first is not None
    assert second == pytest.approx(first / 2, rel=1e-3)


def test_who_is_sent_away_for_longer_than_any_limit_lasts_was_not_too_fast(pace: Pace) -> None:
    rate = pace.create_refused(sent_at=START, now=START, until=START + 600 * SECOND)

    assert rate == pytest.approx(600 / 1.01, rel=1e-3)


def test_a_block_that_goes_on_says_nothing_of_the_rate(pace: Pace) -> None:
    now = START
    first = pace.create_refused(sent_at=now, now=now, until=now + 30 * SECOND)
    assert first is not None
    for _ in range(20):
        now += 30 * SECOND
        probed = pace.create_refused(sent_at=now, now=now, until=now + 30 * SECOND)
        assert probed == pytest.approx(first, rel=1e-3)


def test_the_rate_recovers_with_time_alone(pace: Pace) -> None:
    pace.create_refused(sent_at=START, now=START, until=START)
    again = START + SECOND
    end = again + 60 * SECOND
    pace.create_refused(sent_at=again, now=again, until=end)

    def slower_after(minutes: float) -> float:
        first, second = slots(pace, 2, now=end + timedelta(minutes=minutes))
        return (second - first) / GAP

    expected = [2.06, 2.06 / (1 + 1 / 64), 2.06 / (1 + 1 / 8), 2.06 / (1 + 27 / 64), 1.03]
    assert [slower_after(minutes) for minutes in (0, 5, 10, 15, 20)] == pytest.approx(expected, rel=1e-3)
    assert slower_after(30) == 1.0


# The other bucket


def test_reads_have_a_pace_of_their_own_and_no_block(pace: Pace) -> None:
    slots(pace, 50, now=START)
    pace.block(sent_at=START, now=START, until=START + timedelta(minutes=5))

    assert pace.reserve_read(now=START, before=START + SECOND) == START
    assert pace.reserve_read(now=START, before=START + SECOND) == START + READ_GAP


def test_a_read_too_late_for_its_process_takes_no_slot(pace: Pace) -> None:
    pace.reserve_read(now=START, before=START)

    assert pace.reserve_read(now=START, before=START) is None
    assert pace.reserve_read(now=START, before=START + SECOND) == START + READ_GAP


def test_reads_slow_down_on_their_own(pace: Pace) -> None:
    rate = pace.read_refused(sent_at=START, now=START, until=START + SECOND)

    assert rate == pytest.approx(3000 / 1.01 / 1.03, rel=1e-3)
    assert pace.reserve_read(now=START, before=START + HOUR) == START + SECOND
    assert slots(pace, 1, now=START) == [START]
