from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from revela.adapters.webhook_urls import SignedWebhookUrls
from revela.domain.errors import Refused, Transient
from revela.domain.generation import Generation
from revela.domain.policy import IDEMPOTENCY_KEPT
from revela.ports import ProviderReport, Ref
from revela.usecases.accept_generation import Accepted, AcceptGeneration, accept_generation
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.delete_generation import delete_generation
from revela.usecases.finish_generation import finish_generation
from revela.usecases.grant_credits import GrantCredits, grant_credits
from revela.usecases.reconcile_jobs import reconcile_jobs
from revela.usecases.start_generation import start_generation
from tests.fakes import FakeEntropy, FakePorts
from tests.fakes.ports import POLICIES
from tests.simulation.history import Judge
from tests.simulation.model_history import ModelJudge
from tests.simulation.model_users import ModelUsers
from tests.simulation.model_workers import ModelWorkers
from tests.simulation.processes import Chances, Outcome, Processes, expect
from tests.simulation.provider import SimulatedReplicate
from tests.simulation.queue import Queue, Received
from tests.simulation.webhooks import URL_KEY, Webhooks
from tests.unit.usecases.model_life import ModelLife
from tests.unit.usecases.money import ENDED

# As template.yaml gives each function, and each queue's visibility.
API_TIMEOUT = timedelta(seconds=29)
START_TIMEOUT, START_VISIBILITY = timedelta(seconds=60), timedelta(seconds=360)
FINISH_TIMEOUT, FINISH_VISIBILITY = timedelta(seconds=120), timedelta(seconds=720)
RECONCILE_TIMEOUT = timedelta(seconds=55)
START_BATCH, FINISH_BATCH = 10, 5
MINUTE = timedelta(minutes=1)

PLANS = {"ana": "free", "bia": "essential", "caio": "pro", "davi": "studio", "eva": "developer"}
# A training costs 125: some can have many, some soon cannot pay another.
WELCOME = {"ana": 300, "bia": 500, "caio": 800, "davi": 1500, "eva": 1500}
MODELS = ("flux-schnell", "flux-dev", "sdxl")
# Past a queue's age.
LONG_BLOCK = timedelta(hours=26)
# Calls that a process makes, at most, before something else happens in the world.
BURST = 40


class Day(NamedTuple):
    """How bad a day it is: decided by the seed, the same for the whole history."""

    requests_fail: float  # of the requests to Replicate, and how many fates are bad
    invocations_fail: float  # of all invocations, at any of their calls to AWS
    messages_stray: float  # of the messages and webhooks: lost, doubled, late
    silent: bool  # no webhook ever arrives
    skew_max: timedelta

    @classmethod
    def of(cls, chance: random.Random) -> Day:
        requests, invocations, messages = (0.01 * 20 ** chance.random() for _ in range(3))
        skew_max = timedelta(seconds=chance.uniform(0, 4))
        return cls(requests, invocations, messages, chance.random() < 0.15, skew_max)

    @property
    def chances(self) -> Chances:
        # An invocation makes some ten calls, and each may fail in four ways.
        per_call = self.invocations_fail / 10 / 4
        return Chances(
            overtaken=0.4,
            stalled=self.invocations_fail / 10,
            killed=per_call,
            aws=per_call,
            provider=self.requests_fail / 2,
            twins=self.messages_stray,
            skew_max=self.skew_max,
        )


