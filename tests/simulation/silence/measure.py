"""The system without any webhook, in virtual time: every job lives by `reconcile_jobs` alone."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from revela.domain.generation import Generation
from revela.domain.job import State
from revela.ports import ProviderReport, Ref
from revela.usecases.accept_generation import AcceptGeneration, accept_generation
from revela.usecases.finish_generation import finish_generation
from revela.usecases.grant_credits import GrantCredits, grant_credits
from revela.usecases.reconcile_jobs import reconcile_jobs
from revela.usecases.start_generation import start_generation
from tests.fakes import FakePorts
from tests.simulation.history import WatchedTable
from tests.simulation.processes import Outcome, Processes
from tests.simulation.provider import RETENTION
from tests.simulation.silence.judge import UnhurriedJudge
from tests.simulation.silence.replicate import SteadyReplicate
from tests.simulation.world import (
    FINISH_BATCH,
    FINISH_TIMEOUT,
    MINUTE,
    RECONCILE_TIMEOUT,
    START_BATCH,
    START_TIMEOUT,
)

CREATES_PER_MINUTE, READS_PER_MINUTE = 600, 3000
# As the template's default.
START_WORKERS = 5
# Enough users for all jobs to run at once on the largest plan.
USERS = 40
# Seconds that a call takes. A listing's page brings a hundred predictions; messages go ten by ten at most.
TAKES_S = {
    "SteadyReplicate.create_prediction": 0.4,
    "SteadyReplicate.get_prediction": 0.15,
    "SteadyReplicate.cancel_prediction": 0.2,
    "FakeOutputs.download": 0.3,
    "FakeImageJudge.ask": 0.4,
    "UnhurriedJudge.ask": 0.8,
    "UnhurriedJudge.answer": 0.15,
    "FakeObjects.put_file": 0.05,
    "FakeObjects.copy": 0.05,
    "FakeChanges.commit": 0.012,
    "FakeGenerations.get_many": 0.06,
    "FakeCommands.start": 0.015,
    "FakeCommands.finish": 0.015,
    "FakePace.reserve_read": 0.015,
}
OTHERS_TAKE_S = 0.006


class Scenario(NamedTuple):
    """`run_s`: the shortest and longest run of each model, by its id in the catalog.

    `page_s`: how long Replicate takes for a page of its listing. `judge_s`: how long the judge takes for an
    image, at least and at most; None: it answers when it is asked.
    """

    name: str
    run_s: dict[str, tuple[float, float]]
    page_s: float = 0.5
    judge_s: tuple[float, float] | None = None
    minutes: int = 20
    creates_per_minute: int = CREATES_PER_MINUTE


SHORT = {"flux-schnell": (1.5, 3.0), "flux-dev": (10.0, 15.0), "sdxl": (6.0, 10.0)}
LONG = {"flux-dev": (60.0, 280.0), "sdxl": (60.0, 280.0)}


@dataclass
class Measured:
    """What one scenario came to; `calls` by kind of process and call."""

    scenario: Scenario
    jobs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    unsaved: list[timedelta] = field(default_factory=list)
    unjudged: list[timedelta] = field(default_factory=list)
    reads: list[datetime] = field(default_factory=list)
    runs: int = 0
    runs_stopped: int = 0
    longest_run: timedelta = timedelta(0)
    most_visited: int = 0
    longest_overdue: timedelta = timedelta(0)

    @property
    def most_reads_in_a_minute(self) -> int:
        most = first = 0
        for last, read in enumerate(self.reads):
            while read - self.reads[first] >= MINUTE:
                first += 1
            most = max(most, last - first + 1)
        return most

    @property
    def longest_unsaved(self) -> timedelta:
        """Return the longest time from the provider's success to our saved output."""
        return max(self.unsaved, default=timedelta(0))

    @property
    def longest_unjudged(self) -> timedelta:
        """Return the longest time that a saved output waited for its judge."""
        return max(self.unjudged, default=timedelta(0))

    def to_replicate_per_job(self, call: str) -> float:
        return sum(n for (_, what), n in self.calls.items() if what == f"SteadyReplicate.{call}") / self.jobs

    def to_aws_by_reconcile_per_job(self) -> float:
        outside = ("FakeGenerations.", "FakeAccounts.", "FakeChanges.", "FakeCommands.", "FakePace.")
        return (
            sum(n for (who, what), n in self.calls.items() if who == "reconcile" and what.startswith(outside))
            / self.jobs
        )


