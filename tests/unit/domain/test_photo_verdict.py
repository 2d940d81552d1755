from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revela.domain.photo import (
    AgeRange,
    Box,
    Category,
    CleanCopy,
    Face,
    FaceReport,
    ModelKind,
    Photo,
    PhotoFacts,
    PhotoState,
    Remark,
    Unreadable,
)
from revela.domain.photo_verdict import (
    ADULT_AGE,
    CONFIDENCE_MIN,
    FACE_SHARE,
    FACE_SHARE_MIN,
    HALF_BODY_SHARE,
    NEAR_DUPLICATE_MAX,
    SHARPNESS_MIN,
    SIDE_MIN,
    TOO_BRIGHT_ABOVE,
    TOO_DARK_BELOW,
    difference,
    judge,
)
from tests.photos.findings import exposed, face_of, faces_of, facts_of, photo_of

HASH = "0123456789abcdef"
PERSON = [kind for kind in ModelKind if kind.of_a_person]


def codes(
    facts: PhotoFacts | None = None,
    faces: FaceReport | None = None,
    *,
    kind: ModelKind = ModelKind.FACE,
    others: tuple[Photo, ...] = (),
) -> list[str]:
    found = judge(facts or facts_of(), faces or faces_of(face_of()), kind=kind, others=others)
    assert found.accepted is (not found.problems)
    return [problem.code for problem in found.problems]


@pytest.mark.parametrize("kind", ModelKind)
def test_a_flawless_portrait_is_accepted_for_every_kind(kind: ModelKind) -> None:
    verdict = judge(facts_of(), faces_of(face_of()), kind=kind, others=[])

    assert (verdict.accepted, verdict.category, verdict.notes) == (True, Category.FACE, ())


# ---------------------------------------------------------------- the file


def test_an_unreadable_file_has_the_reason_it_came_with_and_no_other() -> None:
    reason = Remark(code="too_many_pixels", args={"maximum": 50})

    for kind in ModelKind:
        verdict = judge(Unreadable(reason, "header"), None, kind=kind, others=[photo_of()])
        assert (verdict.problems, verdict.accepted, verdict.category) == ((reason,), False, None)


def test_a_copy_that_the_inspector_does_not_take_is_rejected() -> None:
    verdict = judge(facts_of(), Unreadable(Remark(code="broken")), kind=ModelKind.STYLE, others=[])

    assert [problem.code for problem in verdict.problems] == ["broken"]


def test_a_readable_photo_is_not_judged_without_looking_for_faces() -> None:
    with pytest.raises(ValueError, match="faces"):
        judge(facts_of(), None, kind=ModelKind.STYLE, others=[])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"width": SIDE_MIN}, None),
        ({"width": SIDE_MIN - 1}, "too_small"),
        ({"height": SIDE_MIN - 1}, "too_small"),
        ({"sharpness": SHARPNESS_MIN}, None),
        ({"sharpness": SHARPNESS_MIN - 0.001}, "blurry"),
        ({"exposure": exposed(low=0, high=TOO_DARK_BELOW)}, None),
        ({"exposure": exposed(low=0, high=TOO_DARK_BELOW - 1)}, "too_dark"),
        ({"exposure": exposed(low=TOO_BRIGHT_ABOVE, high=255)}, None),
        ({"exposure": exposed(low=TOO_BRIGHT_ABOVE + 1, high=255)}, "too_bright"),
        # A dark wall, or a white one, behind someone well lit.
        ({"exposure": exposed(low=0, high=180)}, None),
        ({"exposure": exposed(low=60, high=255)}, None),
    ],
)
@pytest.mark.parametrize("kind", ModelKind)
def test_a_file_must_be_large_sharp_and_lit(
    changes: dict[str, Any], code: str | None, kind: ModelKind
) -> None:
    assert codes(facts_of(**changes), kind=kind) == ([code] if code else [])


def test_a_small_photo_is_told_how_small_it_is() -> None:
    verdict = judge(facts_of(width=320, height=480), faces_of(face_of()), kind=ModelKind.FACE, others=[])

    assert verdict.problems[0].args == {"width": 320, "height": 480, "minimum": SIDE_MIN}


def test_a_declared_type_that_differs_is_only_noted() -> None:
    facts = facts_of(declared_type_differs=True)

    verdict = judge(facts, faces_of(face_of()), kind=ModelKind.FACE, others=[])

    assert verdict.accepted
    assert [note.code for note in verdict.notes] == ["declared_type_differs"]


