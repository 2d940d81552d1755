from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from revela.adapters.webhook_urls import SignedWebhookUrls
from revela.domain.errors import Refused, Transient
from revela.ports import ProviderReport, Ref
from revela.usecases.finish_generation import finish_generation
from revela.usecases.grant_credits import GrantCredits, grant_credits
from revela.usecases.lift_suspension import lift_suspension
from revela.usecases.reconcile_jobs import reconcile_jobs
from revela.usecases.start_generation import start_generation
from tests.fakes import FakeEntropy, FakePorts
from tests.fakes.judges import FakeImageJudge, FakePromptJudge
from tests.simulation.day import Day
from tests.simulation.history import WatchedTable, Witness
from tests.simulation.image_users import ImageUsers
from tests.simulation.installation import some_catalog, some_policies
from tests.simulation.judges import Mood, SimulatedJudge
from tests.simulation.model_history import ModelWitness
from tests.simulation.model_users import ModelUsers
from tests.simulation.model_workers import ModelWorkers
from tests.simulation.processes import Chances, Outcome, Processes, expect
from tests.simulation.prompts import HARM
from tests.simulation.provider import SimulatedReplicate, Weather
from tests.simulation.queue import Queue, Received
from tests.simulation.safety_history import SafetyWitness, Watched
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
# Past a queue's age.
LONG_BLOCK = timedelta(hours=26)
# Calls that a process makes, at most, before something else happens in the world.
BURST = 40


