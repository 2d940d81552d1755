"""Every trainer x parameter of the shipped catalog, and what a training's input becomes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from pydantic import ValidationError

from revela.domain.catalog import Catalog
from revela.domain.errors import InvalidRequest
from revela.domain.parameters import Parameter
from revela.domain.photo import ModelKind
from revela.domain.trainers import FineTune, Trainer
from revela.domain.trigger_words import Subject
from tests.fakes import load_catalog

CATALOG = load_catalog()
VOCABULARY = {"steps", "resolution", "learning_rate", "batch_size", "lora_rank", "autocaption"}
ZIP_URL = "https://api.replicate.com/v1/files/abc"
FLUX, FAST, SDXL = (CATALOG.trainer(id_) for id_ in ("flux-lora", "flux-fast", "sdxl-lora"))


def subject(kind: ModelKind = ModelKind.FACE) -> Subject:
    return Subject(kind, "ZAKRUVEX", "woman")


class Case(NamedTuple):
    trainer: Trainer
    name: str
    value: Any
    code: str | None = None  # None: accepted


def values(parameter: Parameter) -> Iterator[tuple[Any, str | None]]:
    if parameter.type == "boolean":
        yield from ((value, None) for value in (True, False))
        yield from ((value, "must_be_boolean") for value in (0, 1, "true", [True]))
        return
    assert parameter.minimum is not None
    assert parameter.maximum is not None
    whole = parameter.type == "integer"
    yield from ((wrong, "must_be_integer" if whole else "must_be_number") for wrong in ("1000", True, [1]))
    if parameter.choices:
        yield from ((choice, None) for choice in parameter.choices)
        yield from ((wrong, "not_one_of") for wrong in (0, 640, 2048, -512))
        return
    yield from ((bound, None) for bound in (parameter.minimum, parameter.maximum))
    step = 1 if whole else parameter.minimum / 2
    yield from ((wrong, "out_of_range") for wrong in (parameter.minimum - step, parameter.maximum + step))


CASES = [
    Case(trainer, name, value, code)
    for trainer in CATALOG.trainers
    for name, parameter in trainer.parameters.items()
    for value, code in values(parameter)
]


def case_id(case: Case) -> str:
    return f"{case.trainer.id}-{case.name}-{case.value}-{case.code}"


def faults(trainer: Trainer, **requested: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        trainer.complete(requested)
    return {param.name: param.code for param in refused.value.invalid_params}


def rendered(trainer: Trainer, kind: ModelKind = ModelKind.FACE, **requested: Any) -> dict[str, Any]:
    params = trainer.complete(requested)
    return trainer.render_training_input(params, subject(kind), input_images_url=ZIP_URL)


# Requests


@pytest.mark.parametrize("case", [c for c in CASES if c.code is None], ids=case_id)
def test_a_value_within_its_bounds_is_taken_as_given(case: Case) -> None:
    assert case.trainer.complete({case.name: case.value})[case.name] == case.value


@pytest.mark.parametrize("case", [c for c in CASES if c.code is not None], ids=case_id)
def test_a_value_outside_its_bounds_is_refused_by_name(case: Case) -> None:
    assert faults(case.trainer, **{case.name: case.value}) == {case.name: case.code}


@pytest.mark.parametrize("trainer", CATALOG.trainers, ids=lambda t: t.id)
def test_what_a_trainer_does_not_take_is_refused_by_name(trainer: Trainer) -> None:
    foreign = {*VOCABULARY, "optimizer", "hf_token"} - set(trainer.parameters)

    assert faults(trainer, **dict.fromkeys(foreign, 1)) == dict.fromkeys(foreign, "not_taken")


def test_every_wrong_field_is_named_at_once() -> None:
    assert faults(FLUX, steps=499, resolution=640, sampler="x") == {
        "steps": "out_of_range",
        "resolution": "not_one_of",
        "sampler": "not_taken",
    }


def test_the_defaults_are_those_of_the_trainers_themselves() -> None:
    assert FLUX.complete({}) == {
        "steps": 1000,
        "resolution": 1024,
        "learning_rate": 0.0004,
        "batch_size": 1,
        "lora_rank": 16,
        "autocaption": True,
    }
    assert FAST.complete({"steps": None}) == {"steps": 1000}
    assert (SDXL.complete({})["learning_rate"], SDXL.complete({})["batch_size"]) == (0.0001, 1)


def test_together_the_trainers_take_the_whole_vocabulary() -> None:
    assert {name for trainer in CATALOG.trainers for name in trainer.parameters} == VOCABULARY


# Inputs


@pytest.mark.parametrize(("resolution", "flux"), [(512, "512"), (768, "512,768"), (1024, "512,768,1024")])
def test_a_resolution_is_written_in_each_trainers_own_form(resolution: int, flux: str) -> None:
    assert rendered(FLUX, resolution=resolution)["resolution"] == flux
    assert rendered(SDXL, resolution=resolution)["resolution"] == resolution


def test_each_trainer_names_things_its_own_way() -> None:
    flux, fast, sdxl = (rendered(trainer, steps=700) for trainer in (FLUX, FAST, SDXL))

    assert (flux["steps"], fast["training_steps"], sdxl["max_train_steps"]) == (700, 700, 700)
    assert (flux["trigger_word"], fast["trigger_word"], sdxl["token_string"]) == ("ZAKRUVEX",) * 3
    assert flux["autocaption_prefix"] == sdxl["caption_prefix"] == "a photo of ZAKRUVEX woman, "
    assert {flux["input_images"], fast["input_images"], sdxl["input_images"]} == {ZIP_URL}


def test_the_kind_of_model_decides_what_is_learned() -> None:
    assert rendered(FAST, ModelKind.STYLE)["lora_type"] == "style"
    assert rendered(FAST, ModelKind.FULL_BODY)["lora_type"] == "subject"
    assert rendered(FLUX, ModelKind.STYLE)["autocaption_prefix"] == "in the style of ZAKRUVEX, "
    assert rendered(SDXL, ModelKind.FACE)["use_face_detection_instead"] is True
    assert "use_face_detection_instead" not in rendered(SDXL, ModelKind.HALF_BODY)


def test_the_caption_of_sdxl_holds_its_token_as_the_trainer_demands() -> None:
    for kind in ModelKind:
        given = rendered(SDXL, kind)
        assert given["token_string"] in given["caption_prefix"]


# Prices and times


@pytest.mark.parametrize(
    ("trainer", "requested", "price"),
    [
        (FLUX, {}, 250),
        (FLUX, {"steps": 500}, 125),
        (FLUX, {"steps": 501}, 126),
        (FLUX, {"steps": 4000, "batch_size": 4}, 4000),
        (FAST, {"steps": 1001}, 251),
        (SDXL, {"steps": 1500}, 225),
    ],
)
def test_a_training_costs_whole_credits_rounded_up(
    trainer: Trainer, requested: dict[str, Any], price: int
) -> None:
    assert trainer.credits(trainer.complete(requested)) == price


@pytest.mark.parametrize("trainer", CATALOG.trainers, ids=lambda t: t.id)
@pytest.mark.parametrize("steps", [500, 1000, 4000])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_price_covers_what_the_provider_bills(trainer: Trainer, steps: int, batch_size: int) -> None:
    """A credit stands for a cost of at most a US cent."""
    params = trainer.complete({"steps": steps}) | {"batch_size": batch_size}

    assert trainer.expected_cost_micro_usd(params) <= trainer.credits(params) * 10_000


def test_more_steps_and_larger_images_take_longer() -> None:
    def minutes(**requested: Any) -> int:
        return FLUX.expected_minutes(FLUX.complete(requested))

    assert minutes(resolution=512) < minutes() < minutes(steps=2000) < minutes(steps=2000, batch_size=2)
    assert minutes() == 21
    assert FAST.expected_minutes(FAST.complete({})) == 2


def test_a_deadline_leaves_room_for_twice_the_expected_time() -> None:
    short, long = FLUX.complete({"steps": 500}), FLUX.complete({"steps": 4000})

    assert FLUX.deadline_s(short) == 3600 + 2 * FLUX.expected_s(short)
    assert FLUX.deadline_s(long) > FLUX.deadline_s(short)


# What a trained version takes


@pytest.mark.parametrize("tune", CATALOG.fine_tunes, ids=lambda t: t.id)
def test_a_fine_tune_renders_its_own_names_and_the_trigger_word(tune: FineTune) -> None:
    params = tune.complete({"prompt": "a woman at the sea", "seed": 7}, max_outputs=2)
    given = tune.render_for(subject(), params)

    assert given["prompt"] == "a ZAKRUVEX woman at the sea"
    assert given["guidance_scale"] == params["guidance_scale"]
    assert given["lora_scale"] == params["lora_scale"]
    assert given["disable_safety_checker"] is False
    assert given["num_outputs"] == 2


def test_a_flux_fine_tune_takes_what_its_base_model_does_not() -> None:
    tune = CATALOG.fine_tune_of(FLUX)
    given = tune.render(tune.complete({"prompt": "x", "aspect_ratio": "9:16"}, max_outputs=4))

    assert (given["model"], given["go_fast"], given["megapixels"]) == ("dev", False, "1")
    assert (given["aspect_ratio"], given["lora_scale"], "guidance" in given) == ("9:16", 1, False)


@pytest.mark.parametrize("tune", CATALOG.fine_tunes, ids=lambda t: t.id)
def test_an_image_of_ones_own_covers_what_the_provider_bills(tune: FineTune) -> None:
    assert tune.provider_cost.micro_usd(images=1, predict_time_s=20) <= tune.credits_per_image * 10_000


@pytest.mark.parametrize("tune", CATALOG.fine_tunes, ids=lambda t: t.id)
def test_every_default_is_a_value_that_would_be_accepted(tune: FineTune) -> None:
    for name, parameter in tune.parameters.items():
        assert parameter.default is None or parameter.invalid(name, parameter.default) is None


def test_prompts_begin_as_captions_did() -> None:
    for trainer in CATALOG.trainers:
        assert trainer.caption_prefix == CATALOG.fine_tune_of(trainer).prompt_prefix


# The data file itself


def test_trainers_are_found_by_id_the_first_by_default_and_others_refused_by_name() -> None:
    assert CATALOG.trainer() is FLUX
    with pytest.raises(InvalidRequest) as refused:
        CATALOG.trainer("dreambooth")
    assert [(p.name, p.code) for p in refused.value.invalid_params] == [("trainer", "not_one_of")]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("trainers",), []),
        (("trainers", 1, "id"), "flux-lora"),
        (("trainers", 0, "provider", "version"), "latest"),
        (("trainers", 0, "fine_tune"), "nothing"),
        (("trainers", 0, "parameters"), {}),
        (("trainers", 0, "parameters", "steps", "default"), None),
        (("trainers", 0, "provider_cost"), {"usd_per_image": "1"}),
        (("trainers", 0, "kind_input"), {"face": {}}),
        (("trainers", 0, "caption_prefix", "style"), "in this style, "),
        (("fine_tunes", 0, "family"), "nothing"),
        (("fine_tunes", 1, "id"), "flux-dev-fine-tune"),
    ],
)
def test_a_faulty_data_file_does_not_load(path: tuple[str | int, ...], value: Any) -> None:
    data = json.loads(CATALOG.model_dump_json())
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    with pytest.raises(ValidationError):
        Catalog.model_validate(data)
