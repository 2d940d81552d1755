from __future__ import annotations

import itertools

import pytest

from revela.domain.errors import InvalidRequest
from revela.domain.messages import LANGUAGES, text
from revela.domain.photo import Category, ModelKind
from revela.domain.photo_report import PhotoReport, Readiness
from revela.domain.training_advice import (
    TrainingAdvice,
    TrainingRemark,
    advise_training,
    quote_training,
)
from revela.domain.training_messages import TRAINING_ADVICE
from tests.fakes import load_catalog

CATALOG = load_catalog()
TRAINERS = [trainer.id for trainer in CATALOG.trainers]
FACE, HALF_BODY, FULL_BODY, STYLE = ModelKind


def photo_set(accepted: int, *, face: int = 0, half_body: int = 0, full_body: int = 0) -> PhotoReport:
    by_category = {Category.FACE: face, Category.HALF_BODY: half_body, Category.FULL_BODY: full_body}
    return PhotoReport(
        accepted=accepted,
        rejected=3,
        pending=0,
        expired=0,
        categories=by_category,
        lights={},
        readiness=Readiness.TRAINABLE,
        missing=(),
    )


VARIED = photo_set(12, face=6, half_body=4, full_body=2)
SETS = [
    photo_set(0),
    photo_set(4, face=4),
    VARIED,
    photo_set(12, half_body=10, full_body=2),
    photo_set(24, face=10, half_body=14),
    photo_set(30, face=10, half_body=10, full_body=10),
]


def advice(
    kind: ModelKind = FACE, photos: PhotoReport = VARIED, *, plan: str = "pro", trainer: str | None = None
) -> TrainingAdvice:
    return advise_training(CATALOG, kind=kind, photos=photos, plan=CATALOG.plan(plan), trainer_id=trainer)


ALL = [
    advice(kind, photos, plan=plan, trainer=trainer)
    for kind, photos, plan, trainer in itertools.product(ModelKind, SETS, ("free", "pro"), TRAINERS)
]


def remarks(found: TrainingAdvice) -> tuple[TrainingRemark, ...]:
    return found.reasons + found.warnings + (found.cheaper.gives_up if found.cheaper else ())


def codes(found: tuple[TrainingRemark, ...]) -> set[str]:
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
    [(FACE, 4, 800), (FACE, 10, 1000), (FACE, 20, 1400), (FACE, 30, 2000), (STYLE, 15, 1500)],
)
def test_steps_grow_with_the_photos_within_reason(kind: ModelKind, accepted: int, steps: int) -> None:
    assert advice(kind, photo_set(accepted, face=accepted)).quote.params["steps"] == steps


def test_a_body_or_a_style_of_many_photos_gets_a_wider_rank() -> None:
    many = photo_set(24, face=8, half_body=8, full_body=8)

    assert advice(FULL_BODY, many).quote.params["lora_rank"] == 32
    assert advice(FACE, many).quote.params["lora_rank"] == 16


@pytest.mark.parametrize(
    ("kind", "photos", "plan", "warned"),
    [
        (FACE, photo_set(4, face=3, half_body=1), "pro", {"few_photos"}),
        (FACE, photo_set(12, face=12), "pro", {"all_alike"}),
        (HALF_BODY, photo_set(12, half_body=10, full_body=2), "pro", {"no_close_ups"}),
        (FULL_BODY, photo_set(12, face=12), "pro", {"no_bodies"}),
        (STYLE, photo_set(12), "pro", set()),
        (FACE, VARIED, "free", {"beyond_plan"}),
        (FACE, photo_set(0), "free", {"few_photos", "beyond_plan"}),
    ],
)
def test_what_may_go_wrong_is_said_before_paying(
    kind: ModelKind, photos: PhotoReport, plan: str, warned: set[str]
) -> None:
    assert codes(advice(kind, photos, plan=plan).warnings) == warned


def test_what_is_cheaper_is_cheaper_and_says_what_it_gives_up() -> None:
    for found in ALL:
        assert found.cheaper is not None
        assert found.cheaper.quote.credits < found.quote.credits
        assert found.cheaper.gives_up


def test_a_style_may_be_trained_cheaper_on_another_family_and_a_face_with_fewer_steps() -> None:
    style, face = advice(STYLE, photo_set(12)).cheaper, advice().cheaper

    assert style is not None
    assert face is not None
    assert (style.quote.trainer_id, codes(style.gives_up)) == ("sdxl-lora", {"another_family"})
    assert (face.quote.trainer_id, face.quote.params["steps"]) == ("flux-lora", 600)


def test_nothing_is_cheaper_than_the_least_a_trainer_takes() -> None:
    trainer = CATALOG.trainer()
    steps = trainer.parameters["steps"].model_copy(update={"minimum": 1000})
    dear = trainer.model_copy(update={"parameters": {**trainer.parameters, "steps": steps}})
    alone = CATALOG.model_copy(update={"trainers": (dear,)})
    for kind in ModelKind:
        photos = photo_set(10, face=5, half_body=5)
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