class World:
    """One installation with its users and its provider; one seed decides everything that happens."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.day = Day.of(self.chance)
        self.ports = FakePorts(
            entropy=FakeEntropy(seed), policies=some_policies(self.chance), catalog=some_catalog(self.chance)
        )
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
        self.processes = Processes(self.ports, self.chance)
        self._seat_judges()
        self._post_witnesses()
        self.starts: Queue[Ref] = Queue(clock, self.chance, visibility=START_VISIBILITY)
        self.finishes: Queue[ProviderReport] = Queue(clock, self.chance, visibility=FINISH_VISIBILITY)
        self.webhooks = Webhooks(self.ports, self.chance, self.provider, self.processes, self._heard)
        self.workers = ModelWorkers(self.ports, self.chance, self.processes)
        users = tuple(PLANS)
        self.users = ModelUsers(self.ports, self.chance, self._api, self.workers.photos.put, users=users)
        self.image_users = ImageUsers(
            self.ports,
            self.chance,
            self._api,
            users=users,
            own_model=self.users.trained_model_of,
            think_again=self.users.think_again,
            shown=self.safety.assert_shown,
        )
        self.happened: list[str] = []
        self._next_schedule = clock.now()
        self._actions: dict[Callable[[], None], int] = {
            self.image_users.someone_asks: 22,
            self.image_users.someone_looks: 3,
            self.image_users.someone_cancels: 6,
            self.image_users.someone_deletes: 4,
            self.image_users.someone_appeals: 5,
            self.an_operator_grants: 2,
            self.an_operator_lifts_a_suspension: 2,
            self.a_start_batch_arrives: 18,
            self.finish_messages_arrive: 18,
            self.time_passes: 30,
            self.webhooks.forge: 1,
            self.the_weather_changes: 4,
            self.a_judge_changes: 3,
            self.the_door_closes: 2,
            self.users.someone_creates_a_model: 3,
            self.users.someone_uploads_photos: 7,
            self.users.someone_trains: 6,
            self.users.someone_cancels_a_training: 1,
            self.users.someone_deletes_a_photo: 2,
            self.users.someone_deletes_a_model: 1,
            self.users.someone_withdraws_consent: 2,
        }
        for user_id, plan in PLANS.items():
            grant_credits(GrantCredits(user_id, "welcome", WELCOME[user_id], plan=plan), ports=self.ports)
        life = ModelLife(self.ports)
        for user_id in ("caio", "davi", "eva"):
            life.with_photos(user_id=user_id)
        # Whose consent may be withdrawn from the first minute on.
        for user_id in ("caio", "davi", "davi", "eva", "eva"):
            life.trained(user_id=user_id)

    def _seat_judges(self) -> None:
        """Prompts are judged by a model at Replicate; images too, or by a service that is always quick."""
        ports, provider = self.ports, self.provider
        prompts, images = FakePromptJudge(), FakeImageJudge()
        prompts.harmful = HARM

        def ails() -> bool:
            return provider.weather in (Weather.POOR, Weather.LOCKED, Weather.FAILING)

        at_replicate = self.chance.random() < 0.6
        self.prompt_judge = SimulatedJudge(
            ports.calls, self.chance, ports.clock, prompts, at_replicate=True, ails=ails
        )
        self.image_judge = SimulatedJudge(
            ports.calls,
            self.chance,
            ports.clock,
            images,
            at_replicate=at_replicate,
            **({"ails": ails} if at_replicate else {}),
        )
        ports.prompt_judge = self.prompt_judge  # type: ignore[assignment]  # a port
        ports.image_judge = self.image_judge  # type: ignore[assignment]  # a port

    def _post_witnesses(self) -> None:
        ports = self.ports
        self.witness = Witness(ports, self.provider)
        self.model_witness = ModelWitness(ports, self.provider)
        self.safety = SafetyWitness(ports, self.processes, self.prompt_judge, self.image_judge)
        ports.store.generations = WatchedTable(self.witness.see, self.safety.see_generation)
        ports.store.trainings = WatchedTable(self.model_witness.see, self.safety.see_training)
        ports.store.accounts = WatchedTable(self.safety.see_account)
        ports.store.models = WatchedTable(self.safety.see_model)
        ports.objects.stored = Watched(self.safety.see_object)
        self.provider.on_deletion = self.witness.judge_deletion

    # Trouble

    def begin_trouble(self) -> None:
        day = self.day
        self.processes.chances = day.chances
        self.provider.trouble = day.requests_fail
        self.provider.harmful = day.harmful
        self.webhooks.lost = self.webhooks.doubled = day.messages_stray
        self.users.lost = day.messages_stray
        for queue in self.queues:
            queue.doubled = queue.late = day.messages_stray

    def end_trouble(self) -> None:
        self.processes.chances = Chances()
        self.provider.clear_up()
        for judge in self.judges:
            judge.clear_up()
        self.webhooks.lost = self.webhooks.doubled = 0.0
        self.webhooks.closed_until = self.ports.clock.now()
        self.users.lost = 0.0
        for queue in self.queues:
            queue.doubled = queue.late = 0.0

    def the_weather_changes(self) -> None:
        if self.chance.random() < 0.2 + 4 * self.day.requests_fail:
            self.provider.change_weather()

    def a_judge_changes(self) -> None:
        if self.chance.random() < 0.2 + 4 * self.day.judges_fail:
            self.chance.choice(self.judges).change_mood()

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

    def an_operator_lifts_a_suspension(self) -> None:
        suspended = [a.user_id for a in self.ports.store.accounts.values() if a.suspension is not None]
        if suspended:
            user_id = self.chance.choice(suspended)
            self._api("lift", lambda ports: lift_suspension(user_id, ports=ports))

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
        if self.chance.random() < 0.5:
            self.image_judge.be(Mood.AWAY, LONG_BLOCK)
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
            self.witness.judge_deletion(prediction)
            self.provider.forget_output(prediction.id)
        if clock.now() >= self._next_schedule:
            self._next_schedule = max(self._next_schedule + MINUTE, clock.now())
            self.the_schedule_fires()
        self.users.do_what_is_due()
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
    def judges(self) -> tuple[SimulatedJudge[Any], ...]:
        return (self.prompt_judge, self.image_judge)

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

    @property
    def at_rest(self) -> bool:
        ended = all(row.state in ENDED for row in self.ports.store.generations.values())
        # What is late, or left behind, is cleared up after by whoever hears of it.
        busy = self.workers.busy or len(self.starts) > 0 or len(self.finishes) > 0
        return ended and self.model_witness.at_rest and not self.users.busy and not busy
