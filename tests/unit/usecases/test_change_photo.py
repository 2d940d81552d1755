from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from revela.domain.errors import NotFound, NotNow
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import Category
from revela.usecases.change_photo import change_photo
from revela.usecases.delete_model import delete_model
from revela.usecases.delete_photo import delete_photo
from revela.usecases.list_photos import list_photos
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import ModelLife, of
from tests.unit.usecases.system import ANA, BIA, System
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="essential")
    return ModelLife(ports)


@pytest.fixture
def model(life: ModelLife) -> PersonalModel:
    return life.create()


def test_the_user_corrects_what_a_photo_shows_and_the_report_follows(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.checked(model)

    after = change_photo(of(model), photo.id, Category.HALF_BODY, ports=ports)

    assert ports.photos.get(of(model), photo.id) == after
    assert (after.category, after.verdict) == (Category.HALF_BODY, photo.verdict)
    assert list_photos(of(model), ports=ports).report.categories[Category.HALF_BODY] == 1


@pytest.mark.parametrize("state", ["awaiting_upload", "rejected", "expired"])
def test_only_an_accepted_photo_has_something_to_correct(
    life: ModelLife, model: PersonalModel, ports: FakePorts, state: str
) -> None:
    if state == "awaiting_upload":
        photo = life.upload(model)
    else:
        photo = life.checked(model, b"not a picture" if state == "rejected" else None)
    if state == "expired":
        ports.clock.advance(ports.policies.photos_kept)

    with pytest.raises(NotNow) as refused:
        change_photo(of(model), photo.id, Category.FACE, ports=ports)

    assert (refused.value.code, refused.value.args_) == ("photo_not_accepted", {"state": state})


def test_what_is_not_there_or_anothers_is_not_found(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.checked(model)
    anothers = of(model.model_copy(update={"user_id": BIA}))

    for ref, photo_id in ((of(model), "pho_none"), (anothers, photo.id), (of(life.create()), photo.id)):
        with pytest.raises(NotFound):
            change_photo(ref, photo_id, Category.FACE, ports=ports)


def test_a_photo_of_a_closed_model_is_not_corrected(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.checked(model)
    delete_model(of(model), ports=ports)

    with pytest.raises(NotNow):
        change_photo(of(model), photo.id, Category.FACE, ports=ports)


def test_a_photo_that_is_deleted_meanwhile_is_not_brought_back(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.checked(model)

    with (
        meanwhile(ports, "FakeChanges.commit", lambda: delete_photo(of(model), photo.id, ports=ports)),
        pytest.raises(NotFound),
    ):
        change_photo(of(model), photo.id, Category.FACE, ports=ports)

    assert not ports.store.photos


@pytest.mark.parametrize("dies", [dies_before, dies_after])
def test_whoever_died_asks_again(
    life: ModelLife, model: PersonalModel, ports: FakePorts, dies: Callable[..., AbstractContextManager[None]]
) -> None:
    photo = life.checked(model)
    with dies(ports, "FakeChanges.commit"):
        change_photo(of(model), photo.id, Category.FULL_BODY, ports=ports)

    after = change_photo(of(model), photo.id, Category.FULL_BODY, ports=ports)

    assert after.category is Category.FULL_BODY
