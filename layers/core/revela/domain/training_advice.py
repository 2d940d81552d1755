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
from revela.domain.plans import Plan
from revela.domain.trainers import Trainer
from revela.domain.trigger_words import Kind

LOOKS_PER_PHOTO: Mapping[Kind, int] = {"face": 70, "half_body": 80, "full_body": 90, "style": 100}
_USUAL_STEPS, _MOST_STEPS, _STEPS_FOR_FEW = 1000, 2000, 800
_WIDE_RANK_PHOTOS = 20
_CHEAPER_PERCENT = 60


@dataclass(frozen=True)
class PhotoNumbers:
    """How many photos were accepted, and of them by category; those of a style have none."""

    accepted: int
    face: int = 0
    half_body: int = 0
    full_body: int = 0


@dataclass(frozen=True)
class Remark:
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
    gives_up: tuple[Remark, ...]


@dataclass(frozen=True)
class TrainingAdvice:
    """`reasons` has one remark for each parameter of the quote; `cheaper` None: nothing sensible is."""

    quote: Quote
    reasons: tuple[Remark, ...]
    warnings: tuple[Remark, ...]
    cheaper: CheaperTraining | None


def advise_training(
    catalog: Catalog, *, kind: Kind, photos: PhotoNumbers, plan: Plan, trainer_id: str | None = None
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


def _advised(trainer: Trainer, kind: Kind, photos: PhotoNumbers) -> dict[str, tuple[Any, Remark]]:
    """Return a value and its reason for each parameter that the trainer takes."""
    makers: dict[str, Callable[[], tuple[Any, Remark]]] = {
        "steps": lambda: _steps(trainer, kind, photos),
        "resolution": lambda: _resolution(trainer, kind),
        "learning_rate": lambda: _as_tuned(trainer, "learning_rate", "learning_rate_own"),
        "batch_size": lambda: (1, Remark("batch_size_one", parameter="batch_size")),
        "lora_rank": lambda: _lora_rank(trainer, kind, photos),
        "autocaption": lambda: (True, Remark("autocaption_on", parameter="autocaption")),
    }
    return {name: makers[name]() for name in trainer.parameters}


def _steps(trainer: Trainer, kind: Kind, photos: PhotoNumbers) -> tuple[int, Remark]:
    few = photos.accepted < trainer.recommended_photos
    wanted = math.ceil(photos.accepted * LOOKS_PER_PHOTO[kind] / 100) * 100
    steps = _STEPS_FOR_FEW if few else min(max(wanted, _USUAL_STEPS), _MOST_STEPS)
    if few:
        return steps, Remark("steps_few_photos", {"photos": photos.accepted, "steps": steps}, "steps")
    if kind == "style":
        return steps, Remark("steps_style", {"steps": steps}, "steps")
    times = round(steps / photos.accepted)
    return steps, Remark(
        "steps_for_photos", {"steps": steps, "photos": photos.accepted, "times": times}, "steps"
    )


def _resolution(trainer: Trainer, kind: Kind) -> tuple[Any, Remark]:
    code = "resolution_face" if kind in ("face", "style") else "resolution_body"
    return _as_tuned(trainer, "resolution", code)


def _lora_rank(trainer: Trainer, kind: Kind, photos: PhotoNumbers) -> tuple[int, Remark]:
    rank = int(trainer.parameters["lora_rank"].default or 0)
    if kind in ("full_body", "style") and photos.accepted >= _WIDE_RANK_PHOTOS:
        return rank * 2, Remark("lora_rank_detail", {"lora_rank": rank * 2}, "lora_rank")
    return rank, Remark("lora_rank_identity", {"lora_rank": rank}, "lora_rank")


def _as_tuned(trainer: Trainer, name: str, code: str) -> tuple[Any, Remark]:
    value = trainer.parameters[name].default
    return value, Remark(code, {name: value}, name)


def _warnings(
    trainer: Trainer, kind: Kind, photos: PhotoNumbers, quote: Quote, plan: Plan
) -> Iterator[Remark]:
    if photos.accepted < trainer.recommended_photos:
        yield Remark("few_photos", {"photos": photos.accepted, "recommended": trainer.recommended_photos})
    if kind != "style" and photos.accepted:
        if not photos.face:
            yield Remark("no_close_ups")
        if kind == "full_body" and not photos.full_body:
            yield Remark("no_bodies")
        elif photos.accepted in (photos.face, photos.half_body, photos.full_body):
            yield Remark("all_alike")
    if quote.credits > plan.credits:
        yield Remark("beyond_plan", {"credits": quote.credits, "plan_credits": plan.credits})


def _cheaper(catalog: Catalog, trainer: Trainer, kind: Kind, quote: Quote) -> CheaperTraining | None:
    """A style survives another base model better than fewer looks; a face does not."""
    other = _with_another_family(catalog, trainer, quote) if kind == "style" else None
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
    return CheaperTraining(cheapest, (Remark("another_family", {"family": family}),))


def _with_fewer_steps(trainer: Trainer, quote: Quote) -> CheaperTraining | None:
    steps, least = quote.params["steps"], int(trainer.parameters["steps"].minimum or 1)
    fewer = max(least, steps * _CHEAPER_PERCENT // 10_000 * 100)
    if fewer >= steps:
        return None
    same = quote_training(trainer, trainer.complete({**quote.params, "steps": fewer}))
    return CheaperTraining(same, (Remark("fewer_steps", parameter="steps"),))
