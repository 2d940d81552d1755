"""Which parameters to train with, and why: told before anybody pays.

Rules of thumb of the trainers' documentation (ten photos or more, 500 to 4,000 steps) and of those who
train faces: some 70 looks at each photo, fewer steps where there are few photos to learn by heart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from revela.domain.catalog import Catalog
from revela.domain.parameters import Params
from revela.domain.photo import Category, ModelKind
from revela.domain.photo_report import PhotoReport
from revela.domain.plans import Plan
from revela.domain.trainers import Trainer

LOOKS_PER_PHOTO: Mapping[ModelKind, int] = {
    ModelKind.FACE: 70,
    ModelKind.HALF_BODY: 80,
    ModelKind.FULL_BODY: 90,
    ModelKind.STYLE: 100,
}
_USUAL_STEPS, _MOST_STEPS, _STEPS_FOR_FEW = 1000, 2000, 800
_WIDE_RANK_PHOTOS = 20
_CHEAPER_PERCENT = 60


@dataclass(frozen=True)
class TrainingRemark:
    """`code` and `args` name a text of `TRAINING_ADVICE`; `parameter` is the one it explains, if one."""

    code: str
    args: Mapping[str, Any] = field(default_factory=dict)
    parameter: str | None = None


@dataclass(frozen=True)
class Quote:
    """What a training with these parameters costs people and us, and how long it is expected to run."""

    trainer_id: str
    params: Params
    credits: int
    provider_cost_micro_usd: int
    minutes: int


@dataclass(frozen=True)
class CheaperTraining:
    quote: Quote
    gives_up: tuple[TrainingRemark, ...]


@dataclass(frozen=True)
class TrainingAdvice:
    """`reasons` has one remark for each parameter of the quote; `cheaper` None: nothing sensible is."""

    quote: Quote
    reasons: tuple[TrainingRemark, ...]
    warnings: tuple[TrainingRemark, ...]
    cheaper: CheaperTraining | None


def advise_training(
    catalog: Catalog, *, kind: ModelKind, photos: PhotoReport, plan: Plan, trainer_id: str | None = None
) -> TrainingAdvice:
    """Raises InvalidRequest when there is no such trainer."""
    trainer = catalog.trainer(trainer_id)
    advised = _advised(trainer, kind, photos)
    quote = quote_training(trainer, trainer.complete({name: value for name, (value, _) in advised.items()}))
    return TrainingAdvice(
        quote=quote,
        reasons=tuple(remark for _, remark in advised.values()),
        warnings=tuple(_warnings(trainer, kind, photos, quote, plan)),
        cheaper=_cheaper(catalog, trainer, kind, quote),
    )


def quote_training(trainer: Trainer, params: Params) -> Quote:
    """Price completed parameters."""
    return Quote(
        trainer_id=trainer.id,
        params=params,
        credits=trainer.credits(params),
        provider_cost_micro_usd=trainer.expected_cost_micro_usd(params),
        minutes=trainer.expected_minutes(params),
    )


def _advised(trainer: Trainer, kind: ModelKind, photos: PhotoReport) -> dict[str, tuple[Any, TrainingRemark]]:
    """Return a value and its reason for each parameter that the trainer takes."""
    makers: dict[str, Callable[[], tuple[Any, TrainingRemark]]] = {
        "steps": lambda: _steps(trainer, kind, photos),
        "resolution": lambda: _resolution(trainer, kind),
        "learning_rate": lambda: _as_tuned(trainer, "learning_rate", "learning_rate_own"),
        "batch_size": lambda: (1, TrainingRemark("batch_size_one", parameter="batch_size")),
        "lora_rank": lambda: _lora_rank(trainer, kind, photos),
        "autocaption": lambda: (True, TrainingRemark("autocaption_on", parameter="autocaption")),
    }
    return {name: makers[name]() for name in trainer.parameters}


def _steps(trainer: Trainer, kind: ModelKind, photos: PhotoReport) -> tuple[int, TrainingRemark]:
    few = photos.accepted < trainer.recommended_photos
    wanted = math.ceil(photos.accepted * LOOKS_PER_PHOTO[kind] / 100) * 100
    steps = _STEPS_FOR_FEW if few else min(max(wanted, _USUAL_STEPS), _MOST_STEPS)
    if few:
        return steps, TrainingRemark("steps_few_photos", {"photos": photos.accepted, "steps": steps}, "steps")
    if kind is ModelKind.STYLE:
        return steps, TrainingRemark("steps_style", {"steps": steps}, "steps")
    times = round(steps / photos.accepted)
    return steps, TrainingRemark(
        "steps_for_photos", {"steps": steps, "photos": photos.accepted, "times": times}, "steps"
    )


def _resolution(trainer: Trainer, kind: ModelKind) -> tuple[Any, TrainingRemark]:
    code = "resolution_face" if kind in (ModelKind.FACE, ModelKind.STYLE) else "resolution_body"
    return _as_tuned(trainer, "resolution", code)


def _lora_rank(trainer: Trainer, kind: ModelKind, photos: PhotoReport) -> tuple[int, TrainingRemark]:
    rank = int(trainer.parameters["lora_rank"].default or 0)
    if kind in (ModelKind.FULL_BODY, ModelKind.STYLE) and photos.accepted >= _WIDE_RANK_PHOTOS:
        return rank * 2, TrainingRemark("lora_rank_detail", {"lora_rank": rank * 2}, "lora_rank")
    return rank, TrainingRemark("lora_rank_identity", {"lora_rank": rank}, "lora_rank")


def _as_tuned(trainer: Trainer, name: str, code: str) -> tuple[Any, TrainingRemark]:
    value = trainer.parameters[name].default
    return value, TrainingRemark(code, {name: value}, name)


def _warnings(
    trainer: Trainer, kind: ModelKind, photos: PhotoReport, quote: Quote, plan: Plan
) -> Iterator[TrainingRemark]:
    if photos.accepted < trainer.recommended_photos:
        yield TrainingRemark(
            "few_photos", {"photos": photos.accepted, "recommended": trainer.recommended_photos}
        )
    if kind.of_a_person and photos.accepted:
        if not photos.categories[Category.FACE]:
            yield TrainingRemark("no_close_ups")
        if kind is ModelKind.FULL_BODY and not photos.categories[Category.FULL_BODY]:
            yield TrainingRemark("no_bodies")
        elif photos.accepted in photos.categories.values():
            yield TrainingRemark("all_alike")
    if quote.credits > plan.credits:
        yield TrainingRemark("beyond_plan", {"credits": quote.credits, "plan_credits": plan.credits})


def _cheaper(catalog: Catalog, trainer: Trainer, kind: ModelKind, quote: Quote) -> CheaperTraining | None:
    """A style survives another base model better than fewer looks; a face does not."""
    other = _with_another_family(catalog, trainer, quote) if kind is ModelKind.STYLE else None
    return other or _with_fewer_steps(trainer, quote)


def _with_another_family(catalog: Catalog, trainer: Trainer, quote: Quote) -> CheaperTraining | None:
    quotes = [
        (quote_training(other, other.complete({"steps": quote.params["steps"]})), other)
        for other in catalog.trainers
        if other.fine_tune != trainer.fine_tune
    ]
    cheapest, other = min(quotes, key=lambda offer: offer[0].credits, default=(quote, trainer))
    if cheapest.credits >= quote.credits:
        return None
    family = catalog.model(catalog.fine_tune_of(other).family).name
    return CheaperTraining(cheapest, (TrainingRemark("another_family", {"family": family}),))


def _with_fewer_steps(trainer: Trainer, quote: Quote) -> CheaperTraining | None:
    steps, least = quote.params["steps"], int(trainer.parameters["steps"].minimum or 1)
    fewer = max(least, steps * _CHEAPER_PERCENT // 10_000 * 100)
    if fewer >= steps:
        return None
    same = quote_training(trainer, trainer.complete({**quote.params, "steps": fewer}))
    return CheaperTraining(same, (TrainingRemark("fewer_steps", parameter="steps"),))
