from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from revela.domain.errors import NotFound, Transient
from revela.domain.job import State
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import PhotoState
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


@pytest.mark.parametrize("uploaded", [True, False])
def test_a_photo_goes_with_all_that_is_stored_of_it(
    life: ModelLife, model: PersonalModel, ports: FakePorts, uploaded: bool
) -> None:
    kept = life.checked(model)
    photo = life.checked(model) if uploaded else life.upload(model)

    delete_photo(of(model), photo.id, ports=ports)

    assert ports.photos.of(of(model)) == [kept]
    assert life.files() == {kept.clean_key}


def test_what_a_check_left_behind_goes_too(life: ModelLife, model: PersonalModel, ports: FakePorts) -> None:
    photo = life.checked(model)
    ports.objects.put_bytes(f"{photo.clean_prefix}of-another-check.jpg", b"x", content_type="image/jpeg")

    delete_photo(of(model), photo.id, ports=ports)

    assert not life.files()


def test_a_second_delete_finds_nothing(life: ModelLife, model: PersonalModel, ports: FakePorts) -> None:
    photo = life.checked(model)
    delete_photo(of(model), photo.id, ports=ports)

    with pytest.raises(NotFound):
        delete_photo(of(model), photo.id, ports=ports)


def test_anothers_photo_is_not_found_and_stays(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.checked(model)

    with pytest.raises(NotFound):
        delete_photo(of(model.model_copy(update={"user_id": BIA})), photo.id, ports=ports)

    assert life.files() == {photo.clean_key}


def test_of_two_deletes_at_once_both_are_done(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.checked(model)

    with meanwhile(ports, "FakeChanges.commit", lambda: delete_photo(of(model), photo.id, ports=ports)):
        delete_photo(of(model), photo.id, ports=ports)

    assert not ports.store.photos


def test_a_photo_that_is_judged_meanwhile_goes_all_the_same(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model)
    data = ports.objects.stored[photo.upload_key].data

    def upload_and_judge() -> None:
        life.post(photo, data)
        assert life.check(photo).state is PhotoState.ACCEPTED

    with meanwhile(ports, "FakeChanges.commit", upload_and_judge):
        delete_photo(of(model), photo.id, ports=ports)

    assert not ports.store.photos
    assert not life.files()


@pytest.mark.parametrize("dies", [dies_before, dies_after])
@pytest.mark.parametrize(
    "call", ["FakePhotos.get", "FakeObjects.delete", "FakeObjects.delete_prefix", "FakeChanges.commit"]
)
def test_deleting_again_finishes_what_was_begun(
    life: ModelLife,
    model: PersonalModel,
    ports: FakePorts,
    dies: Callable[..., AbstractContextManager[None]],
    call: str,
) -> None:
    photo = life.checked(model)
    with dies(ports, call):
        delete_photo(of(model), photo.id, ports=ports)

    if ports.store.photos:
        delete_photo(of(model), photo.id, ports=ports)

    assert not ports.store.photos
    assert not life.files()


def test_while_the_bucket_is_away_the_row_stays(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.checked(model)
    ports.objects.failure = Transient("the bucket is away")

    with pytest.raises(Transient):
        delete_photo(of(model), photo.id, ports=ports)
    ports.objects.failure = None

    assert list_photos(of(model), ports=ports).photos == [photo]


def test_a_training_that_has_not_packed_it_fails_and_costs_nothing(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo, *_ = [life.checked(model) for _ in range(5)]
    training = life.accept_training(model)
    delete_photo(of(model), photo.id, ports=ports)

    failed = life.start_training(training)

    assert failed.state is State.FAILED
    assert failed.failure is not None
    assert failed.failure.code == "photos_lost"
    assert (failed.credits_charged, failed.credits_refunded) == (0, failed.credits_held)


def test_a_training_that_has_packed_it_goes_on(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo, *_ = [life.checked(model) for _ in range(5)]
    training = life.start_training(life.accept_training(model))
    delete_photo(of(model), photo.id, ports=ports)

    assert life.finish_training(training).state is State.SUCCEEDED
