"""Trainings by hand: a test says what a user does, what the provider does, and which message arrives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from revela.domain.errors import ProviderTransient
from revela.domain.job import State
from revela.domain.personal_model import PersonalModel
from revela.domain.prediction import Prediction
from revela.domain.training import Training
from revela.ports import ProviderReport, Ref
from revela.usecases.accept_training import AcceptedTraining, AcceptTraining, accept_training
from revela.usecases.cancel_training import cancel_training
from revela.usecases.finish_training import finish_training
from revela.usecases.start_training import start_training
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import ModelLife, job, of
from tests.unit.usecases.system import ANA, System

# What the functions are given; a training is packed and uploaded before it is claimed.
START_TIMEOUT = timedelta(seconds=150)
FINISH_TIMEOUT = timedelta(seconds=300)


class TrainingSystem(System):
    """Messages wait in `ports.commands` until a `deliver_…` takes them. Ana has a model with five photos."""

    def __init__(self, ports: FakePorts) -> None:
        super().__init__(ports)
        self.life = ModelLife(ports)
        self.subscribe(ANA, plan="studio", amount=2000)
        self.model = self.life.with_photos(5)
        ports.commands.take_started()

    # What users do

    def ask(self, *, key: str | None = None, **requested: Any) -> AcceptedTraining:
        return accept_training(AcceptTraining(of(self.model), requested, key), ports=self.ports)

    def train(self, **requested: Any) -> Training:
        return self.ask(**requested).training

    def cancel(self, row: Training) -> Training:
        return cancel_training(job(row), ports=self.ports)

    # What the workers do

    def begin(self, row: Training, *, time_left: timedelta = START_TIMEOUT) -> Training:
        """Deliver a start message."""
        start_training(job(row), ports=self.ports, until=self.ports.clock.now() + time_left)
        return self.now(row)

    def deliver_training_starts(self) -> None:
        for ref in self.ports.commands.take_started():
            start_training(ref, ports=self.ports, until=self.ports.clock.now() + START_TIMEOUT)

    def deliver_training_finishes(self) -> None:
        for told in self.ports.commands.take_finished():
            finish_training(told, ports=self.ports, until=self.ports.clock.now() + FINISH_TIMEOUT)

    def report(
        self,
        row: Training,
        prediction: Prediction,
        *,
        attempt: int | None = None,
        time_left: timedelta = FINISH_TIMEOUT,
    ) -> Training:
        """Deliver what the provider says, as the webhook of the latest attempt or the one named."""
        told = ProviderReport(job(row), self.now(row).attempt if attempt is None else attempt, prediction)
        finish_training(told, ports=self.ports, until=self.ports.clock.now() + time_left)
        return self.now(row)

    def when_due(self, row: Training) -> Training:
        """Let the time pass until the training is due, reconcile, and deliver what that sent."""
        due_at = self.now(row).due_at
        assert due_at is not None
        self.reconcile(after=max(due_at - self.ports.clock.now(), timedelta(0)))
        self.deliver_training_starts()
        self.deliver_training_finishes()
        return self.now(row)

    # A training taken to a state

    def running(self, **requested: Any) -> Training:
        row = self.begin(self.train(**requested))
        self.ports.commands.take_started()
        assert row.state is State.PROCESSING
        return row

    def unanswered(self, *, created: bool, **requested: Any) -> Training:
        """A training whose create was not answered; `created` tells whether the provider has it."""
        if created:
            self.ports.provider.lose_answer()
        else:
            self.ports.provider.refuse(ProviderTransient("connection reset"))
        row = self.begin(self.train(**requested))
        self.ports.commands.take_started()
        assert row.state is State.STARTING
        return row

    def done(self, row: Training) -> Prediction:
        """Let the provider end its newest training well."""
        return self.ports.provider.succeed(self.newest(row).id)

    # What is there

    def now(self, row: Training | Ref) -> Training:
        return self.ports.store.trainings[row if isinstance(row, Ref) else job(row)]

    def own_model(self) -> PersonalModel:
        return self.ports.store.models[self.model.user_id, self.model.id]

    def newest(self, row: Training) -> Prediction:
        return self.ports.provider.trainings[self.made_for(row)[-1]]

    def made_for(self, row: Training) -> list[str]:
        """Return the ids of the provider's trainings that were created for this one."""
        requests = self.ports.provider.training_requests
        return [id_ for id_, request in requests.items() if _is_for(request.webhook_url, row)]

    def kept_uploads(self) -> list[str]:
        """Return the archives that the provider still has."""
        return [id_ for id_, data in self.ports.provider.uploads.items() if data]


def _is_for(webhook_url: str | None, row: Training) -> bool:
    return f"id={row.id}&" in (webhook_url or "")
