"""What the catalog renders is input that Replicate's schemas take: our reading and the stand-in's agree."""

from __future__ import annotations

from typing import Any

import pytest

from local.replicate.models import MODELS as PROVIDED
from local.replicate.validation import check_input
from revela.domain.catalog import CatalogModel
from tests.fakes import load_catalog
from tests.unit.domain.test_catalog import accepted_values

MODELS = load_catalog().models


def refusals(model: CatalogModel, **requested: Any) -> list[str]:
    """Return what the provider says against the input, unknown names included: it would ignore those."""
    provided = next(p for p in PROVIDED if p.full_name == model.version.partition(":")[0])
    rendered = model.render(model.complete({"prompt": "a fox", **requested}, max_outputs=4))
    wrong = [f"{field.field}: {field.description}" for field in check_input(provided, rendered)]
    return wrong + provided.unknown_names(rendered)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.id)
def test_the_defaults_are_input_that_the_provider_takes(model: CatalogModel) -> None:
    assert refusals(model) == []


@pytest.mark.parametrize(("model", "name"), [(m, n) for m in MODELS for n in m.parameters])
def test_every_bound_is_within_the_providers(model: CatalogModel, name: str) -> None:
    for value in accepted_values(model.parameters[name]):
        assert refusals(model, **{name: value}) == []


@pytest.mark.parametrize(("model", "ratio"), [(m, r) for m in MODELS for r in m.sizes.ratios])
def test_every_size_is_one_the_provider_makes(model: CatalogModel, ratio: str) -> None:
    assert refusals(model, aspect_ratio=ratio) == []