class World:
    """One installation with its users and its provider; one seed decides everything that happens."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.day = Day.of(self.chance)
        policies = replace(POLICIES, copies_weights=self.chance.random() < 0.5)
        self.ports = FakePorts(entropy=FakeEntropy(seed), policies=policies)
        clock, calls = self.ports.clock, self.ports.calls
        self.provider = SimulatedReplicate(
            calls,
            self.chance,
            clock=clock,
            skew=self.day.skew_max * self.chance.uniform(-1, 1),
            outputs=self.ports.outputs,
        )
        self.ports.provider = self.provider
        base = None if self.day.silent else "https://api.test"
        self.ports.webhook_urls = SignedWebhookUrls(base, lambda: URL_KEY)  # type: ignore[assignment]  # a port
        self.judge = Judge(self.ports, self.provider)
        self.judge.watch()
        self.model_judge = ModelJudge(self.ports, self.provider)
        self.model_judge.watch()
        self.provider.on_deletion = self.judge.judge_deletion
        self.processes = Processes(self.ports, self.chance)
        self.starts: Queue[Ref] = Queue(clock, self.chance, visibility=START_VISIBILITY)
        self.finishes: Queue[ProviderReport] = Queue(clock, self.chance, visibility=FINISH_VISIBILITY)
        self.webhooks = Webhooks(self.ports, self.chance, self.provider, self.processes, self._heard)
        self.workers = ModelWorkers(self.ports, self.chance, self.processes)
        users = tuple(PLANS)
        self.users = ModelUsers(self.ports, self.chance, self._api, self.workers.photos.put, users=users)
        self.happened: list[str] = []
        self._accepted: dict[tuple[str, str], Generation] = {}
        self._next_schedule = clock.now()
        self._actions: dict[Callable[[], None], int] = {
            self.someone_asks: 20,
            self.someone_cancels: 6,
            self.someone_deletes: 4,
            self.an_operator_grants: 2,
            self.a_start_batch_arrives: 18,
            self.finish_messages_arrive: 18,
            self.time_passes: 30,
            self.webhooks.forge: 1,
            self.the_weather_changes: 4,
            self.the_door_closes: 2,
            self.users.someone_creates_a_model: 3,
            self.users.someone_uploads_photos: 7,
            self.users.someone_trains: 6,
            self.users.someone_cancels_a_training: 1,
            self.users.someone_deletes_a_photo: 2,
            self.users.someone_deletes_a_model: 2,
        }
        for user_id, plan in PLANS.items():
            grant_credits(GrantCredits(user_id, "welcome", WELCOME[user_id], plan=plan), ports=self.ports)
        life = ModelLife(self.ports)
        for user_id in ("caio", "davi", "eva"):
            life.with_photos(user_id=user_id)

    # Trouble

    def begin_trouble(self) -> None:
        day = self.day
        self.processes.chances = day.chances
        self.provider.trouble = day.requests_fail
        self.webhooks.lost = self.webhooks.doubled = day.messages_stray
        self.users.lost = day.messages_stray
        for queue in self.queues:
            queue.doubled = queue.late = day.messages_stray

    def end_trouble(self) -> None:
        self.processes.chances = Chances()
        self.provider.clear_up()
        self.webhooks.lost = self.webhooks.doubled = 0.0
        self.webhooks.closed_until = self.ports.clock.now()
        self.users.lost = 0.0
        for queue in self.queues:
            queue.doubled = queue.late = 0.0

    def the_weather_changes(self) -> None:
        if self.chance.random() < 0.2 + 4 * self.day.requests_fail:
            self.provider.change_weather()

    def the_door_closes(self) -> None:
        if self.chance.random() < 0.2 + 4 * self.day.messages_stray:
            self.webhooks.closed_until = self.ports.clock.now() + timedelta(
                minutes=self.chance.uniform(1, 12)
            )

    # What happens

    def step(self) -> None:
        """Let one more thing happen, whatever else is going on, and processes go on for a while."""
        (action,) = self.chance.choices(list(self._actions), list(self._actions.values()))
        self.happened.append(action.__name__)
        action()
        for _ in range(self.chance.randrange(BURST)):
            if not self.processes.go_on():
                break
            self._flow(self.chance.uniform(0, 0.05))
        self._let_messages_travel()

    def someone_asks(self) -> None:
        user_id = self.chance.choice(list(PLANS))
        key = f"key-{self.chance.randrange(40)}" if self.chance.random() < 0.5 else None
        own = self.users.trained_model_of(user_id) if key is None and self.chance.random() < 0.6 else None
        # The key decides the body, so that a repeated key is a repeated request; few seeds make twins.
        details = random.Random(key or self.chance.random())
        requested = {
            "model": details.choice(MODELS) if own is None else own.id,
            "prompt": "a lighthouse",
            "num_outputs": details.randint(1, 2),
            "seed": details.randrange(3),
        }
        command = AcceptGeneration(user_id, requested, idempotency_key=key)

        def then(outcome: Outcome[Accepted]) -> None:
            expect(outcome, Refused)
            if outcome.result is not None and key is not None:
                given = outcome.result.generation
                first = self._accepted.setdefault((user_id, key), given)
                # A key is remembered for a day.
                if given.created_at - first.created_at >= IDEMPOTENCY_KEPT - MINUTE:
                    self._accepted[user_id, key] = given
                else:
                    assert given.id == first.id, f"{user_id} was given two generations for {key}"

        self._api("accept", lambda ports: accept_generation(command, ports=ports), then)

    def someone_cancels(self) -> None:
        if row := self._some_row():
            ref = Ref(row.user_id, row.id)
            self._api("cancel", lambda ports: cancel_generation(ref, ports=ports))

    def someone_deletes(self) -> None:
        if row := self._some_row():
            ref = Ref(row.user_id, row.id)
            self._api("delete", lambda ports: delete_generation(ref, ports=ports))

    def an_operator_grants(self) -> None:
        # Some lapse while the jobs that they pay are running.
        lives = timedelta(minutes=self.chance.choice((1, 5, 30, 600)) * self.chance.uniform(0.5, 2))
        command = GrantCredits(
            self.chance.choice(list(PLANS)),
            f"promo-{self.chance.randrange(8)}",
            20,
            source="promotion",
            expires_at=self.ports.clock.now() + lives,
        )
        self._api("grant", lambda ports: grant_credits(command, ports=ports))

    # Workers

    def a_start_batch_arrives(self) -> None:
        batch = self.starts.take(self.chance.randint(1, START_BATCH))

        def then(outcome: Outcome[list[Ref]]) -> None:
            expect(outcome)
            again = [r.message for r in batch] if outcome.result is None else outcome.result
            for received in batch:
                if received.message in again:
                    self.starts.give_back(received)

        def work(ports: FakePorts, until: datetime) -> list[Ref]:
            return start_generation([r.message for r in batch], ports=ports, until=until)

        if batch:
            self.processes.spawn("start", work, timeout=START_TIMEOUT, then=then)

    def finish_messages_arrive(self) -> None:
        batch = self.finishes.take(self.chance.randint(1, FINISH_BATCH))

        def work(ports: FakePorts, until: datetime) -> list[Received[ProviderReport]]:
            failed = []
            for received in batch:
                try:
                    finish_generation(received.message, ports=ports, until=until)
                except Transient:
                    failed.append(received)
            return failed

        def then(outcome: Outcome[list[Received[ProviderReport]]]) -> None:
            expect(outcome)
            for received in batch if outcome.result is None else outcome.result:
                self.finishes.give_back(received)

        if batch:
            self.processes.spawn("finish", work, timeout=FINISH_TIMEOUT, then=then)

    def the_schedule_fires(self) -> None:
        def work(ports: FakePorts, until: datetime) -> int:
            return reconcile_jobs(ports=ports, until=until)

        # The next minute's run does the same work.
        self.processes.spawn("reconcile", work, timeout=RECONCILE_TIMEOUT, then=expect)

    # Time

    def time_passes(self) -> None:
        """Mostly little while processes are at work, so that they end before their time-outs."""
        busy = self.processes.go_on()
        longest_s = self.chance.choices((2, 30, 300), (90, 8, 2) if busy else (10, 60, 30))[0]
        ends_at = self.ports.clock.now() + timedelta(seconds=self.chance.uniform(0, longest_s))
        while self.ports.clock.now() < ends_at:
            self._flow(min(20.0, (ends_at - self.ports.clock.now()).total_seconds()))
            for _ in range(BURST):
                if not self.processes.go_on():
                    break

    def let_a_day_pass_without_credit(self) -> None:
        """Let what is queued grow too old, in the trouble of the day."""
        self.happened.append("let_a_day_pass_without_credit")
        self.provider.run_out_of_credit(LONG_BLOCK)
        ends_at = self.ports.clock.now() + LONG_BLOCK
        while self.ports.clock.now() < ends_at:
            self._flow(30)
            self.a_start_batch_arrives()
            self.finish_messages_arrive()
            self.workers.take_all()
            for _ in range(BURST):
                if not self.processes.go_on():
                    break

    def pass_a_minute_in_peace(self) -> None:
        """Let everything do its duty, without chance."""
        ends_at = self.ports.clock.now() + MINUTE
        while self.ports.clock.now() < ends_at:
            self._flow(5)
            while self.starts.visible:
                self.a_start_batch_arrives()
            while self.finishes.visible:
                self.finish_messages_arrive()
            self.workers.take_all()
            while self.processes.go_on():
                pass

    def _flow(self, seconds: float) -> None:
        """Let time pass, and what happens by itself in it."""
        clock = self.ports.clock
        clock.advance(timedelta(seconds=seconds))
        self.provider.let_time_pass()
        for prediction in self.provider.overdue_for_deletion():
            self.judge.judge_deletion(prediction)
            self.provider.forget_output(prediction.id)
        if clock.now() >= self._next_schedule:
            self._next_schedule = max(self._next_schedule + MINUTE, clock.now())
            self.the_schedule_fires()
        self.users.post_what_is_due()
        self._let_messages_travel()
        # Lambda polls a queue all the time; that it lags behind is part of the day.
        takers: list[tuple[Queue[Any], Callable[[], None]]] = [
            (self.starts, self.a_start_batch_arrives),
            (self.finishes, self.finish_messages_arrive),
            *self.workers.takers,
        ]
        for queue, take in takers:
            if queue.visible and self.chance.random() < min(seconds, 0.5):
                take()

    def _let_messages_travel(self) -> None:
        for ref in self.ports.commands.take_started():
            (self.workers.starts if ref.of_training else self.starts).put(ref)
        for told in self.ports.commands.take_finished():
            self._heard(told)
        for photo in self.ports.commands.take_checked():
            self.workers.photos.put(photo)
        self.webhooks.announce()
        self.webhooks.deliver()

    # Below

    def _heard(self, told: ProviderReport) -> None:
        (self.workers.finishes if told.ref.of_training else self.finishes).put(told)

    @property
    def queues(self) -> tuple[Queue[Any], ...]:
        return (self.starts, self.finishes, *self.workers.queues)

    def _api(
        self,
        name: str,
        request: Callable[[FakePorts], Any],
        then: Callable[[Outcome[Any]], None] | None = None,
    ) -> None:
        self.processes.spawn(
            name,
            lambda ports, _until: request(ports),
            timeout=API_TIMEOUT,
            then=then or (lambda outcome: expect(outcome, Refused)),
        )

    def _some_row(self) -> Generation | None:
        rows = list(self.ports.store.generations.values())
        # Who looks for something to cancel or delete mostly finds what is new.
        return self.chance.choice(rows[-8:] if self.chance.random() < 0.7 else rows) if rows else None

    @property
    def at_rest(self) -> bool:
        ended = all(row.state in ENDED for row in self.ports.store.generations.values())
        # What is late may still be cleared up after, by whoever hears of it.
        return ended and self.model_judge.at_rest and not self.users.posts and not self.workers.busy
