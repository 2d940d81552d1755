from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import NotFound, NotNow
from revela.domain.photo import PhotoState
from revela.domain.photo_report import Readiness
from revela.usecases.accept_training import AcceptTraining, accept_training
from revela.usecases.delete_model import delete_model
from revela.usecases.list_photos import list_photos
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import ModelLife, of
from tests.unit.usecases.system import ANA, BIA, System


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="essential")
    return ModelLife(ports)


def test_photos_come_oldest_first_with_urls_of_those_that_were_accepted(
    life: ModelLife, ports: FakePorts
) -> None:
    model = life.create()
    accepted, rejected = life.checked(model), life.checked(model, b"not a picture")
    (asked,) = life.request(model)

    view = list_photos(of(model), ports=ports)

    assert view.photos == [accepted, rejected, asked.photo]
    assert list(view.urls) == [accepted.clean_key]
    assert view.urls_expire_at is not None
    assert view.urls_expire_at > ports.clock.now()
    assert (view.report.accepted, view.report.rejected, view.report.pending) == (1, 1, 1)


def test_without_accepted_photos_nothing_is_signed(life: ModelLife, ports: FakePorts) -> None:
    view = list_photos(of(life.create()), ports=ports)

    assert (view.photos, view.urls, view.urls_expire_at) == ([], {}, None)
    assert view.report.readiness is Readiness.NOT_TRAINABLE


def test_photos_of_another_model_are_not_among_them(life: ModelLife, ports: FakePorts) -> None:
    life.checked(life.create())

    assert not list_photos(of(life.create()), ports=ports).photos


def test_a_photo_that_was_kept_for_its_time_is_expired_everywhere(life: ModelLife, ports: FakePorts) -> None:
    model = life.with_photos(4)
    ports.clock.advance(timedelta(days=1))
    youngest = life.checked(model)
    kept = ports.policies.photos_kept
    ports.clock.advance(kept - timedelta(days=1, microseconds=1))
    assert list_photos(of(model), ports=ports).report.readiness is Readiness.TRAINABLE

    ports.clock.advance(timedelta(microseconds=1))

    view = list_photos(of(model), ports=ports)
    assert [photo.state for photo in view.photos] == [PhotoState.EXPIRED] * 4 + [PhotoState.ACCEPTED]
    assert list(view.urls) == [youngest.clean_key]
    assert (view.report.accepted, view.report.expired) == (1, 4)
    assert view.report.readiness is Readiness.NOT_TRAINABLE
    with pytest.raises(NotNow) as refused:
        accept_training(AcceptTraining(of(model), {}), ports=ports)
    assert refused.value.code == "too_few_photos"


def test_photos_of_a_model_that_is_anothers_or_being_deleted_are_not_shown(
    life: ModelLife, ports: FakePorts
) -> None:
    model = life.with_photos(1)

    with pytest.raises(NotFound):
        list_photos(of(model.model_copy(update={"user_id": BIA})), ports=ports)
    delete_model(of(model), ports=ports)
    with pytest.raises(NotNow):
        list_photos(of(model), ports=ports)
