"""The system by hand: a test says what a user does, what the provider does, and which message arrives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from revela.domain.account import Account
from revela.domain.errors import ProviderTransient, Transient
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.prediction import Prediction
from revela.ports import CreatePrediction, ProviderReport, Ref
from revela.usecases.accept_generation import AcceptGeneration, accept_generation
from revela.usecases.finish_generation import finish_generation
from revela.usecases.grant_credits import GrantCredits, grant_credits
from revela.usecases.reconcile_jobs import reconcile_jobs
from revela.usecases.start_generation import start_generation
from tests.fakes import FakePorts

ANA, BIA = "ana", "bia"
# As template.yaml gives each function.
START_TIMEOUT = timedelta(seconds=60)
FINISH_TIMEOUT = timedelta(seconds=120)
RECONCILE_TIMEOUT = timedelta(seconds=55)
# Past every `due_at` that a job without trouble can have, and far below the provider's hour.
ALL_DUE = timedelta(minutes=10)


def ref(row: Generation) -> Ref:
    return Ref(row.user_id, row.id)


class System:
    """Messages wait in `ports.commands` until a `deliver_…` takes them."""

    def __init__(self, ports: FakePorts) -> None:
        self.ports = ports

    # What users and operators do

    def subscribe(self, user_id: str = ANA, *, plan: str = "essential", amount: int = 300) -> Account:
        return grant_credits(
            GrantCredits(user_id, f"order-{plan}-{amount}", credits=amount, plan=plan), ports=self.ports
        )

    def accept(self, user_id: str = ANA, *, key: str | None = None, **requested: Any) -> Generation:
        fields = {"model": "flux-schnell", "prompt": "a lighthouse", "num_outputs": 1} | requested
        command = AcceptGeneration(user_id, fields, idempotency_key=key)
        return accept_generation(command, ports=self.ports).generation

    # What the workers do

    def start(self, *rows: Generation, time_left: timedelta = START_TIMEOUT) -> list[Ref]:
        """Deliver a batch of start messages; return what is to be delivered again."""
        until = self.ports.clock.now() + time_left
        return start_generation([ref(row) for row in rows], ports=self.ports, until=until)

    def deliver_starts(self) -> None:
        if refs := self.ports.commands.take_started():
            assert not self.start(*(self.row(at) for at in refs))

    def tell(
        self, at: Ref, prediction: Prediction, *, attempt: int, time_left: timedelta = FINISH_TIMEOUT
    ) -> None:
        """Deliver what the provider says of a prediction, as the webhook of `attempt`."""
        until = self.ports.clock.now() + time_left
        finish_generation(ProviderReport(at, attempt, prediction), ports=self.ports, until=until)

    def hear(
        self, row: Generation, prediction: Prediction, *, time_left: timedelta = FINISH_TIMEOUT
    ) -> Generation:
        """Deliver what the provider says of a prediction, as the webhook of the latest attempt."""
        self.tell(ref(row), prediction, attempt=self.row(row).attempt, time_left=time_left)
        return self.row(row)

    def deliver_finishes(self) -> None:
        for told in self.ports.commands.take_finished():
            finish_generation(told, ports=self.ports, until=self.ports.clock.now() + FINISH_TIMEOUT)

    def reconcile(self, *, after: timedelta = timedelta(0)) -> int:
        now = self.ports.clock.advance(after)
        return reconcile_jobs(ports=self.ports, until=now + RECONCILE_TIMEOUT)

    def until_due(self, row: Generation) -> None:
        """Let the time pass until the job is due, and reconcile."""
        due_at = self.row(row).due_at
        assert due_at is not None
        self.reconcile(after=max(due_at - self.ports.clock.now(), timedelta(0)))

    # A job taken to a state

    def processing(self, user_id: str = ANA, **requested: Any) -> Generation:
        return self.started(self.accept(user_id, **requested))

    def started(self, row: Generation) -> Generation:
        self.ports.commands.take_started()
        assert not self.start(row)
        return self.row(row)

    def starting(self, user_id: str = ANA, *, created: bool, **requested: Any) -> Generation:
        """A job whose create was not answered; `created` tells whether the provider has it."""
        row = self.accept(user_id, **requested)
        if created:
            self.ports.provider.lose_answer()
        else:
            self.ports.provider.refuse(ProviderTransient("connection reset"))
        return self.started(row)

    def saving(self, user_id: str = ANA, **requested: Any) -> Generation:
        """A job whose saving was delayed, its lease given back."""
        row = self.processing(user_id, **requested)
        done = self.ports.provider.succeed(self.prediction(row).id)
        self.ports.objects.failure = Transient("the bucket is away")
        row = self.hear(row, done)
        self.ports.objects.failure = None
        assert row.state is State.SAVING
        return row

    def judging(self, user_id: str = ANA, **requested: Any) -> Generation:
        """A job whose images wait in quarantine for a judge that takes its time."""
        row = self.processing(user_id, **requested)
        self.ports.image_judge.slow = True
        row = self.hear(row, self.ports.provider.succeed(self.prediction(row).id))
        assert row.state is State.JUDGING
        return row

    def succeeded(self, user_id: str = ANA, **requested: Any) -> Generation:
        row = self.processing(user_id, **requested)
        return self.hear(row, self.ports.provider.succeed(self.prediction(row).id))

    # What is there

    def row(self, row: Generation | Ref) -> Generation:
        return self.ports.store.generations[row if isinstance(row, Ref) else ref(row)]

    def account(self, user_id: str = ANA) -> Account:
        return self.ports.store.accounts[user_id]

    def prediction(self, row: Generation) -> Prediction:
        """Return the newest prediction that was created for the generation."""
        return self.predictions(row)[-1]

    def predictions(self, row: Generation) -> list[Prediction]:
        return [
            self.ports.provider.predictions[id_]
            for id_, request in self.ports.provider.requests.items()
            if _is_for(request, row)
        ]


def _is_for(request: CreatePrediction, row: Generation) -> bool:
    return f"id={row.id}&" in (request.webhook_url or "")
