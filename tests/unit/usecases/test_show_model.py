from __future__ import annotations

import pytest

from revela.domain.errors import NotFound
from revela.domain.job import State
from revela.domain.model_steps import NextStep
from revela.domain.personal_model import ModelState
from revela.usecases.cancel_training import cancel_training
from revela.usecases.delete_model import delete_model
from revela.usecases.delete_photo import delete_photo
from revela.usecases.show_model import list_models, show_model
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import ModelLife, job, of
from tests.unit.usecases.system import ANA, BIA, System


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="studio", amount=2000)
    return ModelLife(ports)


def test_the_next_step_leads_from_the_first_photo_to_the_first_image(
    life: ModelLife, ports: FakePorts
) -> None:
    model = life.create()

    def step() -> NextStep:
        return show_model(of(model), ports=ports).next_step

    assert step() is NextStep.UPLOAD_PHOTOS
    first = life.upload(model)
    assert step() is NextStep.WAIT_FOR_CHECKS
    life.check(first)
    assert step() is NextStep.ADD_PHOTOS
    for _ in range(3):
        life.checked(model)
    life.checked(model, b"not a picture")
    assert step() is NextStep.ADD_PHOTOS
    life.checked(model)
    assert step() is NextStep.TRAIN
    training = life.accept_training(model)
    assert step() is NextStep.WAIT_FOR_TRAINING
    training = life.start_training(training)
    assert step() is NextStep.WAIT_FOR_TRAINING
    life.finish_training(training)
    assert step() is NextStep.GENERATE
    delete_model(of(model), ports=ports)
    assert step() is NextStep.WAIT_FOR_DELETION


def test_a_model_with_a_version_can_be_used_whatever_is_trained_and_deleted(
    life: ModelLife, ports: FakePorts
) -> None:
    model = life.trained()
    again = life.accept_training(model)
    assert show_model(of(model), ports=ports).next_step is NextStep.GENERATE

    delete_photo(of(model), ports.photos.of(of(model))[0].id, ports=ports)
    assert life.start_training(again).state is State.FAILED

    view = show_model(of(model), ports=ports)
    assert view.next_step is NextStep.GENERATE
    assert view.latest is not None
    assert view.latest.state is State.FAILED
    assert view.model.chosen is not None


def test_after_a_training_that_failed_it_is_trained_again(life: ModelLife, ports: FakePorts) -> None:
    model = life.with_photos(6)
    training = life.accept_training(model)
    delete_photo(of(model), ports.photos.of(of(model))[0].id, ports=ports)
    life.start_training(training)

    assert show_model(of(model), ports=ports).next_step is NextStep.TRAIN_AGAIN


def test_after_a_training_that_was_canceled_it_is_trained(life: ModelLife, ports: FakePorts) -> None:
    model = life.with_photos()
    training = life.accept_training(model)
    cancel_training(job(training), ports=ports)

    assert show_model(of(model), ports=ports).next_step is NextStep.TRAIN


def test_expired_photos_are_to_be_uploaded_anew(life: ModelLife, ports: FakePorts) -> None:
    model = life.with_photos()
    ports.clock.advance(ports.policies.photos_kept)

    view = show_model(of(model), ports=ports)

    assert (view.photos.accepted, view.photos.expired) == (0, 5)
    assert view.next_step is NextStep.UPLOAD_PHOTOS


def test_the_newest_training_is_shown(life: ModelLife, ports: FakePorts) -> None:
    model = life.with_photos()
    assert show_model(of(model), ports=ports).latest is None
    life.train(model)
    second = life.train(model)

    assert show_model(of(model), ports=ports).latest == second


def test_a_model_that_is_gone_or_anothers_is_not_found(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.create()
    with pytest.raises(NotFound):
        show_model(of(model.model_copy(update={"user_id": BIA})), ports=ports)
    delete_model(of(model), ports=ports)
    assert show_model(of(model), ports=ports).model.state is ModelState.DELETING

    system.reconcile()

    with pytest.raises(NotFound):
        show_model(of(model), ports=ports)


def test_models_are_listed_newest_first_without_those_being_deleted(
    life: ModelLife, ports: FakePorts
) -> None:
    models = [life.create() for _ in range(4)]
    delete_model(of(models[1]), ports=ports)

    first = list_models(ANA, limit=2, cursor=None, ports=ports)
    second = list_models(ANA, limit=2, cursor=first.cursor, ports=ports)

    assert [model.id for model in first.items] == [models[3].id, models[2].id]
    assert [model.id for model in second.items] == [models[0].id]
    assert second.cursor is None
    assert not list_models(BIA, limit=2, cursor=None, ports=ports).items
