from __future__ import annotations

from collections.abc import Sequence

import pytest

from revela.domain.photo import Category, Light, ModelKind, Photo, PhotoState, Verdict
from revela.domain.photo_report import RECOMMENDED, TRAINABLE, WANTED, Readiness, report
from tests.photos.findings import facts_of, photo_of

LIGHTS = list(Light)


def accepted(*categories: Category | None, light: Light | None = None) -> list[Photo]:
    """Return photos of these categories, each in another light unless one is given."""
    return [
        photo_of(
            number, verdict=Verdict(category=category), facts=facts_of(light=light or LIGHTS[number % 3])
        )
        for number, category in enumerate(categories)
    ]


FACE, HALF, FULL = Category.FACE, Category.HALF_BODY, Category.FULL_BODY
GOOD_SETS: dict[ModelKind, Sequence[Category | None]] = {
    ModelKind.FACE: [FACE] * 7 + [HALF] * 3,
    ModelKind.HALF_BODY: [FACE] * 4 + [HALF] * 6,
    ModelKind.FULL_BODY: [FACE] * 4 + [HALF] * 3 + [FULL] * 3,
    ModelKind.STYLE: [None] * 10,
}


def missing(photos: list[Photo], kind: ModelKind = ModelKind.FACE) -> dict[str, int | None]:
    return {remark.code: remark.args.get("count") for remark in report(photos, kind=kind).missing}


def test_every_photo_is_counted_once_by_its_state() -> None:
    photos = [photo_of(number, state) for number, state in enumerate([*PhotoState, PhotoState.ACCEPTED])]

    found = report(photos, kind=ModelKind.FACE)

    assert (found.accepted, found.rejected, found.pending, found.expired) == (2, 1, 2, 1)


def test_variety_counts_accepted_photos_alone_with_the_users_corrections() -> None:
    photos = [
        *accepted(FACE, FACE, HALF, light=Light.DARK),
        photo_of(8, chosen_category=FULL),
        photo_of(9, PhotoState.REJECTED),
    ]

    found = report(photos, kind=ModelKind.FACE)

    assert found.categories == {FACE: 2, HALF: 1, FULL: 1}
    assert found.lights == {Light.DARK: 3, Light.EVEN: 1, Light.BRIGHT: 0}


@pytest.mark.parametrize(
    ("count", "readiness"),
    [
        (0, Readiness.NOT_TRAINABLE),
        (TRAINABLE - 1, Readiness.NOT_TRAINABLE),
        (TRAINABLE, Readiness.TRAINABLE),
        (RECOMMENDED - 1, Readiness.TRAINABLE),
        (RECOMMENDED, Readiness.RECOMMENDED),
        (30, Readiness.RECOMMENDED),
    ],
)
@pytest.mark.parametrize("kind", ModelKind)
def test_readiness_is_a_matter_of_number(count: int, readiness: Readiness, kind: ModelKind) -> None:
    assert report(accepted(*(count * [FACE])), kind=kind).readiness is readiness


@pytest.mark.parametrize("kind", ModelKind)
def test_a_good_set_lacks_nothing(kind: ModelKind) -> None:
    assert report(accepted(*GOOD_SETS[kind]), kind=kind).missing == ()


@pytest.mark.parametrize("kind", ModelKind)
def test_what_is_missing_has_a_place_among_the_recommended_number(kind: ModelKind) -> None:
    assert sum(WANTED[kind].values()) <= RECOMMENDED


def test_an_empty_set_is_told_all_that_it_lacks_most_important_first() -> None:
    found = missing([], ModelKind.FULL_BODY)

    assert list(found.items()) == [
        ("more_photos_needed", TRAINABLE),
        ("more_close_ups", 3),
        ("more_half_body", 2),
        ("more_full_body", 3),
    ]


def test_a_trainable_set_is_told_how_it_gets_better() -> None:
    assert missing(accepted(*[FACE] * 6, HALF)) == {"more_photos_recommended": 3, "more_half_body": 1}


def test_a_style_lacks_photos_only() -> None:
    assert missing(accepted(None), ModelKind.STYLE) == {"more_photos_needed": 4}


def test_one_light_in_all_photos_is_a_lack() -> None:
    assert "same_light" in missing(accepted(*[FACE] * 7, *[HALF] * 3, light=Light.EVEN))
    assert "same_light" not in missing(accepted(*[FACE] * 7, *[HALF] * 3))


def test_too_few_photos_are_not_blamed_for_their_light() -> None:
    assert "same_light" not in missing(accepted(FACE, FACE, light=Light.EVEN))
