"""The stand-in's list of predictions: pages, cursors, filters."""

from datetime import datetime
from typing import Any

import pytest

from tests.contract.replicate_stand_in import ORIGIN, InProcess

pytestmark = pytest.mark.anyio


async def _create_many(replicate: InProcess, count: int) -> list[str]:
    """Ids, newest first, a second apart."""
    ids = []
    for _ in range(count):
        ids.append((await replicate.create())["id"])
        await replicate.pass_time(1)
    return ids[::-1]


async def _page(replicate: InProcess, url: str = "/v1/predictions", **filters: str) -> dict[str, Any]:
    reply = await replicate.api.get(url, params=filters or None)
    assert reply.status_code == 200, reply.text
    return replicate.dict_of(reply)


def _ids(page: dict[str, Any]) -> list[str]:
    return [prediction["id"] for prediction in page["results"]]


async def test_an_empty_list_is_a_page(replicate: InProcess) -> None:
    assert await _page(replicate) == {"previous": None, "next": None, "results": []}


async def test_pages_of_a_hundred_newest_first_cover_all_once(replicate: InProcess) -> None:
    ids = await _create_many(replicate, 250)
    first = await _page(replicate)
    second = await _page(replicate, first["next"])
    third = await _page(replicate, second["next"])

    assert [len(page["results"]) for page in (first, second, third)] == [100, 100, 50]
    assert _ids(first) + _ids(second) + _ids(third) == ids
    assert (first["previous"], third["next"]) == (None, None)
    assert first["next"].startswith(f"{ORIGIN}/v1/predictions?cursor=")


async def test_previous_leads_back_over_the_same_pages(replicate: InProcess) -> None:
    await _create_many(replicate, 250)
    first = await _page(replicate)
    second = await _page(replicate, first["next"])
    third = await _page(replicate, second["next"])
    second_again = await _page(replicate, third["previous"])
    first_again = await _page(replicate, second_again["previous"])

    assert _ids(second_again) == _ids(second)
    assert _ids(first_again) == _ids(first)
    assert first_again["previous"] is None


async def test_what_is_created_between_two_pages_shifts_neither(replicate: InProcess) -> None:
    ids = await _create_many(replicate, 150)
    first = await _page(replicate)
    await _create_many(replicate, 30)
    second = await _page(replicate, first["next"])
    back = await _page(replicate, second["previous"])

    assert _ids(first) + _ids(second) == ids
    assert _ids(back) == _ids(first)
    assert back["previous"] is not None, "the thirty newer ones"


async def test_exactly_a_hundred_have_no_next_page(replicate: InProcess) -> None:
    await _create_many(replicate, 100)
    assert (await _page(replicate))["next"] is None


async def test_filters_include_the_start_and_exclude_the_end(replicate: InProcess) -> None:
    ids = await _create_many(replicate, 5)
    times = [(await replicate.get({"id": id_}))["created_at"] for id_ in ids]
    page = await _page(replicate, created_after=times[3], created_before=times[1])

    assert _ids(page) == [ids[2], ids[3]]


async def test_filters_hold_on_the_next_page(replicate: InProcess) -> None:
    ids = await _create_many(replicate, 150)
    oldest_wanted = (await replicate.get({"id": ids[119]}))["created_at"]
    first = await _page(replicate, created_after=oldest_wanted)
    second = await _page(replicate, first["next"])

    assert _ids(first) + _ids(second) == ids[:120]
    assert second["next"] is None


async def test_times_may_be_written_with_any_offset(replicate: InProcess) -> None:
    ids = await _create_many(replicate, 2)
    newest = datetime.fromisoformat((await replicate.get({"id": ids[0]}))["created_at"])
    elsewhere = newest.astimezone(datetime.fromisoformat("2026-01-01T00:00:00-03:00").tzinfo)

    assert _ids(await _page(replicate, created_after=elsewhere.isoformat())) == ids[:1]


async def test_rows_have_inputs_and_outputs_but_no_logs(replicate: InProcess) -> None:
    await replicate.finished("black-forest-labs/flux-schnell", {"prompt": "a lighthouse"})
    (row,) = (await _page(replicate))["results"]

    assert row["input"] == {"prompt": "a lighthouse"}
    assert len(row["output"]) == 1
    assert "logs" not in row


async def test_nothing_comes_from_the_web(replicate: InProcess) -> None:
    await replicate.create()
    assert (await _page(replicate, source="web"))["results"] == []


@pytest.mark.parametrize(
    "filters",
    [
        {"created_after": "yesterday"},
        {"created_before": ""},
        {"source": "api"},
        {"cursor": "?"},
        {"cursor": "cD0"},
    ],
)
async def test_filters_that_cannot_be_read_are_refused(replicate: InProcess, filters: dict[str, str]) -> None:
    reply = await replicate.api.get("/v1/predictions", params=filters)
    assert reply.status_code == 422
