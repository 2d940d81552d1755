"""Each sample event does what its name says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from revela.domain.generation import State
from revela.ports import Ref
from tests.unit.functions.api.client import ANA, EVENTS, ApiPorts, Client, sample
from tests.unit.functions.api.rows import ID, stored, succeeded


def create(api: Client, ports: ApiPorts) -> None:
    answer = api.send(sample("create"))

    assert answer.status == 202
    assert ports.commands.started == [Ref(ANA, answer.json["id"])]
    assert ports.store.accounts[ANA].held == 6


def create_invalid(api: Client, ports: ApiPorts) -> None:
    answer = api.send(sample("create_invalid"))

    assert answer.status == 422
    assert answer.invalid == {"num_inference_steps": "out_of_range", "negative_prompt": "not_taken"}
    assert ports.store.generations == {}


def create_refused(api: Client, ports: ApiPorts) -> None:
    answer = api.send(sample("create_refused"))

    assert (answer.status, answer.json["code"]) == (422, "prompt_refused")
    assert answer.invalid == {"prompt": "refused_sexual"}
    assert "sexual.nudity" in answer.json["invalid_params"][0]["reason"]
    assert ports.store.generations == {}


def list_(api: Client, ports: ApiPorts) -> None:
    succeeded(ports)
    stored(ports, "gen_01K4YVZ5M0QH8W3D9RJ2T6XBCF")

    answer = api.send(sample("list"))

    assert [item["id"] for item in answer.json["items"]] == [ID]


def get(api: Client, ports: ApiPorts) -> None:
    succeeded(ports)

    answer = api.send(sample("get"))

    assert (answer.status, len(answer.json["outputs"])) == (200, 2)


def cancel(api: Client, ports: ApiPorts) -> None:
    stored(ports, state=State.PROCESSING, prediction_id="p1", attempt=1)

    answer = api.send(sample("cancel"))

    assert (answer.status, answer.json["cancel_requested"]) == (202, True)
    assert ports.commands.started == [Ref(ANA, ID)]


def delete(api: Client, ports: ApiPorts) -> None:
    succeeded(ports)

    answer = api.send(sample("delete"))

    assert answer.status == 204
    assert ports.store.generations == {}


def account(api: Client, ports: ApiPorts) -> None:
    answer = api.send(sample("account"))

    assert answer.json["credits"] == {"available": 20, "held": 0, "spent": 0}
    assert ports.store.accounts[ANA].plan == "free"


def ledger(api: Client, ports: ApiPorts) -> None:
    answer = api.send(sample("ledger"))

    assert [(e["kind"], e["credits"], e["balance"]) for e in answer.json["items"]] == [("grant", 20, 20)]


def catalog(api: Client, ports: ApiPorts) -> None:
    answer = api.send(sample("catalog"))

    assert answer.json["plans"][0]["name"] == "Grátis"
    assert ports.store.accounts == {}


def health(api: Client, ports: ApiPorts) -> None:
    assert api.send(sample("health")).json["status"] == "ok"
    assert ports.calls.names == []


def openapi(api: Client, ports: ApiPorts) -> None:
    assert api.send(sample("openapi")).json["openapi"] == "3.1.0"
    assert ports.calls.names == []


EFFECTS: dict[str, Callable[[Client, ApiPorts], None]] = {
    "create": create,
    "create_invalid": create_invalid,
    "create_refused": create_refused,
    "list": list_,
    "get": get,
    "cancel": cancel,
    "delete": delete,
    "account": account,
    "ledger": ledger,
    "catalog": catalog,
    "health": health,
    "openapi": openapi,
}


@pytest.mark.parametrize("name", EFFECTS)
def test_a_sample_event_has_its_effect(name: str, api: Client, ports: ApiPorts) -> None:
    EFFECTS[name](api, ports)


def test_every_sample_event_is_used() -> None:
    assert {path.stem for path in EVENTS.iterdir()} == set(EFFECTS)
