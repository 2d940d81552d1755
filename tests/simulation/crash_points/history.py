"""What goes on around the processes: clients that repeat, queues that deliver again, the schedule, time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from revela.domain.errors import NotFound, NotNow, Transient
from revela.domain.job import Job, State
from revela.ports import ModelRef, Ports, ProviderReport, Ref
from revela.usecases.accept_generation import AcceptGeneration, accept_generation
from revela.usecases.accept_training import AcceptTraining, accept_training
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.cancel_training import cancel_training
from revela.usecases.delete_generation import delete_generation
from revela.usecases.finish_generation import finish_generation
from revela.usecases.finish_training import finish_training
from revela.usecases.grant_credits import GrantCredits, grant_credits
from revela.usecases.reconcile_jobs import reconcile_jobs
from revela.usecases.start_generation import start_generation
from revela.usecases.start_training import start_training
from tests.fakes import FakePorts
from tests.simulation.crash_points.breaker import Breaker, Killed
from tests.simulation.crash_points.queues import Message, Queue
from tests.unit.usecases.money import ENDED, assert_sound

# As template.yaml gives each function and queue.
API_TIMEOUT = timedelta(seconds=29)
START_TIMEOUT = timedelta(seconds=60)
FINISH_TIMEOUT = timedelta(seconds=120)
RECONCILE_TIMEOUT = timedelta(seconds=55)
START_VISIBILITY, START_BATCH = timedelta(seconds=360), 10
FINISH_VISIBILITY, FINISH_BATCH = timedelta(seconds=720), 5
TRAINING_START_TIMEOUT, TRAINING_FINISH_TIMEOUT = timedelta(seconds=180), timedelta(seconds=300)

SCHEDULE = timedelta(minutes=1)
TICK = timedelta(seconds=2)
CLIENT_WAITS = timedelta(seconds=2)
CLIENT_REPEATS = 10
# Nothing that is lost may take longer than this to be found and repaired, one fault after the other.
REST_MAX = timedelta(minutes=30)

ANA = "ana"
LIVE = frozenset(State) - ENDED

Result = TypeVar("Result")


class NoRest(AssertionError):
    """Something does not come to rest."""


class Installation(Protocol):
    """Where a history happens: the ports of a new process, and the world outside."""

    @property
    def breaker(self) -> Breaker: ...

    def now(self) -> datetime: ...

    def new_process(self) -> Ports:
        """Return ports that remember nothing of the processes before."""

    def pass_time(self, by: timedelta) -> None:
        """Let the provider go on, and its webhooks arrive."""

    def take_sent(self) -> tuple[list[Ref], list[ProviderReport]]:
        """Return the messages to start and to finish that were sent since."""

    def rows(self) -> Iterable[Job]:
        """Return every job, of either kind."""

    def put_model(self) -> ModelRef:
        """Have a personal model of Ana's be there, its photos accepted."""

    def put_trained_model(self) -> ModelRef:
        """Have one be there that images can be made with."""

    def models(self) -> Iterable[ModelRef]:
        """Return every personal model that is not gone."""

    def stored(self) -> FakePorts:
        """Return ports that hold all that is stored."""

    def predictions(self) -> Mapping[str, bool]:
        """Tell of each prediction, by id, whether it is over."""

    def slow_down_provider(self) -> None: ...

    def fail_next_prediction(self, error: str) -> None: ...

    def lose_webhooks(self) -> None: ...

    def slow_down_judges(self) -> None:
        """Have them answer only when they are asked again."""

    def let_another_application_predict(self) -> None:
        """Let someone else use the same account at the provider."""


@dataclass
class Refusals:
    sent: int = 0
    answered: int = 0