class _System:
    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.measured = Measured(scenario)
        self.chance = random.Random(seed)
        self.ports = FakePorts()
        self.ports.store.generations = WatchedTable(self._on_write)
        self.clock = self.ports.clock
        self.provider = SteadyReplicate(
            self.ports.calls, self.chance, scenario.run_s, clock=self.clock, outputs=self.ports.outputs
        )
        self.ports.provider = self.provider
        if scenario.judge_s is not None:
            judge = UnhurriedJudge(self.ports.calls, self.chance, scenario.judge_s, clock=self.clock)
            self.ports.image_judge = judge  # type: ignore[assignment]  # a port
        self.processes = Processes(self.ports, self.chance)
        self.processes.takes = self._takes
        self._starts: list[Ref] = []
        self._starting = 0
        for number in range(USERS):
            command = GrantCredits(f"user{number}", "all", 10**6, plan="developer")
            grant_credits(command, ports=self.ports)

    def play(self) -> Measured:
        begun, gap = self.clock.now(), MINUTE / self.measured.scenario.creates_per_minute
        ends_at = begun + MINUTE * self.measured.scenario.minutes
        next_request, next_schedule = begun, begun + MINUTE
        while self.clock.now() < ends_at or self._live:
            assert self.clock.now() < ends_at + RETENTION, "some jobs do not end"
            now = self.clock.now()
            if next_request <= now < ends_at:
                self._accept()
                next_request += gap
            if next_schedule <= now:
                self._reconcile()
                next_schedule += MINUTE
            self._begin_workers()
            while self.processes.go_on():
                self._begin_workers()
            self._advance(min(next_request if now < ends_at else next_schedule, next_schedule))
        self.processes.close()
        self.measured.calls = self.processes.calls
        return self.measured

    @property
    def _live(self) -> bool:
        return self.measured.ends.total() < self.measured.jobs or len(self.processes) > 0

    def _advance(self, until: datetime) -> None:
        wake = self.processes.next_wake()
        events = [until, self.provider.next_event(), *([wake] if wake else [])]
        self.clock.time = max(self.clock.time, min(events))
        self.provider.let_time_pass()

    def _accept(self) -> None:
        self.measured.jobs += 1
        number = self.measured.jobs
        models = sorted(self.measured.scenario.run_s)
        requested = {
            "model": models[number % len(models)],
            "prompt": f"lighthouse {number}",
            "num_outputs": 1,
        }
        command = AcceptGeneration(f"user{number % USERS}", requested)
        self.processes.spawn(
            "accept",
            lambda ports, _: accept_generation(command, ports=ports),
            timeout=START_TIMEOUT,
            then=_raise,
        )

    def _begin_workers(self) -> None:
        self._starts += self.ports.commands.take_started()
        while self._starts and self._starting < START_WORKERS:
            batch, self._starts = self._starts[:START_BATCH], self._starts[START_BATCH:]
            self._start(batch)
        told = self.ports.commands.take_finished()
        for first in range(0, len(told), FINISH_BATCH):
            self._finish(told[first : first + FINISH_BATCH])

    def _start(self, batch: list[Ref]) -> None:
        def then(outcome: Outcome[list[Ref]]) -> None:
            self._starting -= 1
            _raise(outcome)
            self._starts.extend(outcome.result or ())

        self._starting += 1
        self.processes.spawn(
            "start",
            lambda ports, until: start_generation(batch, ports=ports, until=until),
            timeout=START_TIMEOUT,
            then=then,
        )

    def _finish(self, batch: list[ProviderReport]) -> None:
        def work(ports: FakePorts, until: datetime) -> None:
            for told in batch:
                finish_generation(told, ports=ports, until=until)

        self.processes.spawn("finish", work, timeout=FINISH_TIMEOUT, then=_raise)

    def _reconcile(self) -> None:
        begun = self.clock.now()
        due = [
            row.due_at for row in self.ports.store.generations.values() if row.due_at and row.due_at <= begun
        ]
        overdue = begun - min(due, default=begun)
        self.measured.longest_overdue = max(self.measured.longest_overdue, overdue)

        def then(outcome: Outcome[int]) -> None:
            measured = self.measured
            measured.runs += 1
            measured.longest_run = max(measured.longest_run, self.clock.now() - begun)
            if outcome.result is None:
                measured.runs_stopped += 1
            measured.most_visited = max(measured.most_visited, outcome.result or 0)

        self.processes.spawn(
            "reconcile",
            lambda ports, until: reconcile_jobs(ports=ports, until=until),
            timeout=RECONCILE_TIMEOUT,
            then=then,
        )

    def _takes(self, call: str) -> timedelta:
        if call.startswith("SteadyReplicate.") and "create" not in call:
            self.measured.reads.append(self.clock.now())
        if call == "SteadyReplicate._page":
            return timedelta(seconds=self.measured.scenario.page_s)
        return timedelta(seconds=TAKES_S.get(call, OTHERS_TAKE_S))

    def _on_write(self, before: Generation | None, after: Generation) -> None:
        if before is None or after.state is before.state:
            return
        measured, now = self.measured, self.clock.now()
        if before.state is State.SAVING and after.state in (State.JUDGING, State.SUCCEEDED):
            completed_at = self.provider.predictions[after.prediction_id or ""].completed_at
            assert completed_at is not None
            measured.unsaved.append(now - completed_at)
        if before.state is State.JUDGING:
            assert before.judging_since is not None
            measured.unjudged.append(now - before.judging_since)
        if after.state.terminal:
            measured.ends[after.state.value] += 1


def measure(scenario: Scenario, *, seed: int = 1) -> Measured:
    """Play a scenario in virtual time until its last job has ended."""
    return _System(scenario, seed).play()


def misses(measured: Measured) -> Iterator[str]:
    """Yield what is not as promised."""
    if measured.ends["succeeded"] != measured.jobs:
        yield f"of {measured.jobs} jobs: {dict(measured.ends)}"
    if measured.longest_unsaved > timedelta(minutes=15):
        yield f"an output was unsaved for {measured.longest_unsaved}"
    if measured.longest_unjudged > timedelta(minutes=15):
        yield f"an output waited for its judge for {measured.longest_unjudged}"
    if measured.most_reads_in_a_minute > READS_PER_MINUTE:
        yield f"{measured.most_reads_in_a_minute} reads in a minute"
    if measured.runs_stopped:
        yield f"{measured.runs_stopped} runs of reconcile were stopped"


def _raise(outcome: Outcome[Any]) -> None:
    if outcome.error is not None:
        raise outcome.error