# ---------------------------------------------------------------- the set


def flipped(bits: int) -> str:
    return f"{int(HASH, 16) ^ (1 << bits) - 1:016x}"


@pytest.mark.parametrize("bits", [0, 1, NEAR_DUPLICATE_MAX])
def test_a_near_duplicate_names_the_photo_that_it_repeats(bits: int) -> None:
    others = [
        photo_of(1, facts=facts_of(perceptual_hash=flipped(40))),
        photo_of(2, facts=facts_of(perceptual_hash=flipped(bits))),
    ]

    verdict = judge(facts_of(perceptual_hash=HASH), faces_of(face_of()), kind=ModelKind.FACE, others=others)

    assert [(problem.code, problem.photo_id) for problem in verdict.problems] == [("near_duplicate", "pho_2")]


def test_the_nearest_of_several_duplicates_is_named() -> None:
    others = tuple(
        photo_of(number, facts=facts_of(perceptual_hash=flipped(bits)))
        for number, bits in ((1, 5), (2, 1), (3, 3))
    )

    verdict = judge(facts_of(perceptual_hash=HASH), faces_of(face_of()), kind=ModelKind.FACE, others=others)

    assert verdict.problems[0].photo_id == "pho_2"


def test_a_photo_that_differs_enough_is_no_duplicate() -> None:
    other = photo_of(facts=facts_of(perceptual_hash=flipped(NEAR_DUPLICATE_MAX + 1)))

    assert codes(facts_of(perceptual_hash=HASH), others=(other,)) == []


@pytest.mark.parametrize("state", [state for state in PhotoState if state is not PhotoState.ACCEPTED])
def test_only_accepted_photos_can_be_repeated(state: PhotoState) -> None:
    other = photo_of(state=state, facts=facts_of(perceptual_hash=HASH))

    assert codes(facts_of(perceptual_hash=HASH), others=(other,)) == []


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_difference_counts_bits_both_ways(one: int, other: int) -> None:
    bits = difference(f"{one:016x}", f"{other:016x}")

    assert bits == difference(f"{other:016x}", f"{one:016x}") == sum(a != b for a, b in zip(
        f"{one:064b}", f"{other:064b}", strict=True))  # fmt: skip


# ---------------------------------------------------------------- people


@pytest.mark.parametrize("kind", PERSON)
@pytest.mark.parametrize(
    ("faces", "code"),
    [
        ((), "no_face"),
        ((face_of(confidence=CONFIDENCE_MIN - 0.01),), "no_face"),
        ((face_of(confidence=CONFIDENCE_MIN),), None),
        ((face_of(), face_of()), "several_faces"),
        ((face_of(0.4), face_of(0.15)), "several_faces"),
        ((face_of(0.4), face_of(0.12)), None),
        ((face_of(0.4), face_of(confidence=0.5)), None),
        ((face_of(FACE_SHARE_MIN),), None),
        ((face_of(FACE_SHARE_MIN - 0.001),), "face_too_small"),
        ((face_of(occluded=True),), "face_covered"),
        ((face_of(sunglasses=True),), "sunglasses"),
        ((face_of(sunglasses=True, occluded=True),), "sunglasses"),
        ((face_of(eyes_open=False),), None),
        ((face_of(0.4), face_of(0.1, sunglasses=True)), None),
    ],
)
def test_a_photo_of_a_person_shows_one_uncovered_face(
    faces: tuple[Face, ...], code: str | None, kind: ModelKind
) -> None:
    assert codes(faces=faces_of(*faces), kind=kind) == ([code] if code else [])
    assert codes(faces=faces_of(*faces), kind=ModelKind.STYLE) == []


def test_people_are_counted_without_passers_by() -> None:
    faces = faces_of(face_of(0.3), face_of(0.28), face_of(0.2), face_of(0.05))

    verdict = judge(facts_of(), faces, kind=ModelKind.FACE, others=[])

    assert verdict.problems == (Remark(code="several_faces", args={"count": 3}),)


def test_a_face_of_few_pixels_is_too_small_whatever_its_share() -> None:
    facts = facts_of(clean=CleanCopy(width=600, height=512, size_bytes=1, sha256=""))

    assert codes(facts, faces_of(face_of(0.07))) == ["face_too_small"]
    assert codes(facts, faces_of(face_of(0.08))) == []


