from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.photo import (
    CONTENT_TYPES,
    MOVES,
    Category,
    ImpossibleMove,
    Photo,
    PhotoState,
    Remark,
    Unreadable,
    Verdict,
    decided,
    step,
)
from tests.photos.findings import NOW, facts_of, photo_of

LATER = NOW + timedelta(minutes=1)
CHECKING = photo_of(state=PhotoState.CHECKING, due_at=LATER)


@pytest.mark.parametrize("source", PhotoState)
@pytest.mark.parametrize("to", PhotoState)
def test_a_photo_moves_as_its_table_says_and_no_other_way(source: PhotoState, to: PhotoState) -> None:
    photo = photo_of(state=source)

    if to in MOVES[source]:
        moved = step(photo, to, now=LATER)
        assert (moved.state, moved.updated_at, moved.version) == (to, LATER, photo.version + 1)
    else:
        with pytest.raises(ImpossibleMove):
            step(photo, to, now=LATER)


@pytest.mark.parametrize("state", [PhotoState.ACCEPTED, PhotoState.REJECTED, PhotoState.EXPIRED])
def test_a_decided_photo_is_never_decided_again(state: PhotoState) -> None:
    with pytest.raises(ImpossibleMove):
        decided(photo_of(state=state), Verdict(), facts_of(), now=LATER)


def test_every_photo_can_expire_once() -> None:
    assert all(PhotoState.EXPIRED in targets for state, targets in MOVES.items() if targets)
    assert MOVES[PhotoState.EXPIRED] == ()


def test_an_accepted_photo_has_its_facts_and_is_due_no_more() -> None:
    verdict = Verdict(category=Category.FACE)

    photo = decided(CHECKING, verdict, facts_of(), now=LATER)

    assert (photo.state, photo.verdict, photo.facts) == (PhotoState.ACCEPTED, verdict, facts_of())
    assert photo.due_at is None


def test_a_photo_that_could_not_be_read_is_rejected_without_facts() -> None:
    broken = Remark(code="broken")

    photo = decided(CHECKING, Verdict(problems=(broken,)), Unreadable(broken), now=LATER)

    assert (photo.state, photo.facts) == (PhotoState.REJECTED, None)


def test_a_photo_waits_for_its_check_until_it_is_due() -> None:
    uploaded = step(photo_of(state=PhotoState.AWAITING_UPLOAD), PhotoState.CHECKING, now=NOW, due_at=LATER)

    assert uploaded.due_at == LATER


def test_the_user_corrects_the_category() -> None:
    seen = photo_of()

    assert seen.category is Category.FACE
    assert photo_of(chosen_category=Category.HALF_BODY).category is Category.HALF_BODY
    assert photo_of(state=PhotoState.CHECKING).category is None


def test_a_photo_and_its_files_lie_in_their_users_part() -> None:
    photo = photo_of(7)

    assert photo.row_id == "mdl_1#pho_7"
    assert photo.upload_key == "incoming/user-1/mdl_1/pho_7"
    assert photo.clean_prefix == "photos/user-1/mdl_1/pho_7/"
    assert photo.clean_key == f"photos/user-1/mdl_1/pho_7/{'0' * 64}.jpg"


def test_what_was_not_decoded_has_no_clean_copy() -> None:
    assert photo_of(state=PhotoState.CHECKING).clean_key is None


def test_a_photo_survives_being_stored() -> None:
    photo = decided(CHECKING, Verdict(notes=(Remark(code="declared_type_differs"),)), facts_of(), now=LATER)

    assert Photo.model_validate(photo.model_dump(mode="json")) == photo


def test_what_may_be_declared_is_what_is_read() -> None:
    assert set(CONTENT_TYPES) == {"image/jpeg", "image/png", "image/webp", "image/heic", "image/heif"}
