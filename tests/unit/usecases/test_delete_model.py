from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from revela.domain.errors import NotFound, NotNow, ProviderRejected, ProviderTransient, Transient
from revela.domain.job import State
from revela.domain.personal_model import ModelState, PersonalModel
from revela.domain.policy import DELETING_DUE
from revela.domain.training import Training
from revela.usecases.accept_training import AcceptTraining, accept_training
from revela.usecases.delete_model import delete_model, resume_deletion
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import ModelLife, job, of
from tests.unit.usecases.system import ANA, BIA, System
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="studio", amount=2000)
    return ModelLife(ports)


def gone(model: PersonalModel, ports: FakePorts) -> bool:
    """Tell whether nothing of the model is stored any more, in rows or in the bucket."""
    rows = [*ports.store.models, *ports.store.photos, *((r.user_id, r.id) for r in ports.store.trainings)]
    left = [key for key in rows if key[1].startswith(model.id)]
    return not left and not any(model.id in key for key in ports.objects.stored)


def close(model: PersonalModel, ports: FakePorts) -> PersonalModel:
    return delete_model(of(model), ports=ports)


# Closing


def test_a_deleted_model_is_closed_at_once_and_due(life: ModelLife, ports: FakePorts) -> None:
    model = life.with_photos(1)

    closed = close(model, ports)

    assert (closed.state, closed.due_at) == (ModelState.DELETING, ports.clock.now())
    assert life.model(model) == closed