@pytest.mark.parametrize("kind", ModelKind)
@pytest.mark.parametrize(
    "faces",
    [
        (face_of(age=AgeRange(ADULT_AGE - 1, 30)),),
        (face_of(age=AgeRange(2, 6)),),
        (face_of(age=None),),
        (face_of(0.4), face_of(0.05, age=AgeRange(10, 14))),
        (face_of(0.4), face_of(0.4, age=None, confidence=0.3)),
    ],
)
def test_whoever_may_be_a_minor_is_refused_wherever_they_stand(
    faces: tuple[Face, ...], kind: ModelKind
) -> None:
    found = codes(faces=faces_of(*faces), kind=kind)

    assert found[0] == "minor"


@pytest.mark.parametrize("kind", ModelKind)
def test_a_public_person_is_refused_whatever_is_to_be_learned(kind: ModelKind) -> None:
    verdict = judge(facts_of(), faces_of(face_of()), kind=kind, others=[], famous=True)

    assert not verdict.accepted
    assert [problem.code for problem in verdict.problems] == ["public_person"]


def test_a_child_is_told_of_before_fame_and_fame_before_all_that_can_be_mended() -> None:
    child = face_of(age=AgeRange(9, 12), sunglasses=True)
    verdict = judge(facts_of(width=100), faces_of(child), kind=ModelKind.FACE, others=[], famous=True)

    assert [problem.code for problem in verdict.problems] == [
        "minor",
        "public_person",
        "too_small",
        "sunglasses",
    ]


@pytest.mark.parametrize("kind", ModelKind)
def test_who_is_not_said_to_be_famous_is_not(kind: ModelKind) -> None:
    assert judge(facts_of(), faces_of(face_of()), kind=kind, others=[]).accepted


def test_of_an_unreadable_file_fame_is_not_told() -> None:
    reason = Remark(code="broken")

    for facts, faces in ((Unreadable(reason), None), (facts_of(), Unreadable(reason))):
        verdict = judge(facts, faces, kind=ModelKind.FACE, others=[], famous=True)
        assert verdict.problems == (reason,)


@pytest.mark.parametrize("kind", ModelKind)
def test_an_inspector_that_cannot_know_ages_refuses_nobody_for_theirs(kind: ModelKind) -> None:
    assert codes(faces=faces_of(face_of(age=None, confidence=None), knows_age=False), kind=kind) == []


@pytest.mark.parametrize("kind", PERSON)
def test_the_first_problem_is_the_one_to_mend_first(kind: ModelKind) -> None:
    everything = facts_of(width=100, sharpness=0.1, exposure=exposed(low=0, high=10), perceptual_hash=HASH)
    others = (photo_of(facts=facts_of(perceptual_hash=HASH)),)

    found = codes(everything, faces_of(), kind=kind, others=others)

    assert found == ["too_small", "too_dark", "blurry", "near_duplicate", "no_face"]


@pytest.mark.parametrize(
    ("share", "category"),
    [
        (0.9, Category.FACE),
        (FACE_SHARE, Category.FACE),
        (FACE_SHARE - 0.001, Category.HALF_BODY),
        (HALF_BODY_SHARE, Category.HALF_BODY),
        (HALF_BODY_SHARE - 0.001, Category.FULL_BODY),
    ],
)
def test_the_category_follows_from_the_faces_height(share: float, category: Category) -> None:
    verdict = judge(facts_of(), faces_of(face_of(share)), kind=ModelKind.FACE, others=[])

    assert verdict.category is category


def test_a_style_without_a_face_has_no_category() -> None:
    verdict = judge(facts_of(), faces_of(), kind=ModelKind.STYLE, others=[])

    assert (verdict.accepted, verdict.category) == (True, None)


shares = st.floats(0, 1)


@given(
    heights=st.lists(shares, max_size=4),
    ages=st.lists(st.none() | st.integers(0, 90), min_size=4, max_size=4),
    kind=st.sampled_from(ModelKind),
    famous=st.booleans(),
)
def test_no_accepted_photo_shows_a_public_person_or_anybody_who_may_be_a_minor(
    heights: list[float], ages: list[int | None], kind: ModelKind, famous: bool
) -> None:
    faces = tuple(
        Face(Box(0, 0, height, height), confidence=0.95, age=None if age is None else AgeRange(age, age + 8))
        for height, age in zip(sorted(heights, reverse=True), ages, strict=False)
    )

    verdict = judge(facts_of(), faces_of(*faces), kind=kind, others=[], famous=famous)

    if verdict.accepted:
        assert not famous
        assert all(face.age is not None and face.age.low >= ADULT_AGE for face in faces)
