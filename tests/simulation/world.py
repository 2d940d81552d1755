from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from revela.domain.errors import Refused, Transient
from revela.domain.generation import Generation
from revela.ports import FinishGeneration, Ref
from revela.usecases.accept_generation import AcceptGeneration, accept_generation
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.delete_generation import delete_generation
from revela.usecases.finish_generation import finish_generation
from revela.usecases.grant_credits import GrantCredits, grant_credits
from revela.usecases.reconcile_jobs import reconcile_jobs
from revela.usecases.start_generation import start_generation
from tests.fakes import FakePorts
from tests.simulation.processes import Killed, Processes
from tests.simulation.provider import ProviderActor
from tests.simulation.queue import Queue

# As template.yaml gives each function.
API_TIMEOUT = timedelta(seconds=15)
START_TIMEOUT = timedelta(seconds=60)
FINISH_TIMEOUT = timedelta(seconds=120)
RECONCILE_TIMEOUT = timedelta(seconds=55)
START_BATCH, FINISH_BATCH = 10, 5

PLANS = {"ana": "free", "bia": "essential", "caio": "studio"}


Answer = TypeVar("Answer")


class World:
    """One installation with its users and its provider; one seed decides everything that happens."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.ports = FakePorts()
        self.starts: Queue[Ref] = Queue(self.chance, doubled=0.2)
        self.finishes: Queue[FinishGeneration] = Queue(self.chance, doubled=0.2)
        self.provider = ProviderActor(self.ports, self.chance, self.finishes)
        self.processes = Processes(self.ports, self.chance, self.step)
        self.happened: list[str] = []
        self._accepted: dict[tuple[str, str], str] = {}
        self._actions: dict[Callable[[], None], int] = {
            self.someone_asks: 20,
            self.someone_cancels: 6,
            self.someone_deletes: 3,
            self.an_operator_grants: 1,
            self.a_start_batch_arrives: 25,
            self.finish_messages_arrive: 20,
            self.the_schedule_fires: 15,
            self.provider.move_one: 35,
            self.provider.prepare_trouble: 8,
            self.provider.heal: 2,
            self.time_passes: 20,
        }
        for user_id, plan in PLANS.items():
            grant_credits(GrantCredits(user_id, "welcome", 300, plan=plan), ports=self.ports)

    def step(self) -> None:
        """Let one thing happen, whatever else is going on."""
        (action,) = self.chance.choices(list(self._actions), list(self._actions.values()))
        self.happened.append(action.__name__)
        action()
        self._let_messages_travel()

    # Users and operators

    def someone_asks(self) -> None:
        user_id = self.chance.choice(list(PLANS))
        key = f"key-{self.chance.randrange(40)}" if self.chance.random() < 0.5 else None
        # The key decides the body, so that a repeated key is a repeated request; few seeds make twins.
        details = random.Random(key or self.chance.random())
        requested = {
            "model": details.choice(("flux-schnell", "flux-dev", "sdxl")),
            "prompt": "a lighthouse",
            "num_outputs": details.randint(1, 2),
            "seed": details.randrange(3),
        }
        command = AcceptGeneration(user_id, requested, idempotency_key=key)
        accepted = self._call(lambda: accept_generation(command, ports=self.ports))
        if accepted is not None and key is not None:
            first = self._accepted.setdefault((user_id, key), accepted.generation.id)
            assert accepted.generation.id == first, f"{user_id} was given two generations for {key}"

    def someone_cancels(self) -> None:
        if row := self._some_row():
            self._call(lambda: cancel_generation(Ref(row.user_id, row.id), ports=self.ports))

    def someone_deletes(self) -> None:
        if row := self._some_row():
            self._call(lambda: delete_generation(Ref(row.user_id, row.id), ports=self.ports))

    def an_operator_grants(self) -> None:
        expires_at = self.ports.clock.now() + timedelta(hours=self.chance.randrange(1, 48))
        reference = f"promo-{self.chance.randrange(4)}"
        command = GrantCredits(
            self.chance.choice(list(PLANS)), reference, 20, source="promotion", expires_at=expires_at
        )
        self._call(lambda: grant_credits(command, ports=self.ports))

    # Workers

    def a_start_batch_arrives(self) -> None:
        batch = self.starts.take(self.chance.randint(1, START_BATCH))

        def work(until: datetime) -> list[Ref]:
            return start_generation([r.message for r in batch], ports=self.ports, until=until)

        try:
            again = self.processes.run(work, timeout=START_TIMEOUT)
        except (Killed, Transient):
            again = [received.message for received in batch]
        for received in batch:
            if received.message in again:
                self.starts.give_back(received)

    def finish_messages_arrive(self) -> None:
        for received in self.finishes.take(self.chance.randint(1, FINISH_BATCH)):
            told = received.message

            def work(until: datetime, told: FinishGeneration = told) -> None:
                finish_generation(told, ports=self.ports, until=until)

            try:
                self.processes.run(work, timeout=FINISH_TIMEOUT)
            except (Killed, Transient):
                self.finishes.give_back(received)

    def the_schedule_fires(self) -> None:
        def work(until: datetime) -> int:
            return reconcile_jobs(ports=self.ports, until=until)

        with suppress(Killed, Transient):  # the next minute's run does the same work
            self.processes.run(work, timeout=RECONCILE_TIMEOUT)

    # Time

    def time_passes(self) -> None:
        longest_s = self.chance.choices((5, 30, 150, 600, 4500), (40, 30, 20, 8, 2))[0]
        self.ports.clock.advance(timedelta(seconds=self.chance.uniform(0, longest_s)))
        self.provider.let_time_pass()

    def a_minute_passes_in_peace(self) -> None:
        """Let everything do its duty once, without chance."""
        self.ports.clock.advance(timedelta(minutes=1))
        self.provider.let_time_pass()
        self.the_schedule_fires()
        self._let_messages_travel()
        while self.starts:
            self.a_start_batch_arrives()
            self._let_messages_travel()
        self.provider.finish_all()
        self._let_messages_travel()
        while self.finishes:
            self.finish_messages_arrive()
            self._let_messages_travel()

    def _call(self, request: Callable[[], Answer]) -> Answer | None:
        """Send a request to the API; None when it was refused, or nobody knows what became of it."""
        try:
            return self.processes.run(lambda _: request(), timeout=API_TIMEOUT)
        except (Refused, Transient, Killed):
            return None

    def _some_row(self) -> Generation | None:
        rows = list(self.ports.store.generations.values())
        return self.chance.choice(rows) if rows else None

    def _let_messages_travel(self) -> None:
        for ref in self.ports.commands.take_started():
            self.starts.put(ref)
        for told in self.ports.commands.take_finished():
            self.finishes.put(told)
        self.provider.announce()
