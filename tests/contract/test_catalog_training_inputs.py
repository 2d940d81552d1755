"""What the catalog's trainers and fine-tunes render is input that Replicate's schemas take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.replicate.models import MODELS as PROVIDED
from local.replicate.models.model import Model
from local.replicate.models.model import Trainer as ProvidedTrainer
from local.replicate.validation import check_input, check_parameters
from revela.domain.parameters import Parameter
from revela.domain.photo import ModelKind
from revela.domain.trainers import FineTune, Trainer
from revela.domain.trigger_words import Subject
from tests.fakes import load_catalog
from tests.unit.domain.test_catalog import accepted_values

CATALOG = load_catalog()
ZIP_URL = "https://api.replicate.com/v1/files/abc"


def provided(trainer: Trainer) -> ProvidedTrainer:
    pinned = trainer.provider
    model = next(m for m in PROVIDED if m.full_name == f"{pinned.owner}/{pinned.name}")
    assert pinned.version in {version.id for version in model.versions}
    assert model.trainer is not None
    return model.trainer


def trained_by(tune: FineTune) -> Model:
    return provided(next(t for t in CATALOG.trainers if t.fine_tune == tune.id)).trained


def bounds(parameters: dict[str, Parameter]) -> Iterator[tuple[str, Any]]:
    for name, parameter in parameters.items():
        if parameter.type == "boolean":
            yield from ((name, value) for value in (True, False))
        else:
            yield from ((name, value) for value in parameter.choices or accepted_values(parameter))


def refusals(trainer: Trainer, kind: ModelKind = ModelKind.FACE, **requested: Any) -> list[str]:
    theirs = provided(trainer)
    subject = Subject(kind, "ZAKRUVEX", "woman")
    given = trainer.render_training_input(trainer.complete(requested), subject, input_images_url=ZIP_URL)
    known = {parameter.name for parameter in theirs.parameters}
    wrong = [f"{field.field}: {field.description}" for field in check_parameters(theirs.parameters, given)]
    return wrong + [name for name in given if name not in known]


@pytest.mark.parametrize("trainer", CATALOG.trainers, ids=lambda t: t.id)
@pytest.mark.parametrize("kind", ModelKind)
def test_the_defaults_are_input_that_the_trainer_takes(trainer: Trainer, kind: ModelKind) -> None:
    assert refusals(trainer, kind) == []


@pytest.mark.parametrize(
    ("trainer", "name", "value"), [(t, n, v) for t in CATALOG.trainers for n, v in bounds(t.parameters)]
)
def test_every_bound_is_within_the_trainers(trainer: Trainer, name: str, value: Any) -> None:
    assert refusals(trainer, **{name: value}) == []


@pytest.mark.parametrize(
    ("tune", "name", "value"), [(t, n, v) for t in CATALOG.fine_tunes for n, v in bounds(t.parameters)]
)
def test_a_trained_version_takes_what_is_rendered_for_it(tune: FineTune, name: str, value: Any) -> None:
    theirs = trained_by(tune)
    params = tune.complete({"prompt": "a fox", name: value}, max_outputs=4)
    given = tune.render_for(Subject(ModelKind.FACE, "ZAKRUVEX", "woman"), params)

    assert check_input(theirs, given) == []
    assert theirs.unknown_names(given) == []


def test_trainers_of_one_fine_tune_make_the_same_kind_of_version() -> None:
    for tune in CATALOG.fine_tunes:
        makers = [t for t in CATALOG.trainers if t.fine_tune == tune.id]
        assert all(provided(trainer).trained == trained_by(tune) for trainer in makers)
