from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.functions.api.client import ANA, ApiPorts, Client
from tests.unit.functions.api.rows import subscribed


def test_an_own_model_makes_images_with_its_chosen_version(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).trained()

    answer = api.post(
        "/v1/generations", {"model": model.id, "prompt": "by the sea", "num_outputs": 2, "lora_scale": 0.9}
    )

    shown = answer.json
    assert (answer.status, shown["model"], shown["model_version"]) == (202, model.id, model.chosen_version)
    assert shown["params"]["prompt"] == "by the sea"
    assert (shown["params"]["lora_scale"], shown["params"]["guidance_scale"]) == (0.9, 2.5)
    assert shown["credits"]["estimated"] == 8


def test_a_model_trained_from_sdxl_takes_what_sdxl_takes(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.with_photos()
    life.train(model, trainer="sdxl-lora")
    ask = {"model": model.id, "prompt": "x", "negative_prompt": "fog", "width": 832, "height": 1216}

    assert api.post("/v1/generations", ask).json["params"]["negative_prompt"] == "fog"


@pytest.mark.parametrize(
    ("fields", "invalid"),
    [
        ({"negative_prompt": "fog"}, {"negative_prompt": "not_taken"}),
        ({"lora_scale": 3}, {"lora_scale": "out_of_range"}),
        ({"lora_scale": "1"}, {"lora_scale": "must_be_number"}),
        ({"num_inference_steps": 4}, {"num_inference_steps": "out_of_range"}),
    ],
    ids=str,
)
def test_what_a_version_does_not_take_is_named(
    fields: dict[str, Any], invalid: dict[str, str], api: Client, ports: ApiPorts
) -> None:
    model = subscribed(ports).trained()

    assert api.post("/v1/generations", {"model": model.id, "prompt": "x"} | fields).invalid == invalid


def test_a_model_of_the_catalog_takes_no_lora_scale(api: Client) -> None:
    answer = api.post("/v1/generations", {"model": "flux-dev", "prompt": "x", "lora_scale": 1})

    assert answer.invalid == {"lora_scale": "not_taken"}


def test_a_list_can_be_narrowed_to_an_own_model_even_after_its_end(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).trained()
    mine = api.post("/v1/generations", {"model": model.id, "prompt": "x", "num_outputs": 1}).json
    ports.clock.advance(timedelta(seconds=1))
    api.post("/v1/generations", {"model": "flux-schnell", "prompt": "x", "num_outputs": 1})

    def listed() -> list[str]:
        items = api.get("/v1/generations", query={"model": model.id}).json["items"]
        return [item["id"] for item in items]

    assert listed() == [mine["id"]]
    del ports.store.models[ANA, model.id]
    assert listed() == [mine["id"]]


@pytest.mark.parametrize("id_", ["mdl_", "mdl_x", "mdl_01K4YW0C8N3VZJ5T7RQ2M9XHBD#pho_1"])
def test_a_list_of_what_cannot_be_a_model_is_refused(id_: str, api: Client) -> None:
    assert api.get("/v1/generations", query={"model": id_}).invalid == {"model": "invalid"}


def test_the_catalog_tells_how_to_train_and_what_versions_take(api: Client) -> None:
    catalog = api.get("/v1/catalog", user=None, headers={"Accept-Language": "pt-BR"}).json

    assert catalog["photos"]["needed"] == 5
    trainer = catalog["trainers"][0]
    assert (trainer["id"], trainer["fine_tune"]) == ("flux-lora", "flux-dev-fine-tune")
    assert "semelhança" in trainer["description"]
    assert trainer["expected_minutes"] == 21
    assert trainer["parameters"]["resolution"]["allowed"] == [512, 768, 1024]
    assert trainer["parameters"]["autocaption"]["type"] == "boolean"
    assert trainer["parameters"]["autocaption"]["default"] is True
    tunes = {tune["id"]: tune for tune in catalog["fine_tunes"]}
    assert tunes[trainer["fine_tune"]]["family"] == "flux-dev"
    assert tunes[trainer["fine_tune"]]["parameters"]["lora_scale"]["default"] == 1
    assert {plan["id"]: plan["limits"]["models_kept"] for plan in catalog["plans"]}["essential"] == 2
    assert "ostris" not in str(catalog)


def test_the_account_tells_how_many_trainings_and_models_its_plan_allows(
    api: Client, ports: ApiPorts
) -> None:
    life = subscribed(ports)
    life.accept_training(life.with_photos())

    account = api.get("/v1/account").json

    assert account["trainings"] == 1
    limits = account["plan"]["limits"]
    assert (limits["trainings_at_once"], limits["models_kept"]) == (2, 5)
