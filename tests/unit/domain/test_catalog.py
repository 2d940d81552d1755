"""Every model x parameter of the shipped catalog, at its bounds, inside and outside."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from pydantic import ValidationError

from revela.domain.catalog import Catalog, CatalogModel
from revela.domain.errors import InvalidRequest
from revela.domain.parameters import Parameter
from revela.domain.prices import ProviderCost
from tests.fakes import load_catalog

CATALOG = load_catalog()
VOCABULARY = {
    "prompt",
    "negative_prompt",
    "num_inference_steps",
    "guidance_scale",
    "num_outputs",
    "seed",
    "format",
    "quality",
}
SIZE = ("width", "height", "aspect_ratio")


class Case(NamedTuple):
    model: str
    name: str
    value: Any
    code: str | None = None  # None: accepted


def accepted_values(parameter: Parameter) -> list[Any]:
    if parameter.enum:
        return list(parameter.enum)
    if parameter.type == "string":
        return ["x" * max(1, parameter.min_length or 0), "x" * (parameter.max_length or 1), "é ✓\n\t👩🏽"]
    assert parameter.minimum is not None
    assert parameter.maximum is not None
    between = (parameter.minimum + parameter.maximum) / 2
    middle = int(between) if parameter.type == "integer" else between
    return [parameter.minimum, middle, parameter.maximum]


def refused_values(parameter: Parameter) -> Iterator[tuple[Any, str]]:
    if parameter.type == "string":
        yield from ((wrong, "must_be_string") for wrong in (1, True, ["x"], {"x": 1}))
        if parameter.enum:
            yield from ((wrong, "not_one_of") for wrong in ("", "tiff", parameter.enum[0].upper()))
            return
        assert parameter.max_length is not None
        yield "x" * (parameter.max_length + 1), "too_long"
        yield "x" * 1_000_000, "too_long"
        yield from ((f"a{c}b", "control_characters") for c in ("\0", "\x1b", "\x7f", "\r", "\ud800"))
        if parameter.min_length:
            yield from ((blank, "must_not_be_empty") for blank in ("", " ", "\n\t "))
        return
    assert parameter.minimum is not None
    assert parameter.maximum is not None
    whole = parameter.type == "integer"
    code = "must_be_integer" if whole else "must_be_number"
    yield from ((wrong, code) for wrong in ("1", True, False, [1], {"1": 1}))
    if whole:
        yield from ((wrong, code) for wrong in (parameter.minimum + 0.5, float(parameter.minimum), math.nan))
        outside = [parameter.minimum - 1, parameter.maximum + 1, -(10**30), 10**30]
    else:
        below = math.nextafter(parameter.minimum, -math.inf)
        above = math.nextafter(parameter.maximum, math.inf)
        outside = [below, above, -math.inf, math.inf, math.nan]
    yield from ((wrong, "out_of_range") for wrong in outside)


def parameter_cases() -> Iterator[Case]:
    for model in CATALOG.models:
        for name, parameter in model.parameters.items():
            yield from (Case(model.id, name, value) for value in accepted_values(parameter))
            yield from (Case(model.id, name, value, code) for value, code in refused_values(parameter))
        for name in sorted(VOCABULARY - set(model.parameters)):
            yield Case(model.id, name, "x" if "prompt" in name else 1, "not_taken")


CASES = list(parameter_cases())


def case_id(case: Case) -> str:
    return f"{case.model}-{case.name}-{str(case.value)[:12].encode('unicode_escape').decode()}-{case.code}"


def completed(model_id: str, *, max_outputs: int = 4, **requested: Any) -> dict[str, Any]:
    return CATALOG.model(model_id).complete({"prompt": "a fox", **requested}, max_outputs=max_outputs)


def faults(model_id: str, *, max_outputs: int = 4, **requested: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        completed(model_id, max_outputs=max_outputs, **requested)
    assert refused.value.code == "invalid_request"
    found = [(param.name, param.code) for param in refused.value.invalid_params]
    assert len(dict(found)) == len(found), "a field is refused once"
    return dict(found)


# Parameters


@pytest.mark.parametrize("case", [c for c in CASES if c.code is None], ids=case_id)
def test_a_value_within_its_bounds_reaches_the_model_as_given(case: Case) -> None:
    model = CATALOG.model(case.model)

    params = completed(case.model, **{case.name: case.value})

    assert params[case.name] == case.value
    input_name = model.parameters[case.name].input
    if input_name is not None:
        assert model.render(params)[input_name] == case.value


@pytest.mark.parametrize("case", [c for c in CASES if c.code is not None], ids=case_id)
def test_a_value_outside_its_bounds_is_refused_by_name(case: Case) -> None:
    assert faults(case.model, **{case.name: case.value}) == {case.name: case.code}


def test_the_cases_reach_every_parameter_of_every_model() -> None:
    reached = {(case.model, case.name, case.code is None) for case in CASES}

    for model in CATALOG.models:
        for name in model.parameters:
            assert {(model.id, name, True), (model.id, name, False)} <= reached
    assert {name for model in CATALOG.models for name in model.parameters} == VOCABULARY


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda m: m.id)
def test_defaults_fill_what_was_not_asked_for(model: CatalogModel) -> None:
    params = completed(model.id)

    expected = {name: p.default for name, p in model.parameters.items() if p.default is not None}
    assert params == {"prompt": "a fox", "width": 1024, "height": 1024} | expected
    assert "seed" not in params


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda m: m.id)
def test_null_is_as_good_as_not_sent(model: CatalogModel) -> None:
    nothing: dict[str, Any] = dict.fromkeys([*sorted(VOCABULARY - {"prompt"}), *SIZE])

    assert completed(model.id, **nothing) == completed(model.id)


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda m: m.id)
def test_without_a_prompt_there_is_nothing_to_make(model: CatalogModel) -> None:
    assert faults(model.id, prompt=None) == {"prompt": "required"}


def test_every_fault_is_told_at_once() -> None:
    assert faults("flux-schnell", prompt="", num_inference_steps=50, width=3, guidance_scale=3) == {
        "prompt": "must_not_be_empty",
        "num_inference_steps": "out_of_range",
        "width": "size_not_one_of",
        "guidance_scale": "not_taken",
    }


def test_what_a_model_does_not_take_is_told_with_what_it_takes() -> None:
    with pytest.raises(InvalidRequest) as refused:
        completed("flux-schnell", negative_prompt="blur")

    (fault,) = refused.value.invalid_params
    takes = [name.strip() for name in fault.args["allowed"].split(",")]
    assert takes == CATALOG.model("flux-schnell").takes()
    assert "negative_prompt" not in takes


def test_a_field_of_no_model_is_not_taken() -> None:
    assert faults("sdxl", disable_safety_checker=True) == {"disable_safety_checker": "not_taken"}


# What the plan and the format say


@pytest.mark.parametrize("cap", [1, 2, 3, 4])
def test_the_plan_caps_the_images_of_a_request(cap: int) -> None:
    assert completed("sdxl", max_outputs=cap)["num_outputs"] == cap
    assert completed("sdxl", max_outputs=cap, num_outputs=cap)["num_outputs"] == cap
    if cap < 4:
        assert faults("sdxl", max_outputs=cap, num_outputs=cap + 1) == {"num_outputs": "plan_allows"}


def test_a_lossless_format_has_no_quality() -> None:
    assert faults("flux-dev", format="png", quality=80) == {"quality": "lossless_format"}
    params = completed("flux-dev", format="png")
    assert "quality" not in params
    assert "output_quality" not in CATALOG.model("flux-dev").render(params)


# Sizes

RATIOS = [(model.id, ratio) for model in CATALOG.models for ratio in model.sizes.ratios]
BY_RATIO = [model.id for model in CATALOG.models if model.sizes.by == "aspect_ratio"]
BY_PIXELS = [model.id for model in CATALOG.models if model.sizes.by == "pixels"]


@pytest.mark.parametrize(("model_id", "ratio"), RATIOS)
def test_a_ratio_and_its_pixels_are_the_same_request(model_id: str, ratio: str) -> None:
    model = CATALOG.model(model_id)
    width, height = model.sizes.ratios[ratio]

    by_ratio, by_pixels = (
        completed(model_id, aspect_ratio=ratio),
        completed(model_id, width=width, height=height),
    )

    assert by_ratio == by_pixels
    assert (by_ratio["width"], by_ratio["height"]) == (width, height)
    rendered = model.render(by_ratio)
    if model.sizes.by == "aspect_ratio":
        assert rendered["aspect_ratio"] == ratio
        assert not {"width", "height"} & set(rendered)
    else:
        assert (rendered["width"], rendered["height"]) == (width, height)
        assert "aspect_ratio" not in rendered


@pytest.mark.parametrize(("model_id", "ratio"), RATIOS)
def test_a_ratio_names_the_proportions_it_has(model_id: str, ratio: str) -> None:
    width, height = CATALOG.model(model_id).sizes.ratios[ratio]
    wide, high = map(int, ratio.split(":"))

    assert math.isclose(width / height, wide / high, rel_tol=0.04)


@pytest.mark.parametrize("model_id", [m.id for m in CATALOG.models])
@pytest.mark.parametrize("ratio", ["", "1:2", "16x9", 1, True, ["1:1"]])
def test_an_unknown_ratio_is_refused(model_id: str, ratio: Any) -> None:
    assert faults(model_id, aspect_ratio=ratio) == {"aspect_ratio": "not_one_of"}


@pytest.mark.parametrize("model_id", [m.id for m in CATALOG.models])
def test_size_and_ratio_exclude_each_other(model_id: str) -> None:
    assert faults(model_id, aspect_ratio="1:1", width=1024, height=1024) == {
        "width": "size_or_ratio",
        "height": "size_or_ratio",
    }


@pytest.mark.parametrize("model_id", [m.id for m in CATALOG.models])
@pytest.mark.parametrize("value", ["1024", 1024.0, True, [1024], math.nan])
def test_pixels_are_whole_numbers(model_id: str, value: Any) -> None:
    assert faults(model_id, height=value) == {"height": "must_be_integer"}


@pytest.mark.parametrize("model_id", BY_RATIO)
@pytest.mark.parametrize(
    ("width", "height"), [(1024, 768), (1024, 1025), (0, 0), (-1024, 1024), (10**9, 10**9)]
)
def test_a_model_of_ratios_makes_no_other_size(model_id: str, width: int, height: int) -> None:
    assert faults(model_id, width=width, height=height) == {
        "width": "size_not_one_of",
        "height": "size_not_one_of",
    }


@pytest.mark.parametrize("model_id", BY_PIXELS)
def test_a_model_of_pixels_makes_every_multiple_of_its_step_within_its_bounds(model_id: str) -> None:
    sizes = CATALOG.model(model_id).sizes
    assert sizes.minimum is not None
    assert sizes.maximum is not None
    assert sizes.step is not None

    for width, height in [(sizes.minimum, sizes.maximum), (sizes.maximum, sizes.minimum + sizes.step)]:
        params = completed(model_id, width=width, height=height)
        assert (params["width"], params["height"]) == (width, height)
    for wrong in (sizes.minimum - sizes.step, sizes.maximum + sizes.step, sizes.minimum + 1, 0, -512, 10**9):
        assert faults(model_id, width=wrong) == {"width": "out_of_range_step"}
        assert faults(model_id, height=wrong) == {"height": "out_of_range_step"}


# The data file itself


def test_models_and_plans_are_found_by_id_and_others_refused_by_name() -> None:
    assert CATALOG.model("sdxl").id == "sdxl"
    assert CATALOG.plan("pro").id == "pro"
    for look_up, name in ((CATALOG.model, "model"), (CATALOG.plan, "plan")):
        with pytest.raises(InvalidRequest) as refused:
            look_up("../etc/passwd")
        assert [(p.name, p.code) for p in refused.value.invalid_params] == [(name, "not_one_of")]


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda m: m.id)
def test_no_model_may_run_without_its_safety_checker(model: CatalogModel) -> None:
    assert model.fixed_input["disable_safety_checker"] is False


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda m: m.id)
def test_a_model_that_calls_itself_reproducible_sends_deterministic_settings(model: CatalogModel) -> None:
    assert not model.reproducible or model.fixed_input.get("go_fast", False) is False


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda m: m.id)
def test_seeds_and_images_are_the_same_everywhere(model: CatalogModel) -> None:
    seed, images = model.parameters["seed"], model.parameters["num_outputs"]

    assert (seed.minimum, seed.maximum, seed.default) == (0, 2**31 - 1, None)
    assert (images.minimum, images.maximum, images.default) == (1, 4, 4)


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda m: m.id)
def test_a_price_covers_what_the_provider_bills(model: CatalogModel) -> None:
    """A credit stands for a cost of at most a US cent; eight seconds is a slow image of a community model."""
    cost = model.provider_cost.micro_usd(images=1, predict_time_s=8)

    assert cost <= model.credits_per_image * 10_000


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda m: m.id)
def test_every_default_is_a_value_that_would_be_accepted(model: CatalogModel) -> None:
    for name, parameter in model.parameters.items():
        assert parameter.default is None or parameter.invalid(name, parameter.default) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("models", 0, "credits_per_image"), -1),
        (("models", 0, "version"), "black-forest-labs/flux-dev:latest"),
        (("models", 0, "parameters", "seed", "typo"), 1),
        (("models", 0, "sizes", "ratios"), {"16:9": [1344, 768]}),
        (("models", 2, "sizes", "step"), None),
        (("models", 1, "id"), "flux-dev"),
        (("plans", 1, "id"), "free"),
        (("plans", 0, "jobs_at_once"), 0),
        (("models", 0, "provider_cost"), {}),
        (("models", 0, "provider_cost"), {"usd_per_image": "1", "usd_per_second": "1"}),
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


@pytest.mark.parametrize(
    ("cost", "images", "seconds", "micro_usd"),
    [
        (ProviderCost(usd_per_image=Decimal("0.025")), 4, None, 100_000),
        (ProviderCost(usd_per_image=Decimal("0.003")), 0, 9.0, 0),
        (ProviderCost(usd_per_second=Decimal("0.000975")), 4, 10.1, 9_847),
        (ProviderCost(usd_per_second=Decimal("0.000975")), 4, None, 0),
    ],
)
def test_a_provider_bills_by_the_image_or_by_the_second(
    cost: ProviderCost, images: int, seconds: float | None, micro_usd: int
) -> None:
    assert cost.micro_usd(images=images, predict_time_s=seconds) == micro_usd
