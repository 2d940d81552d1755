"""What a set of photos is good for, and what it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from revela.domain.photo import Category, Light, ModelKind, Photo, PhotoState, Remark

# The trainer's own page recommends ten images at least (ostris/flux-dev-lora-trainer, `input_images`).
RECOMMENDED = 10
# A judgement: below five a model repeats its photos instead of learning the face.
TRAINABLE = 5

# How many photos of each category a good set of each kind has: a judgement, within RECOMMENDED. A face is
# learned from close by, yet never seen with a body it grows none.
WANTED: dict[ModelKind, dict[Category, int]] = {
    ModelKind.FACE: {Category.FACE: 6, Category.HALF_BODY: 2},
    ModelKind.HALF_BODY: {Category.FACE: 3, Category.HALF_BODY: 5},
    ModelKind.FULL_BODY: {Category.FACE: 3, Category.HALF_BODY: 2, Category.FULL_BODY: 3},
    ModelKind.STYLE: {},
}


class Readiness(StrEnum):
    NOT_TRAINABLE = "not_trainable"
    TRAINABLE = "trainable"
    RECOMMENDED = "recommended"


class PhotoReport(BaseModel):
    """Counts of a set's photos; `pending` are not uploaded or not judged yet.

    `missing` names texts of `messages.PHOTOS`, what matters most first.
    """

    model_config = ConfigDict(frozen=True)

    accepted: int
    rejected: int
    pending: int
    expired: int
    categories: dict[Category, int]
    lights: dict[Light, int]
    readiness: Readiness
    missing: tuple[Remark, ...]


def report(photos: Iterable[Photo], *, kind: ModelKind) -> PhotoReport:
    everything = list(photos)
    states = Counter(photo.state for photo in everything)
    accepted = [photo for photo in everything if photo.state is PhotoState.ACCEPTED]
    seen = Counter(photo.category for photo in accepted)
    lights = Counter(photo.facts.light for photo in accepted if photo.facts)
    missing = tuple(_missing(accepted, seen, lights, kind))
    return PhotoReport(
        accepted=len(accepted),
        rejected=states[PhotoState.REJECTED],
        pending=states[PhotoState.AWAITING_UPLOAD] + states[PhotoState.CHECKING],
        expired=states[PhotoState.EXPIRED],
        categories={category: seen[category] for category in Category},
        lights={light: lights[light] for light in Light},
        readiness=_readiness(len(accepted)),
        missing=missing,
    )


def _readiness(accepted: int) -> Readiness:
    if accepted < TRAINABLE:
        return Readiness.NOT_TRAINABLE
    return Readiness.TRAINABLE if accepted < RECOMMENDED else Readiness.RECOMMENDED


def _missing(
    accepted: Sequence[Photo], seen: Counter[Category | None], lights: Counter[Light], kind: ModelKind
) -> Iterator[Remark]:
    count = len(accepted)
    if count < TRAINABLE:
        yield Remark(code="more_photos_needed", args={"count": TRAINABLE - count, "minimum": TRAINABLE})
    elif count < RECOMMENDED:
        yield Remark(
            code="more_photos_recommended", args={"count": RECOMMENDED - count, "recommended": RECOMMENDED}
        )
    short = {category: wanted - seen[category] for category, wanted in WANTED[kind].items()}
    if short.get(Category.FACE, 0) > 0:
        yield Remark(code="more_close_ups", args={"count": short[Category.FACE]})
    if short.get(Category.HALF_BODY, 0) > 0:
        yield Remark(code="more_half_body", args={"count": short[Category.HALF_BODY]})
    if short.get(Category.FULL_BODY, 0) > 0:
        yield Remark(code="more_full_body", args={"count": short[Category.FULL_BODY]})
    if count >= TRAINABLE and len(lights) == 1:
        yield Remark(code="same_light")
