from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import NotFound, NotNow
from revela.domain.photo import PhotoState
from revela.domain.policy import PHOTO_DUE, UPLOAD_WINDOW
from revela.usecases.delete_model import delete_model
from revela.usecases.delete_photo import delete_photo
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import ModelLife, of
from tests.unit.usecases.system import ANA, BIA, System
from tests.unit.usecases.trouble import dies_after, meanwhile


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="essential")
    return ModelLife(ports)


def test_each_file_has_a_row_and_a_form_for_its_own_key(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()

    asked = life.request(model, "image/jpeg", "image/heic")

    assert [one.photo.declared_type for one in asked] == ["image/jpeg", "image/heic"]
    assert ports.photos.of(of(model)) == [one.photo for one in asked]
    for one in asked:
        assert one.photo.state is PhotoState.AWAITING_UPLOAD
        assert one.upload.fields["key"] == f"incoming/{ANA}/{model.id}/{one.photo.id}"
        assert one.upload.fields["Content-Type"] == one.photo.declared_type
        assert one.expires_at == ports.clock.now() + UPLOAD_WINDOW
        assert one.photo.due_at == one.expires_at + PHOTO_DUE


def test_a_model_takes_thirty_photos(life: ModelLife) -> None:
    model = life.create()
    life.request(model, *["image/jpeg"] * 29)

    with pytest.raises(NotNow) as refused:
        life.request(model, "image/jpeg", "image/jpeg")
    life.request(model)

    assert (refused.value.code, refused.value.args_["left"]) == ("too_many_photos", 1)
    with pytest.raises(NotNow):
        life.request(model)


def test_what_was_rejected_or_deleted_leaves_its_place(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()
    asked = life.request(model, *["image/jpeg"] * 30)
    life.post(asked[0].photo, b"not a picture")
    assert life.check(asked[0].photo).state is PhotoState.REJECTED
    delete_photo(of(model), asked[1].photo.id, ports=ports)

    assert len(life.request(model, "image/jpeg", "image/jpeg")) == 2


def test_what_was_never_uploaded_leaves_its_place_in_time(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.create()
    asked = life.request(model, *["image/jpeg"] * 30)
    system.reconcile(after=UPLOAD_WINDOW + PHOTO_DUE)
    for one in asked:
        life.check(one.photo)

    assert len(life.request(model, *["image/jpeg"] * 30)) == 30


def test_rejected_photos_are_remembered_up_to_a_limit(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()
    for _ in range(200):
        life.checked(model, b"not a picture")

    with pytest.raises(NotNow) as refused:
        life.request(model)

    assert refused.value.code == "too_many_rejected_photos"


def test_two_requests_at_once_cannot_both_take_the_last_places(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()
    life.request(model, *["image/jpeg"] * 28)

    with (
        meanwhile(ports, "FakeChanges.commit", lambda: life.request(model, "image/png")),
        pytest.raises(NotNow),
    ):
        life.request(model, "image/jpeg", "image/jpeg")

    assert len(ports.photos.of(of(model))) == 29


def test_a_model_that_is_closed_meanwhile_takes_none(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()

    with (
        meanwhile(ports, "FakeChanges.commit", lambda: delete_model(of(model), ports=ports)),
        pytest.raises(NotNow) as refused,
    ):
        life.request(model)

    assert refused.value.code == "model_deleting"
    assert not ports.store.photos


def test_anothers_model_is_not_found(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()

    with pytest.raises(NotFound):
        life.request(model.model_copy(update={"user_id": BIA}))


def test_a_process_that_dies_after_the_write_leaves_places_that_are_free_again_in_time(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.create()
    with dies_after(ports, "FakeChanges.commit"):
        life.request(model, *["image/jpeg"] * 30)

    system.reconcile(after=UPLOAD_WINDOW + PHOTO_DUE + timedelta(seconds=1))
    assert len(ports.commands.checked) == 30
    for photo in list(ports.store.photos.values()):
        assert life.check(photo).state is PhotoState.EXPIRED
