from __future__ import annotations

import itertools

import pytest

from revela.domain.errors import InvalidRequest
from revela.domain.messages import LANGUAGES, text
from revela.domain.training_advice import (
    PhotoNumbers,
    Remark,
    TrainingAdvice,
    advise_training,
    quote_training,
)
from revela.domain.training_messages import TRAINING_ADVICE
from revela.domain.trigger_words import KINDS, Kind
from tests.fakes import load_catalog

CATALOG = load_catalog()
TRAINERS = [trainer.id for trainer in CATALOG.trainers]
VARIED = PhotoNumbers(accepted=12, face=6, half_body=4, full_body=2)
SETS = [
    PhotoNumbers(0),
    PhotoNumbers(4, face=4),
    VARIED,
    PhotoNumbers(12, half_body=10, full_body=2),
    PhotoNumbers(24, face=10, half_body=14),
    PhotoNumbers(30, face=10, half_body=10, full_body=10),
]


def advice(
    kind: Kind = "face", photos: PhotoNumbers = VARIED, *, plan: str = "pro", trainer: str | None = None
) -> TrainingAdvice:
    return advise_training(CATALOG, kind=kind, photos=photos, plan=CATALOG.plan(plan), trainer_id=trainer)


ALL = [
    advice(kind, photos, plan=plan, trainer=trainer)
    for kind, photos, plan, trainer in itertools.product(KINDS, SETS, ("free", "pro"), TRAINERS)
]


def remarks(found: TrainingAdvice) -> tuple[Remark, ...]:
    return found.reasons + found.warnings + (found.cheaper.gives_up if found.cheaper else ())


def codes(found: tuple[Remark, ...]) -> set[str]:
    return {remark.code for remark in found}


def test_a_dozen_photos_of_a_face_are_trained_by_the_defaults() -> None:
    found = advice()

    assert found.quote.trainer_id == "flux-lora"
    assert found.quote.params == CATALOG.trainer().complete({})
    assert (found.quote.credits, found.quote.minutes) == (250, 21)
    assert found.quote.provider_cost_micro_usd == 1_875_750
    assert found.warnings == ()


def test_every_parameter_has_its_reason() -> None:
    for found in ALL:
        assert [reason.parameter for reason in found.reasons] == list(found.quote.params)


@pytest.mark.parametrize(
    ("kind", "accepted", "steps"),
    [("face", 4, 800), ("face", 10, 1000), ("face", 20, 1400), ("face", 30, 2000), ("style", 15, 1500)],
)
def test_steps_grow_with_the_photos_within_reason(kind: Kind, accepted: int, steps: int) -> None:
    assert advice(kind, PhotoNumbers(accepted, face=accepted)).quote.params["steps"] == steps


def test_a_body_or_a_style_of_many_photos_gets_a_wider_rank() -> None:
    many = PhotoNumbers(24, face=8, half_body=8, full_body=8)

    assert advice("full_body", many).quote.params["lora_rank"] == 32
    assert advice("face", many).quote.params["lora_rank"] == 16


@pytest.mark.parametrize(
    ("kind", "photos", "plan", "warned"),
    [
        ("face", PhotoNumbers(4, face=3, half_body=1), "pro", {"few_photos"}),
        ("face", PhotoNumbers(12, face=12), "pro", {"all_alike"}),
        ("half_body", PhotoNumbers(12, half_body=10, full_body=2), "pro", {"no_close_ups"}),
        ("full_body", PhotoNumbers(12, face=12), "pro", {"no_bodies"}),
        ("style", PhotoNumbers(12), "pro", set()),
        ("face", VARIED, "free", {"beyond_plan"}),
        ("face", PhotoNumbers(0), "free", {"few_photos", "beyond_plan"}),
    ],
)
def test_what_may_go_wrong_is_said_before_paying(
    kind: Kind, photos: PhotoNumbers, plan: str, warned: set[str]
) -> None:
    assert codes(advice(kind, photos, plan=plan).warnings) == warned


def test_what_is_cheaper_is_cheaper_and_says_what_it_gives_up() -> None:
    for found in ALL:
        assert found.cheaper is not None
        assert found.cheaper.quote.credits < found.quote.credits
        assert found.cheaper.gives_up


def test_a_style_may_be_trained_cheaper_on_another_family_and_a_face_with_fewer_steps() -> None:
    style, face = advice("style", PhotoNumbers(12)).cheaper, advice().cheaper

    assert style is not None
    assert face is not None
    assert (style.quote.trainer_id, codes(style.gives_up)) == ("sdxl-lora", {"another_family"})
    assert (face.quote.trainer_id, face.quote.params["steps"]) == ("flux-lora", 600)


def test_nothing_is_cheaper_than_the_least_a_trainer_takes() -> None:
    trainer = CATALOG.trainer()
    steps = trainer.parameters["steps"].model_copy(update={"minimum": 1000})
    dear = trainer.model_copy(update={"parameters": {**trainer.parameters, "steps": steps}})
    alone = CATALOG.model_copy(update={"trainers": (dear,)})
    for kind in KINDS:
        photos = PhotoNumbers(10, face=5, half_body=5)
        found = advise_training(alone, kind=kind, photos=photos, plan=CATALOG.plan("pro"))
        assert found.quote.params["steps"] == 1000
        assert found.cheaper is None


def test_all_that_is_advised_would_be_accepted() -> None:
    for found in ALL:
        trainer = CATALOG.trainer(found.quote.trainer_id)
        assert trainer.complete(found.quote.params) == found.quote.params
        assert quote_training(trainer, found.quote.params) == found.quote


def test_an_unknown_trainer_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        advice(trainer="dreambooth")


# Texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_remark_is_a_sentence_in_each_language(language: str) -> None:
    for remark in {(r.code, tuple(r.args.items())) for found in ALL for r in remarks(found)}:
        sentence = text(TRAINING_ADVICE, remark[0], language, dict(remark[1]))  # type: ignore[arg-type]  # a Language
        assert sentence.endswith(".")
        assert all(str(value) in sentence for _, value in remark[1])


def test_every_text_is_said_to_somebody() -> None:
    assert {remark.code for found in ALL for remark in remarks(found)} == set(TRAINING_ADVICE)
