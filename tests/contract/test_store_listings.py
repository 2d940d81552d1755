"""Listings: what is due, pages of generations and of the ledger, over the fake store and over DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from revela.domain.change import Change, IdempotencyKey, JobWrite
from revela.domain.errors import InvalidRequest
from revela.domain.job import State
from revela.domain.policy import DUE_SHARDS
from revela.ports import Ref
from tests.contract.stores import KINDS, StorePorts, opened, ref
from tests.examples import a_generation, an_entry
from tests.fakes.clock import START

HOUR = timedelta(hours=1)


@pytest.fixture(params=KINDS)
def ports(request: pytest.FixtureRequest) -> Iterator[StorePorts]:
    with opened(request.param) as found:
        yield found


# Due


def all_due(ports: StorePorts, until: datetime, limit: int = 100) -> list[Ref]:
    return [
        found
        for shard in range(DUE_SHARDS)
        for found in ports.generations.due(shard, until=until, limit=limit)
    ]


def test_what_is_due_by_then_is_found_in_exactly_one_shard(ports: StorePorts) -> None:
    rows = ports.write(
        *(a_generation(f"gen_{n:02}", due_at=START + timedelta(minutes=n)) for n in range(20)),
        a_generation("gen_none", due_at=None),
    )

    found = all_due(ports, START + timedelta(minutes=9))

    assert sorted(found, key=lambda r: r.id) == [ref(row) for row in rows[:10]]


def test_longest_overdue_comes_first_up_to_the_limit(ports: StorePorts) -> None:
    ports.write(*(a_generation(f"gen_{n:02}", due_at=START + timedelta(minutes=60 - n)) for n in range(40)))

    for shard in range(DUE_SHARDS):
        everything = ports.generations.due(shard, until=START + HOUR, limit=100)
        assert len(everything) > 5, "what is due is spread over the shards"
        assert [r.id for r in everything] == sorted((r.id for r in everything), reverse=True)
        assert ports.generations.due(shard, until=START + HOUR, limit=2) == everything[:2]


def test_a_row_without_due_at_leaves_the_index(ports: StorePorts) -> None:
    (seen,) = ports.write(a_generation())
    done = seen.model_copy(update={"state": State.SUCCEEDED, "due_at": None})
    ports.changes.commit(Change(now=START, job=JobWrite(seen, done)))

    assert all_due(ports, START + 24 * HOUR) == []


# Pages


def pages(ports: StorePorts, *, limit: int, **filters: Any) -> list[list[str]]:
    cursor, found = None, []
    while True:
        page = ports.generations.page(
            "ana", limit=limit, cursor=cursor, **{"state": None, "model": None} | filters
        )
        found.append([row.id for row in page.items])
        cursor = page.cursor
        if cursor is None:
            return found


def test_pages_go_newest_first_and_end(ports: StorePorts) -> None:
    row = a_generation(state=State.WAITING)
    ports.changes.commit(
        Change(
            now=START,
            job=JobWrite(None, row),
            pointer_added=row,
            idempotency_key=IdempotencyKey("ana", "key#generations#1", "abc", row, START + HOUR),
        )
    )
    ports.write(*(a_generation(f"gen_{n:02}") for n in range(2, 6)), a_generation("gen_01", user_id="bia"))

    assert pages(ports, limit=2) == [["gen_05", "gen_04"], ["gen_03", "gen_02"], ["gen_01"]]
    assert pages(ports, limit=5) == [["gen_05", "gen_04", "gen_03", "gen_02", "gen_01"]]


def test_an_empty_listing_is_one_empty_page(ports: StorePorts) -> None:
    assert pages(ports, limit=10) == [[]]


def test_a_page_is_filled_past_what_the_filter_drops(ports: StorePorts) -> None:
    ports.write(
        *(
            a_generation(
                f"gen_{n:03}",
                model="sdxl" if n % 50 == 0 else "flux-dev",
                state=State.FAILED if n % 100 == 0 else State.QUEUED,
            )
            for n in range(250)
        )
    )

    assert pages(ports, limit=3, model="sdxl") == [["gen_200", "gen_150", "gen_100"], ["gen_050", "gen_000"]]
    assert pages(ports, limit=3, model="sdxl", state=State.FAILED) == [["gen_200", "gen_100", "gen_000"]]
    assert pages(ports, limit=3, state=State.CANCELED) == [[]]


def test_rows_being_deleted_are_not_listed(ports: StorePorts) -> None:
    ports.write(
        *(a_generation(f"gen_0{n}", state=State.DELETING if n % 2 else State.FAILED) for n in range(6))
    )

    assert [id_ for page in pages(ports, limit=2) for id_ in page] == ["gen_04", "gen_02", "gen_00"]


@pytest.mark.parametrize(
    "cursor",
    ["", "garbage", "***", "é", "a2V5I2dlbmVyYXRpb25zIzE", "d2FpdCMwMQ", "Z2VuXw", "Z2VuX" + "A" * 2000],
    ids=["empty", "no base64 of ours", "no base64", "no ascii", "a key item", "a pointer", "no id", "long"],
)
def test_a_bad_cursor_is_refused(ports: StorePorts, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ports.generations.page("ana", limit=2, cursor=cursor, state=None, model=None)
    assert [(p.name, p.code) for p in refused.value.invalid_params] == [("cursor", "invalid")]
    with pytest.raises(InvalidRequest):
        ports.accounts.ledger("acc_1", limit=2, cursor=cursor)


def test_the_ledger_is_read_newest_first_in_pages(ports: StorePorts) -> None:
    for number in range(1, 6):
        ports.changes.commit(Change(now=START, entries=(an_entry(number),)))
    ports.changes.commit(Change(now=START, entries=(an_entry(1, account_id="acc_2"),)))

    cursor, read = None, []
    while True:
        page = ports.accounts.ledger("acc_1", limit=2, cursor=cursor)
        read.append([entry.number for entry in page.items])
        cursor = page.cursor
        if cursor is None:
            break
    assert read == [[5, 4], [3, 2], [1]]
