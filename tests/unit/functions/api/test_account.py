from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import Transient
from revela.usecases.grant_credits import GrantCredits, grant_credits
from tests.unit.functions.api.client import ANA, ApiPorts, Client

REQUEST = {"model": "flux-dev", "prompt": "a lighthouse", "num_outputs": 2}


@pytest.mark.parametrize("path", ["/v1/account", "/v1/account/ledger", "/v1/generations"])
def test_the_first_call_of_a_new_user_opens_the_account(path: str, api: Client, ports: ApiPorts) -> None:
    assert api.get(path).status == 200

    assert ports.store.accounts[ANA].available == 20
    assert len(ports.store.ledger_of(ports.store.accounts[ANA].account_id)) == 1


def test_even_a_refused_first_call_opens_it(api: Client, ports: ApiPorts) -> None:
    assert api.post("/v1/generations", "{").status == 400

    assert ANA in ports.store.accounts


def test_a_user_who_was_seen_costs_no_further_read(api: Client, ports: ApiPorts) -> None:
    api.get("/v1/generations")
    ports.calls.names.clear()

    api.get("/v1/generations")

    assert ports.calls.names == ["FakeGenerations.page"]


def test_a_user_whose_account_could_not_be_opened_is_not_taken_for_seen(api: Client, ports: ApiPorts) -> None:
    def away(name: str) -> None:
        raise Transient("the table is away")

    ports.calls.before = away
    assert api.get("/v1/generations").status == 503
    ports.calls.before = lambda _: None

    assert api.get("/v1/generations").status == 200
    assert ANA in ports.store.accounts


def test_the_account_tells_plan_credits_and_what_is_under_way(api: Client) -> None:
    for _ in range(2):
        api.post("/v1/generations", REQUEST)

    shown = api.get("/v1/account", headers={"Accept-Language": "pt-BR"}).json

    assert shown["plan"] == {
        "id": "free",
        "name": "Grátis",
        "credits": 20,
        "monthly": False,
        "limits": {
            "jobs_at_once": 1,
            "jobs_waiting": 5,
            "images_per_request": 2,
            "images_per_day": 10,
            "free_cancels_per_day": 3,
            "free_blocks_per_day": 3,
            "trainings_at_once": 0,
            "models_kept": 0,
        },
    }
    assert shown["credits"] == {"available": 8, "held": 12, "spent": 0}
    assert (shown["running"], shown["waiting"], shown["trainings"]) == (1, 1, 0)
    assert shown["images_today"] == {"used": 4, "limit": 10, "resets_at": "2026-03-03T00:00:00.000Z"}
    assert shown["cancels_today"] == {"used": 0, "limit": 3, "resets_at": "2026-03-03T00:00:00.000Z"}
    assert shown["blocks_today"] == {"used": 0, "limit": 3, "resets_at": "2026-03-03T00:00:00.000Z"}
    assert shown["strikes_today"] == {"used": 0, "limit": 10, "resets_at": "2026-03-03T00:00:00.000Z"}
    assert shown["suspension"] is None
    assert [(grant["id"], grant["remaining"]) for grant in shown["grants"]] == [("plan:free", 8)]


def test_the_ledger_comes_newest_first_by_pages_with_balances(api: Client, ports: ApiPorts) -> None:
    for reference in ("one", "two"):
        grant_credits(GrantCredits(ANA, reference, credits=5), ports=ports)

    first = api.get("/v1/account/ledger", query={"limit": "2"}).json
    rest = api.get("/v1/account/ledger", query={"limit": "2", "cursor": first["cursor"]}).json

    seen = [(e["number"], e["kind"], e["credits"], e["balance"]) for e in first["items"] + rest["items"]]
    assert seen == [(3, "grant", 5, 30), (2, "grant", 5, 25), (1, "grant", 20, 20)]
    assert rest["cursor"] is None
    assert "acc_" not in str(first)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"cursor": "!!"}, {"status": "failed"}], ids=str)
def test_a_ledger_query_that_makes_no_sense_is_refused(query: dict[str, str], api: Client) -> None:
    answer = api.get("/v1/account/ledger", query=query)

    assert (answer.status, set(answer.invalid)) == (422, set(query))


def test_credits_that_lapsed_are_not_offered_any_more(api: Client, ports: ApiPorts) -> None:
    ends = ports.clock.now() + timedelta(days=1)
    grant_credits(GrantCredits(ANA, "promo", credits=7, expires_at=ends), ports=ports)
    assert api.get("/v1/account").json["credits"]["available"] == 27

    ports.clock.advance(timedelta(days=1))

    shown = api.get("/v1/account").json
    assert shown["credits"]["available"] == 20
    assert [grant["id"] for grant in shown["grants"]] == ["plan:free"]
