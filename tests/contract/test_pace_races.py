"""Two processes at the pace's item at once: the other one writes between this one's read and its write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from revela.adapters.dynamodb.pace import DynamoPace
from tests.contract.aws import aws, deploy_tables
from tests.contract.wire import Fault, Send, Wire, wire
from tests.fakes.clock import START

GAP = timedelta(milliseconds=101)  # 600 a minute, and 1 % of margin
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def between() -> Iterator[Wire]:
    with aws(), wire() as found:
        yield found


@pytest.fixture
def processes(between: Wire) -> tuple[DynamoPace, DynamoPace]:
    tables = deploy_tables()
    one, other = (DynamoPace(tables, creates_per_minute=600, reads_per_minute=3000) for _ in range(2))
    return one, other


def after(act: Callable[[], object]) -> Fault:
    def first(send: Send) -> Any:
        act()
        return send()

    return first


def test_two_who_find_it_idle_take_different_slots(
    between: Wire, processes: tuple[DynamoPace, DynamoPace]
) -> None:
    one, other = processes
    taken = [*one.reserve_creates(1, now=START - MINUTE, before=START).slots]

    between.break_next(
        "UpdateItem",
        after(lambda: taken.extend(other.reserve_creates(2, now=START, before=START + MINUTE).slots)),
    )
    taken += one.reserve_creates(1, now=START, before=START + MINUTE).slots

    assert taken[1:] == [START, START + GAP, START + 2 * GAP]


def test_who_is_overtaken_takes_no_slot_past_its_own_end(
    between: Wire, processes: tuple[DynamoPace, DynamoPace]
) -> None:
    one, other = processes
    one.reserve_creates(1, now=START, before=START + MINUTE)

    between.break_next(
        "UpdateItem", after(lambda: other.reserve_creates(200, now=START, before=START + MINUTE))
    )
    turns = one.reserve_creates(3, now=START, before=START + 10 * SECOND)

    assert turns.slots == ()
    assert turns.later[0] == START + 201 * GAP


def test_of_two_refused_at_once_the_longer_block_stays(
    between: Wire, processes: tuple[DynamoPace, DynamoPace]
) -> None:
    one, other = processes

    between.break_next(
        "UpdateItem", after(lambda: other.block(sent_at=START, now=START, until=START + MINUTE))
    )
    one.block(sent_at=START, now=START, until=START + 10 * SECOND)

    assert one.blocked_until() == other.blocked_until() == START + MINUTE
