from __future__ import annotations

import pytest

from revela.domain.job import State
from tests.unit.functions.api.client import BIA, ApiPorts, Client
from tests.unit.functions.api.rows import failed, stored, succeeded

IDS = [f"gen_01K4YVZ5M0QH8W3D9RJ2T6XBC{n}" for n in range(5)]


def listed(api: Client, **query: str) -> list[str]:
    return [item["id"] for item in api.get("/v1/generations", query=query).json["items"]]


def test_generations_come_newest_first_by_pages(api: Client, ports: ApiPorts) -> None:
    for id_ in IDS:
        stored(ports, id_)

    pages, query = [], {"limit": "2"}
    while True:
        page = api.get("/v1/generations", query=query).json
        pages.append([item["id"] for item in page["items"]])
        if page["cursor"] is None:
            break
        query = {"limit": "2", "cursor": page["cursor"]}

    assert pages == [[IDS[4], IDS[3]], [IDS[2], IDS[1]], [IDS[0]]]


def test_a_list_holds_only_the_callers_own(api: Client, ports: ApiPorts) -> None:
    stored(ports, IDS[0])
    stored(ports, IDS[1], user_id=BIA)

    assert listed(api) == [IDS[0]]


def test_a_new_users_list_is_empty(api: Client) -> None:
    assert api.get("/v1/generations").json == {"items": [], "cursor": None}


def test_a_list_can_be_narrowed_by_status_and_model(api: Client, ports: ApiPorts) -> None:
    succeeded(ports, IDS[0])
    failed(ports, IDS[1])
    succeeded(ports, IDS[2], model="sdxl")
    stored(ports, IDS[3], state=State.DELETING)

    assert listed(api, status="succeeded") == [IDS[2], IDS[0]]
    assert listed(api, model="sdxl") == [IDS[2]]
    assert listed(api, model="flux-dev", status="failed") == [IDS[1]]


def test_items_look_as_they_do_alone(api: Client, ports: ApiPorts) -> None:
    for id_ in IDS[:2]:
        succeeded(ports, id_)

    items = api.get("/v1/generations").json["items"]

    assert items == [api.get(f"/v1/generations/{id_}").json for id_ in (IDS[1], IDS[0])]


@pytest.mark.parametrize(
    ("query", "invalid"),
    [
        ({"limit": "0"}, {"limit": "out_of_range"}),
        ({"limit": "101"}, {"limit": "out_of_range"}),
        ({"limit": "-1"}, {"limit": "out_of_range"}),
        ({"limit": "ten"}, {"limit": "must_be_integer"}),
        ({"limit": "2.5"}, {"limit": "must_be_integer"}),
        ({"limit": "1,2"}, {"limit": "must_be_integer"}),
        ({"limit": ""}, {"limit": "must_be_integer"}),
        ({"limit": "9" * 5000}, {"limit": "must_be_integer"}),
        ({"status": "deleting"}, {"status": "not_one_of"}),
        ({"status": ""}, {"status": "not_one_of"}),
        ({"model": "flux"}, {"model": "not_one_of"}),
        ({"cursor": ""}, {"cursor": "invalid"}),
        ({"cursor": "x" * 513}, {"cursor": "invalid"}),
        ({"cursor": "!!"}, {"cursor": "invalid"}),
        ({"cursor": "d2FpdCM"}, {"cursor": "invalid"}),
        ({"staus": "failed"}, {"staus": "unknown_field"}),
        ({"limit": "0", "status": "done"}, {"limit": "out_of_range", "status": "not_one_of"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_query_that_makes_no_sense_is_refused(
    query: dict[str, str], invalid: dict[str, str], api: Client
) -> None:
    answer = api.get("/v1/generations", query=query)

    assert (answer.status, answer.invalid) == (422, invalid)


def test_a_refused_query_says_what_would_be_taken(api: Client) -> None:
    answer = api.get("/v1/generations", query={"limit": "0", "staus": "failed", "status": "done"})

    assert {param["name"]: param["reason"] for param in answer.json["invalid_params"]} == {
        "limit": "must be from 1 to 100",
        "staus": "is not a field of this request; it takes limit, cursor, status, model",
        "status": "must be one of: waiting, queued, starting, processing, saving, "
        "judging, succeeded, failed, canceled",
    }
