from __future__ import annotations

from typing import Any

import pytest

from revela.domain.errors import (
    InvalidRequest,
    NoCredits,
    NotFound,
    NotInPlan,
    NotNow,
    TooMany,
    Transient,
    Unavailable,
)
from revela.domain.job import State
from revela.domain.model_health import FAILURES_MAX
from revela.domain.photo_report import TRAINABLE
from revela.domain.policy import DISPATCH_DUE
from revela.ports import ModelRef
from revela.usecases.accept_training import AcceptTraining, accept_training
from revela.usecases.delete_model import delete_model
from revela.usecases.model_health import report_failure
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import job, of
from tests.unit.usecases.system import ANA, BIA
from tests.unit.usecases.training_system import TrainingSystem
from tests.unit.usecases.trouble import meanwhile

PRICE = 250


def test_it_is_queued_with_its_price_held_and_its_photos_as_they_are(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    before = trainings.account()

    row = trainings.train(steps=1000)

    assert row.state is State.QUEUED
    assert row.due_at == ports.clock.now() + DISPATCH_DUE
    assert row.credits_held == PRICE
    assert trainings.account().held == before.held + PRICE
    assert trainings.account().trainings == 1
    assert trainings.account().running == 0
    photos = ports.photos.of(of(trainings.model))
    assert [(p.id, p.sha256) for p in row.photos] == [
        (p.id, p.facts.clean.sha256) for p in photos if p.facts is not None
    ]
    assert all(p.key in ports.objects.stored for p in row.photos)
    assert ports.commands.take_started() == [job(row)]


def test_what_was_not_asked_for_is_the_trainers_default(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.train()

    trainer = ports.catalog.trainer()
    assert (row.trainer, row.fine_tune) == (trainer.id, trainer.fine_tune)
    assert row.provider_version == trainer.provider.reference
    assert row.params == trainer.complete({})


def test_steps_decide_the_price(trainings: TrainingSystem) -> None:
    assert trainings.train(steps=2000).credits_held == 2 * PRICE


def test_another_trainer_is_taken_by_its_name(trainings: TrainingSystem) -> None:
    row = trainings.train(trainer="sdxl-lora")

    assert (row.trainer, row.fine_tune) == ("sdxl-lora", "sdxl-fine-tune")


@pytest.mark.parametrize(
    ("requested", "field", "code"),
    [
        ({"steps": 1}, "steps", "out_of_range"),
        ({"resolution": 100}, "resolution", "not_one_of"),
        ({"trainer": "nobody"}, "trainer", "not_one_of"),
        ({"colour": "blue"}, "colour", "not_taken"),
        ({"trainer": "flux-fast", "lora_rank": 8}, "lora_rank", "not_taken"),
    ],
)
def test_what_the_trainer_does_not_take_is_named_and_costs_nothing(
    trainings: TrainingSystem, requested: dict[str, Any], field: str, code: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        trainings.ask(**requested)

    assert [(p.name, p.code) for p in refused.value.invalid_params] == [(field, code)]
    assert trainings.account().held == 0


def test_too_few_photos_are_told_with_how_many_it_takes(trainings: TrainingSystem) -> None:
    trainings.model = trainings.life.with_photos(TRAINABLE - 1)

    with pytest.raises(NotNow) as refused:
        trainings.ask()

    assert refused.value.code == "too_few_photos"
    assert refused.value.args_ == {"accepted": TRAINABLE - 1, "needed": TRAINABLE}


def test_without_credits_nothing_is_accepted(trainings: TrainingSystem, ports: FakePorts) -> None:
    with pytest.raises(NoCredits):
        trainings.ask(steps=4000, batch_size=4)

    assert not ports.store.trainings


def test_a_plan_trains_so_many_at_a_time_and_makes_room_when_one_ends(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    first, *_ = [trainings.train() for _ in range(3)]

    with pytest.raises(TooMany) as refused:
        trainings.ask()
    assert refused.value.code == "too_many_trainings"

    trainings.cancel(first)
    assert trainings.train().state is State.QUEUED


def test_a_plan_without_trainings_trains_nothing(trainings: TrainingSystem) -> None:
    trainings.model = trainings.life.model(trainings.model)
    trainings.subscribe(ANA, plan="free", amount=1)

    with pytest.raises(NotInPlan):
        trainings.ask()


def test_trainings_and_images_do_not_stand_in_each_others_way(trainings: TrainingSystem) -> None:
    trainings.train()

    assert trainings.accept().state is State.QUEUED
    assert (trainings.account().running, trainings.account().trainings) == (1, 1)


def test_a_model_of_another_user_is_not_there(trainings: TrainingSystem, ports: FakePorts) -> None:
    with pytest.raises(NotFound):
        accept_training(AcceptTraining(ModelRef(BIA, trainings.model.id), {}), ports=ports)


def test_a_model_that_is_being_deleted_is_not_trained(trainings: TrainingSystem, ports: FakePorts) -> None:
    delete_model(of(trainings.model), ports=ports)

    with pytest.raises(NotNow) as refused:
        trainings.ask()
    assert refused.value.code == "model_deleting"


def test_a_model_that_is_closed_meanwhile_is_not_trained(trainings: TrainingSystem, ports: FakePorts) -> None:
    with (
        meanwhile(ports, "FakeChanges.commit", lambda: delete_model(of(trainings.model), ports=ports)),
        pytest.raises(NotNow) as refused,
    ):
        trainings.ask()

    assert refused.value.code == "model_deleting"
    assert trainings.account().held == 0
    assert not ports.store.trainings


def test_a_trainer_that_rests_is_not_sold(trainings: TrainingSystem, ports: FakePorts) -> None:
    for _ in range(FAILURES_MAX):
        report_failure("flux-lora", ports=ports)

    with pytest.raises(Unavailable) as refused:
        trainings.ask()

    assert refused.value.args_["alternatives"] == "flux-fast, sdxl-lora"


def test_the_same_key_and_body_answer_the_first_training_again(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    first = trainings.ask(key="k", steps=1000)
    again = trainings.ask(key="k", steps=1000)

    assert (first.replayed, again.replayed) == (False, True)
    assert again.training == first.training
    assert trainings.account().trainings == 1


def test_the_same_key_with_another_body_or_model_is_refused(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    trainings.ask(key="k", steps=1000)

    with pytest.raises(InvalidRequest) as refused:
        trainings.ask(key="k", steps=2000)
    assert refused.value.code == "idempotency_key_reused"

    trainings.model = trainings.life.with_photos(5)
    with pytest.raises(InvalidRequest):
        trainings.ask(key="k", steps=1000)


def test_two_requests_at_once_with_one_key_are_one_training(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    with meanwhile(ports, "FakeChanges.commit", lambda: trainings.ask(key="k")):
        late = trainings.ask(key="k")

    assert late.replayed
    assert list(ports.store.trainings) == [job(late.training)]


def test_two_requests_at_once_cannot_spend_the_same_credits(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    dear = {"steps": 4000, "batch_size": 1}  # 1000 of 2020 credits
    trainings.train(**dear)

    with (
        meanwhile(ports, "FakeChanges.commit", lambda: trainings.train(**dear)),
        pytest.raises(NoCredits),
    ):
        trainings.train(**dear)


def test_a_message_that_cannot_be_sent_is_sent_when_the_training_is_due(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    ports.commands.failure = Transient("SQS")
    row = trainings.train()
    ports.commands.failure = None

    assert trainings.when_due(row).state is State.PROCESSING