def test_deleting_again_changes_nothing(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()
    closed = close(model, ports)
    ports.clock.advance(timedelta(seconds=30))

    assert close(model, ports) == closed


def test_what_is_gone_or_anothers_is_not_found(life: ModelLife, system: System, ports: FakePorts) -> None:
    model = life.create()
    with pytest.raises(NotFound):
        close(model.model_copy(update={"user_id": BIA}), ports)
    close(model, ports)
    system.reconcile()

    with pytest.raises(NotFound):
        close(model, ports)


def test_a_model_that_is_written_meanwhile_is_closed_all_the_same(life: ModelLife, ports: FakePorts) -> None:
    model = life.create()
    photo = life.upload(model)

    with meanwhile(ports, "FakeChanges.commit", lambda: life.check(photo)):
        close(model, ports)

    assert life.model(model).state is ModelState.DELETING


# Deleting


def test_rows_files_and_the_version_at_the_provider_go(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.with_photos()
    first, second = life.train(model), life.train(model)
    life.checked(model, b"not a picture")
    life.request(model)
    ports.objects.put_bytes(f"{second.weights_prefix}trained_model.tar", b"w", content_type="x")
    life.upload(model)
    close(model, ports)

    system.reconcile()

    assert gone(model, ports)
    assert sorted(ports.provider.deleted_versions) == sorted(
        version for version in (first.trained_version, second.trained_version) if version is not None
    )
    assert len(ports.provider.deleted_versions) == 2
    assert ports.telemetry.counts["ModelsDeleted"] == 1


def test_other_models_and_images_made_with_it_stay(life: ModelLife, system: System, ports: FakePorts) -> None:
    model, other = life.trained(), life.trained()
    image = life.generate(model)
    image = system.started(image)
    image = system.hear(image, ports.provider.succeed(system.prediction(image).id))
    close(model, ports)

    system.reconcile()

    assert gone(model, ports)
    assert not gone(other, ports)
    assert len(ports.photos.of(of(other))) == 5
    assert system.row(image).outputs
    assert other.chosen is not None
    assert other.chosen.provider_version not in ports.provider.deleted_versions


def test_thirty_photos_and_two_hundred_rejected_ones_go(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.create()
    for _ in range(120):
        life.checked(model, b"not a picture")
    life.request(model, *["image/jpeg"] * 30)
    close(model, ports)

    system.reconcile()

    assert gone(model, ports)


def test_the_account_keeps_what_was_paid_and_gets_its_place_back(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.trained()
    before = system.account()
    close(model, ports)
    system.reconcile()

    after = system.account()
    assert (after.spent, after.available, after.held) == (before.spent, before.available, 0)
    assert life.create(trigger_word=model.trigger_word).trigger_word == model.trigger_word


# What is under way


def test_what_waits_and_is_queued_is_canceled_before_anything_is_deleted(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.trained()
    images = [life.generate(model) for _ in range(9)]  # one more than the plan has at once
    training = life.accept_training(model)
    close(model, ports)

    system.reconcile()

    assert life.exists(model)
    assert not ports.provider.deleted_versions
    assert {system.row(image).state for image in images} == {State.CANCELED}
    assert ports.store.trainings[job(training)].state is State.CANCELED
    assert (system.account().held, system.account().running, system.account().waiting) == (0, 0, 0)
    system.reconcile(after=DELETING_DUE)
    assert gone(model, ports)


def test_what_runs_at_the_provider_is_canceled_there_and_waited_for(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.trained()
    image = system.started(life.generate(model))
    training = life.start_training(life.accept_training(model))
    close(model, ports)

    system.reconcile()

    assert life.exists(model)
    assert not ports.provider.deleted_versions
    assert system.row(image).cancel_requested_at is not None
    assert ports.store.trainings[job(training)].cancel_requested_at is not None

    for _ in range(3):
        system.reconcile(after=DELETING_DUE)
        life.deliver()
    assert system.row(image).state is State.CANCELED
    assert gone(model, ports)


def test_an_image_that_is_being_saved_is_waited_for_and_kept(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.trained()
    image = system.started(life.generate(model))
    done = ports.provider.succeed(system.prediction(image).id)
    system.hear(image, done, time_left=timedelta(0))
    close(model, ports)
    system.reconcile()
    assert not ports.provider.deleted_versions

    ports.clock.advance(DELETING_DUE)
    assert system.hear(image, done).state is State.SUCCEEDED
    system.reconcile()

    assert gone(model, ports)


def test_a_job_that_moves_back_while_it_is_looked_for_is_not_missed(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.trained()
    image = system.started(life.generate(model))

    def fail_for_now() -> None:
        failed = ports.provider.fail(system.prediction(image).id, "CUDA out of memory")
        assert system.hear(image, failed).state.live

    close(model, ports)
    with meanwhile(ports, "FakeGenerations.live_of", fail_for_now):
        resume_deletion(of(model), ports=ports)

    assert life.exists(model)
    assert not ports.provider.deleted_versions


def test_a_training_that_succeeds_for_a_closed_model_costs_nothing_and_its_version_goes(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.with_photos()
    training = life.start_training(life.accept_training(model))
    close(model, ports)

    ended = life.finish_training(training)
    system.reconcile()

    assert (ended.state, ended.credits_charged) == (State.CANCELED, 0)
    assert ports.provider.deleted_versions == [ended.trained_version]
    assert gone(model, ports)


# Nothing starts for a closed model


@pytest.mark.parametrize("what", ["generation", "training"])
def test_what_is_accepted_while_the_model_is_closed_is_refused(
    life: ModelLife, system: System, ports: FakePorts, what: str
) -> None:
    model = life.trained()
    held = system.account().held

    def ask() -> Any:
        if what == "generation":
            return life.generate(model)
        return accept_training(AcceptTraining(of(model), {}), ports=ports)

    with (
        meanwhile(ports, "FakeChanges.commit", lambda: close(model, ports)),
        pytest.raises(NotNow) as refused,
    ):
        ask()

    assert refused.value.code == "model_deleting"
    assert system.account().held == held
    with pytest.raises(NotNow):
        ask()


def test_what_was_accepted_just_before_is_canceled(life: ModelLife, system: System, ports: FakePorts) -> None:
    model = life.trained()
    accepted: list[Training] = []

    with meanwhile(ports, "FakeChanges.commit", lambda: accepted.append(life.accept_training(model))):
        close(model, ports)
    system.reconcile()

    assert ports.store.trainings[job(accepted[0])].state is State.CANCELED
    system.reconcile(after=DELETING_DUE)
    assert gone(model, ports)


# Trouble


@pytest.mark.parametrize("dies", [dies_before, dies_after])
@pytest.mark.parametrize(
    ("call", "nth"),
    [
        ("FakeTrainings.page", 1),
        ("FakeGenerations.live_of", 1),
        ("FakeModels.get", 1),
        ("FakeProvider.delete_version", 1),
        ("FakeProvider.delete_version", 2),
        ("FakeObjects.delete_prefix", 1),
        ("FakeObjects.delete_prefix", 2),
        ("FakeObjects.delete_prefix", 3),
        ("FakePhotos.of", 1),
        ("FakeChanges.commit", 1),
        ("FakeTrainings.remove", 1),
        ("FakeTrainings.remove", 2),
        ("FakeChanges.commit", 2),
    ],
)
def test_wherever_the_process_dies_the_next_run_finishes(
    life: ModelLife,
    system: System,
    ports: FakePorts,
    dies: Callable[..., AbstractContextManager[None]],
    call: str,
    nth: int,
) -> None:
    model = life.with_photos()
    life.train(model)
    life.train(model)
    close(model, ports)
    with dies(ports, call, nth=nth):
        resume_deletion(of(model), ports=ports)

    system.reconcile(after=DELETING_DUE)

    assert gone(model, ports)
    assert len(set(ports.provider.deleted_versions)) == 2


@pytest.mark.parametrize(
    "failure", [ProviderTransient("503"), ProviderRejected("the version is in use")], ids=["away", "refused"]
)
def test_a_version_that_cannot_be_deleted_now_keeps_all_the_rest_until_it_can(
    life: ModelLife, system: System, ports: FakePorts, failure: Exception
) -> None:
    model, other = life.trained(), life.create()
    close(model, ports)
    close(other, ports)
    ports.provider.failures.append(failure)

    system.reconcile()

    assert life.exists(model)
    assert gone(other, ports)
    assert len(ports.photos.of(of(model))) == 5
    assert ports.telemetry.events("warning").count("delete_failed") == 1
    system.reconcile(after=DELETING_DUE)
    assert gone(model, ports)


def test_while_the_bucket_is_away_the_rows_stay(life: ModelLife, system: System, ports: FakePorts) -> None:
    model = life.with_photos(2)
    close(model, ports)
    ports.objects.failure = Transient("the bucket is away")
    system.reconcile()
    assert len(ports.photos.of(of(model))) == 2
    ports.objects.failure = None

    system.reconcile(after=DELETING_DUE)

    assert gone(model, ports)


def test_two_runs_at_once_delete_it_once(life: ModelLife, system: System, ports: FakePorts) -> None:
    model = life.with_photos(2)
    close(model, ports)

    with meanwhile(ports, "FakePhotos.of", lambda: resume_deletion(of(model), ports=ports)):
        resume_deletion(of(model), ports=ports)

    assert gone(model, ports)


def test_a_photo_that_is_judged_during_the_deletion_leaves_nothing(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.with_photos(1)
    late = life.upload(model)
    close(model, ports)

    def upload_once_more() -> None:
        life.post(late)
        life.check(late)

    with meanwhile(ports, "FakeChanges.commit", upload_once_more):
        resume_deletion(of(model), ports=ports)
    assert life.exists(model)
    assert not life.files()

    system.reconcile(after=DELETING_DUE)
    assert gone(model, ports)


def test_reconcile_claims_its_visit_so_that_two_runs_do_not_meet(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.trained()
    close(model, ports)

    with meanwhile(ports, "FakeChanges.commit", system.reconcile):
        system.reconcile()

    assert gone(model, ports)
    assert len(ports.provider.deleted_versions) == 1
