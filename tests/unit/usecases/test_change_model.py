from __future__ import annotations

import pytest

from revela.domain.errors import InvalidRequest, NotFound, NotNow
from revela.domain.personal_model import ModelState
from revela.usecases.change_model import ChangeModel, change_model
from revela.usecases.delete_model import delete_model
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import ModelLife, of
from tests.unit.usecases.system import ANA, BIA, System
from tests.unit.usecases.trouble import dies_after, meanwhile


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="studio", amount=2000)
    return ModelLife(ports)


def test_a_name_is_changed_and_all_else_stays(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()

    after = change_model(ChangeModel(of(model), name="Ana in winter"), ports=ports)

    assert life.model(model) == after
    assert after == model.model_copy(update={"name": "Ana in winter", "version": 2})


def test_the_newest_version_is_chosen_until_the_user_chooses(life: ModelLife, ports: FakePorts) -> None:
    model = life.with_photos()
    first, second = life.train(model), life.train(model)
    assert life.model(model).chosen_version == second.training_id

    after = change_model(ChangeModel(of(model), chosen_version=first.training_id), ports=ports)

    assert after.chosen is not None
    assert after.chosen.provider_version == first.trained_version
    assert [version.id for version in after.versions] == [first.training_id, second.training_id]
    assert after.state is ModelState.READY


def test_a_version_that_the_model_does_not_have_is_refused(life: ModelLife, ports: FakePorts) -> None:
    model, other = life.trained(), life.trained()
    assert other.chosen_version is not None

    with pytest.raises(InvalidRequest) as refused:
        change_model(ChangeModel(of(model), chosen_version=other.chosen_version), ports=ports)

    (param,) = refused.value.invalid_params
    assert (param.name, param.code) == ("chosen_version", "not_one_of")
    assert life.model(model) == model


def test_a_model_that_is_closed_gone_or_anothers_is_not_changed(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()
    with pytest.raises(NotFound):
        change_model(ChangeModel(of(model.model_copy(update={"user_id": BIA})), name="x"), ports=ports)

    with (
        meanwhile(ports, "FakeChanges.commit", lambda: delete_model(of(model), ports=ports)),
        pytest.raises(NotNow) as refused,
    ):
        change_model(ChangeModel(of(model), name="x"), ports=ports)

    assert refused.value.code == "model_deleting"
    assert life.model(model).name == model.name


def test_a_photo_that_is_judged_meanwhile_takes_nothing_back(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()
    photo = life.upload(model)

    with meanwhile(ports, "FakeChanges.commit", lambda: life.check(photo)):
        change_model(ChangeModel(of(model), name="Ana in winter"), ports=ports)

    assert life.model(model).name == "Ana in winter"
    assert life.photo(photo).state.decided


def test_a_version_that_is_added_meanwhile_is_kept(life: ModelLife, ports: FakePorts) -> None:
    model = life.with_photos()
    training = life.start_training(life.accept_training(model))

    with meanwhile(ports, "FakeChanges.commit", lambda: life.finish_training(training)):
        change_model(ChangeModel(of(model), name="Ana in winter"), ports=ports)

    after = life.model(model)
    assert (after.name, after.chosen_version) == ("Ana in winter", training.training_id)


def test_whoever_died_asks_again(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()
    with dies_after(ports, "FakeChanges.commit"):
        change_model(ChangeModel(of(model), name="Ana in winter"), ports=ports)

    assert change_model(ChangeModel(of(model), name="Ana in winter"), ports=ports).name == "Ana in winter"
