"""The queues of photos and trainings, and the workers that they wake."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from revela.domain.errors import Transient
from revela.ports import ProviderReport, Ref
from revela.usecases.check_photo import check_photo
from revela.usecases.finish_training import finish_training
from revela.usecases.start_training import start_training
from tests.fakes import FakePorts
from tests.simulation.processes import Outcome, Processes, expect
from tests.simulation.queue import Queue, Received

# As template.yaml gives each function, and each queue's visibility.
START_TIMEOUT, START_VISIBILITY = timedelta(seconds=180), timedelta(seconds=1080)
FINISH_TIMEOUT, FINISH_VISIBILITY = timedelta(seconds=300), timedelta(seconds=1800)
CHECK_TIMEOUT, CHECK_VISIBILITY = timedelta(seconds=120), timedelta(seconds=720)
CHECK_BATCH = 5

Message = TypeVar("Message")


class ModelWorkers:
    def __init__(self, ports: FakePorts, chance: random.Random, processes: Processes) -> None:
        clock = ports.clock
        self.starts: Queue[Ref] = Queue(clock, chance, visibility=START_VISIBILITY)
        self.finishes: Queue[ProviderReport] = Queue(clock, chance, visibility=FINISH_VISIBILITY)
        self.photos: Queue[Ref] = Queue(clock, chance, visibility=CHECK_VISIBILITY)
        self._processes = processes

    @property
    def queues(self) -> tuple[Queue[Any], ...]:
        return (self.starts, self.finishes, self.photos)

    @property
    def takers(self) -> tuple[tuple[Queue[Any], Callable[[], None]], ...]:
        return (
            (self.starts, self.a_training_starts),
            (self.finishes, self.a_training_is_told_of),
            (self.photos, self.photos_arrive),
        )

    @property
    def busy(self) -> bool:
        return any(len(queue) for queue in self.queues)

    def take_all(self) -> None:
        for queue, take in self.takers:
            while queue.visible:
                take()

    def a_training_starts(self) -> None:
        self._take("start training", self.starts, 1, START_TIMEOUT, start_training)

    def a_training_is_told_of(self) -> None:
        self._take("finish training", self.finishes, 1, FINISH_TIMEOUT, finish_training)

    def photos_arrive(self) -> None:
        def check(ref: Ref, *, ports: FakePorts, until: datetime) -> None:
            check_photo(ref, ports=ports)

        self._take("check", self.photos, CHECK_BATCH, CHECK_TIMEOUT, check)

    def _take(
        self, name: str, queue: Queue[Message], most: int, timeout: timedelta, handle: Callable[..., None]
    ) -> None:
        """Have a batch handled; what fails is delivered again, as all of it is when the process dies."""
        batch = queue.take(most)

        def work(ports: FakePorts, until: datetime) -> list[Received[Message]]:
            failed = []
            for received in batch:
                try:
                    handle(received.message, ports=ports, until=until)
                except Transient:
                    failed.append(received)
            return failed

        def then(outcome: Outcome[list[Received[Message]]]) -> None:
            expect(outcome)
            for received in batch if outcome.result is None else outcome.result:
                queue.give_back(received)

        if batch:
            self._processes.spawn(name, work, timeout=timeout, then=then)
