"""Each sample event does what its name says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from revela.domain.job import State
from revela.ports import Ref
from tests.fakes import FakeEntropy
from tests.unit.functions.api.client import ANA, EVENTS, ApiPorts, Client, sample
from tests.unit.functions.api.rows import ID, judged, stored, subscribed, succeeded
from tests.unit.usecases.model_life import ModelLife

ULID = ID.removeprefix("gen_")
MODEL, PHOTO, TRAINING = f"mdl_{ULID}", f"pho_{ULID}", f"trn_{ULID}"


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


def appeal(api: Client, ports: ApiPorts) -> None:
    ports.entropy = FirstIds()
    judged(ports, "nudity")

    answer = api.send(sample("appeal"))

    assert (answer.status, answer.json["id"]) == (202, ID)
    assert answer.json["appeal"]["reason"] == "It is a statue in a museum."


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


class FirstIds(FakeEntropy):
    """The first id of each kind is the one that the sample events name."""

    def __init__(self) -> None:
        super().__init__()
        self._given: set[str] = set()

    def new_id(self, prefix: str, *, now: datetime) -> str:
        if prefix in self._given:
            return super().new_id(prefix, now=now)
        self._given.add(prefix)
        return f"{prefix}_{ULID}"


def hands(ports: ApiPorts) -> ModelLife:
    ports.entropy = FirstIds()
    return subscribed(ports)


def create_model(api: Client, ports: ApiPorts) -> None:
    hands(ports)

    answer = api.send(sample("create_model"))

    assert (answer.status, answer.json["id"]) == (201, MODEL)
    assert ports.store.models[ANA, MODEL].name == "Ana"


def create_model_without_consent(api: Client, ports: ApiPorts) -> None:
    hands(ports)

    answer = api.send(sample("create_model_without_consent"))

    assert answer.invalid == {"consent.accepted": "must_be_accepted"}
    assert ports.store.models == {}


def list_models(api: Client, ports: ApiPorts) -> None:
    hands(ports).create()

    assert [item["id"] for item in api.send(sample("list_models")).json["items"]] == [MODEL]


def get_model(api: Client, ports: ApiPorts) -> None:
    hands(ports).with_photos()

    assert api.send(sample("get_model")).json["next_step"]["code"] == "train"


def change_model(api: Client, ports: ApiPorts) -> None:
    hands(ports).create()

    assert api.send(sample("change_model")).json["name"] == "Ana, 2026"


def delete_model(api: Client, ports: ApiPorts) -> None:
    hands(ports).create()

    assert api.send(sample("delete_model")).json["status"] == "deleting"


def withdraw_consent(api: Client, ports: ApiPorts) -> None:
    hands(ports).create()

    answer = api.send(sample("withdraw_consent"))

    assert (answer.status, answer.json["status"]) == (202, "deleting")
    assert answer.json["consent"]["withdrawn_at"] is not None


def request_photo_uploads(api: Client, ports: ApiPorts) -> None:
    hands(ports).create()

    answer = api.send(sample("request_photo_uploads"))

    assert (answer.status, answer.json["photos"][0]["id"], len(ports.store.photos)) == (201, PHOTO, 2)


def list_photos(api: Client, ports: ApiPorts) -> None:
    hands(ports).with_photos(3)

    answer = api.send(sample("list_photos"))

    assert [item["status"] for item in answer.json["items"]] == ["accepted"] * 3


def change_photo(api: Client, ports: ApiPorts) -> None:
    hands(ports).with_photos(1)

    assert api.send(sample("change_photo")).json["category"] == "half_body"


def delete_photo(api: Client, ports: ApiPorts) -> None:
    hands(ports).with_photos(1)

    assert api.send(sample("delete_photo")).status == 204
    assert ports.store.photos == {}


def training_advice(api: Client, ports: ApiPorts) -> None:
    hands(ports).with_photos()

    assert api.send(sample("training_advice")).json["trainer"] == "sdxl-lora"


def create_training(api: Client, ports: ApiPorts) -> None:
    hands(ports).with_photos()

    answer = api.send(sample("create_training"))

    assert (answer.status, answer.json["id"]) == (202, TRAINING)
    assert ports.commands.started == [Ref(ANA, f"{MODEL}#{TRAINING}")]


def list_trainings(api: Client, ports: ApiPorts) -> None:
    life = hands(ports)
    life.accept_training(life.with_photos())

    assert [item["id"] for item in api.send(sample("list_trainings")).json["items"]] == [TRAINING]


def get_training(api: Client, ports: ApiPorts) -> None:
    hands(ports).trained()

    assert api.send(sample("get_training")).json["progress"]["percent"] == 100


def cancel_training(api: Client, ports: ApiPorts) -> None:
    life = hands(ports)
    life.accept_training(life.with_photos())

    answer = api.send(sample("cancel_training"))

    assert (answer.status, answer.json["status"]) == (200, "canceled")


EFFECTS: dict[str, Callable[[Client, ApiPorts], None]] = {
    "create": create,
    "create_invalid": create_invalid,
    "create_refused": create_refused,
    "list": list_,
    "get": get,
    "cancel": cancel,
    "appeal": appeal,
    "delete": delete,
    "create_model": create_model,
    "create_model_without_consent": create_model_without_consent,
    "list_models": list_models,
    "get_model": get_model,
    "change_model": change_model,
    "delete_model": delete_model,
    "withdraw_consent": withdraw_consent,
    "request_photo_uploads": request_photo_uploads,
    "list_photos": list_photos,
    "change_photo": change_photo,
    "delete_photo": delete_photo,
    "training_advice": training_advice,
    "create_training": create_training,
    "list_trainings": list_trainings,
    "get_training": get_training,
    "cancel_training": cancel_training,
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