class History:
    """`accepted`: jobs by idempotency key. `deleted`: by id, as they were before.

    `late_creates`: predictions that the provider made after it was asked for others in their place.
    `refusals`: requests that the API refused for their prompt, sent and answered. `closed`: models that
    were deleted, or whose consent was withdrawn. `rested_at`: when the last job came to its end.
    """

    def __init__(self, on: Installation) -> None:
        self.on = on
        self.starts: Queue[Ref] = Queue(START_VISIBILITY, START_BATCH)
        self.finishes: Queue[ProviderReport] = Queue(FINISH_VISIBILITY, FINISH_BATCH)
        self.accepted: dict[str, Ref] = {}
        self.deleted: dict[str, Job] = {}
        self.late_creates = 0
        self.refusals = Refusals()
        self.closed: set[ModelRef] = set()
        self.last_asked_at = self.rested_at = on.now()
        self._schedule_at = on.now()

    # What users and operators do

    def accept(self, key: str, **requested: object) -> Ref:
        """Ask for an image, again under the same key until there is an answer."""
        fields = {"model": "flux-schnell", "prompt": "a lighthouse", "num_outputs": 1} | requested
        command = AcceptGeneration(ANA, fields, idempotency_key=key)
        generation = self.ask("accept", lambda ports: accept_generation(command, ports=ports).generation)
        self.accepted[key] = Ref(generation.user_id, generation.id)
        return self.accepted[key]

    def train(self, key: str, model: ModelRef) -> Ref:
        """Ask for a training, again under the same key until there is an answer."""
        command = AcceptTraining(model, {"trainer": "flux-fast"}, idempotency_key=key)
        training = self.ask("accept training", lambda ports: accept_training(command, ports=ports).training)
        self.accepted[key] = Ref(training.user_id, training.id)
        return self.accepted[key]

    def cancel(self, ref: Ref) -> None:
        """Cancel; who is told that it is too late has not been told so of a job that was not begun."""

        def ask(ports: Ports) -> bool:
            try:
                (cancel_training if ref.of_training else cancel_generation)(ref, ports=ports)
            except NotNow:
                return False
            return True

        if not self.ask("cancel training" if ref.of_training else "cancel", ask):
            assert self.row(ref).state not in (State.WAITING, State.QUEUED)

    def delete(self, ref: Ref) -> None:
        """Delete; who was not answered looks again after a while, when others may have gone on with it."""

        def ask(ports: Ports) -> None:
            with suppress(NotFound):  # others were faster, or the answer was lost
                delete_generation(ref, ports=ports)

        row = self.row(ref)
        self.ask("delete", ask, timedelta(minutes=6))
        self.deleted[ref.id] = row

    def upgrade(self, plan: str) -> None:
        order = GrantCredits(ANA, f"order-{plan}", credits=500, plan=plan)
        self.ask("grant", lambda ports: grant_credits(order, ports=ports))

    def ask(self, flow: str, ask: Callable[[Ports], Result], wait: timedelta = CLIENT_WAITS) -> Result:
        """Let a client ask, again after a while until there is an answer."""
        self.last_asked_at = self.on.now()
        for _ in range(CLIENT_REPEATS):
            try:
                return self._process(flow, API_TIMEOUT, lambda ports, _: ask(ports))
            except (Killed, Transient):
                self.pass_time(wait)
        raise NoRest(f"{flow} was never answered")

    # Time

    def pass_time(self, by: timedelta) -> None:
        until = self.on.now() + by
        while self.on.now() < until:
            self._tick()

    def until(self, ref: Ref, state: State) -> None:
        """Let time pass until the job is in that state, or has ended otherwise."""
        begun = self.on.now()
        while self.row(ref).state not in (state, *ENDED):
            self._check_time(begun)
            self._tick()

    def come_to_rest(self) -> None:
        """Let time pass until every job has ended, and deliver what is still on its way."""
        begun = self.on.now()
        while any(row.state in LIVE for row in self.rows()):
            self._check_time(begun)
            self._tick()
        self.rested_at = self.on.now()
        while not all(self.on.predictions().values()) or self._some_model_is_left():
            self._check_time(begun)
            self._tick()
        while next_at := min((at for at in (self.starts.next_at, self.finishes.next_at) if at), default=None):
            self.on.pass_time(max(next_at - self.on.now(), timedelta(0)))
            self._deliver()

    # What is there

    def rows(self) -> list[Job]:
        return list(self.on.rows())

    def row(self, ref: Ref) -> Job:
        return next(row for row in self.rows() if row.id == ref.id)

    @property
    def repaired_in(self) -> timedelta:
        """Return how long after the last fault, or the last thing asked for, the last job ended."""
        broken_at = self.on.breaker.last_broken_at or self.last_asked_at
        return max(self.rested_at - max(broken_at, self.last_asked_at), timedelta(0))

    @property
    def orphans(self) -> int:
        """Return how many predictions no job settled, and none gave up for a new attempt."""
        rows = self.rows()
        settled = {row.prediction_id for row in rows if row.prediction_id is not None}
        # A deleted row took its prediction along.
        given_up = len(self.deleted) + sum(row.failures for row in rows)
        return len(set(self.on.predictions()) - settled) - given_up

    # Below

    def _tick(self) -> None:
        self.on.pass_time(TICK)
        self._deliver()
        if self.on.now() >= self._schedule_at:
            self._schedule_at = self.on.now() + SCHEDULE
            with suppress(Killed, Transient):  # the next minute's run does the same work
                self._process("reconcile", RECONCILE_TIMEOUT, _reconcile)
            self._deliver()

    def _deliver(self) -> None:
        self._post()
        while batch := self.starts.take(self.on.now()):
            self._deliver_starts([message for message in batch if not message.body.of_training])
            for message in batch:
                if message.body.of_training:
                    self._deliver_training_start(message)
            self._post()
        while told := self.finishes.take(self.on.now()):
            self._deliver_finishes([message for message in told if not message.body.ref.of_training])
            for report in told:
                if report.body.ref.of_training:
                    self._deliver_training_finish(report)
            self._post()

    def _deliver_starts(self, batch: Sequence[Message[Ref]]) -> None:
        refs = [message.body for message in batch]
        if not refs:
            return

        def work(ports: Ports, until: datetime) -> list[Ref]:
            return start_generation(refs, ports=ports, until=until)

        try:
            again = self._process("start", START_TIMEOUT, work)
        except (Killed, Transient):
            again = refs
        for message in batch:
            if message.body not in again:
                self.starts.delete(message)

    def _deliver_finishes(self, batch: Sequence[Message[ProviderReport]]) -> None:
        done: list[Message[ProviderReport]] = []
        if not batch:
            return

        def work(ports: Ports, until: datetime) -> None:
            for message in batch:
                with suppress(Transient):
                    finish_generation(message.body, ports=ports, until=until)
                    done.append(message)

        try:
            self._process("finish", FINISH_TIMEOUT, work)
        except Killed:
            return  # who dies has acknowledged nothing
        for message in done:
            self.finishes.delete(message)

    def _deliver_training_start(self, message: Message[Ref]) -> None:
        def work(ports: Ports, until: datetime) -> None:
            start_training(message.body, ports=ports, until=until)

        with suppress(Killed, Transient):
            self._process("start training", TRAINING_START_TIMEOUT, work)
            self.starts.delete(message)

    def _deliver_training_finish(self, message: Message[ProviderReport]) -> None:
        def work(ports: Ports, until: datetime) -> None:
            finish_training(message.body, ports=ports, until=until)

        with suppress(Killed, Transient):
            self._process("finish training", TRAINING_FINISH_TIMEOUT, work)
            self.finishes.delete(message)

    def _post(self) -> None:
        """Put what was sent into its queue."""
        starts, finishes = self.on.take_sent()
        for ref in starts:
            self.starts.put(ref, self.on.now())
        for told in finishes:
            self.finishes.put(told, self.on.now())

    def _process(self, flow: str, timeout: timedelta, work: Callable[[Ports, datetime], Result]) -> Result:
        ends_at = self.on.now() + timeout
        try:
            with self.on.breaker.process(flow, ends_at):
                return work(self.on.new_process(), ends_at)
        except (Killed, Transient):
            # What a process leaves behind is sound at once, not only when it has been repaired.
            assert_sound(self.on.stored())
            raise

    def _some_model_is_left(self) -> bool:
        """Tell whether a model that was closed is not gone yet."""
        return bool(self.closed) and not self.closed.isdisjoint(self.on.models())

    def _check_time(self, begun: datetime) -> None:
        if self.on.now() - begun > REST_MAX:
            raise NoRest(f"{[(row.id, row.state.value) for row in self.rows()]}")


def _reconcile(ports: Ports, until: datetime) -> int:
    return reconcile_jobs(ports=ports, until=until)
