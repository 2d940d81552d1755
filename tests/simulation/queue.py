from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from tests.fakes import FakeClock

Message = TypeVar("Message")

# As template.yaml sets it on every queue.
MAX_RECEIVES = 5
# How long a message may travel when it does not come at once.
LATE_MAX_S = 900.0


class Received(NamedTuple, Generic[Message]):
    message: Message
    receives: int
    visible_at: datetime


class Queue(Generic[Message]):
    """A standard queue of SQS: at least once, in any order, dead letters after some receives.

    `doubled` and `late`: how likely a message is delivered twice, or long after it was sent.
    """

    def __init__(self, clock: FakeClock, chance: random.Random, *, visibility: timedelta) -> None:
        self.doubled = 0.0
        self.late = 0.0
        self.duplicates = 0
        self.dead_letters: list[Message] = []
        self._clock = clock
        self._chance = chance
        self._visibility = visibility
        self._waiting: list[Received[Message]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def visible(self) -> int:
        return sum(received.visible_at <= self._clock.now() for received in self._waiting)

    def put(self, message: Message) -> None:
        copies = 2 if self._chance.random() < self.doubled else 1
        self.duplicates += copies - 1
        for _ in range(copies):
            late_s = self._chance.uniform(0, LATE_MAX_S) if self._chance.random() < self.late else 0.0
            self._waiting.append(Received(message, 0, self._clock.now() + timedelta(seconds=late_s)))

    def take(self, most: int) -> list[Received[Message]]:
        """Take a batch; what is not given back has been acknowledged."""
        self._chance.shuffle(self._waiting)
        # A stable sort: what is visible comes first, in the order of the shuffle.
        self._waiting.sort(key=lambda received: received.visible_at > self._clock.now())
        count = min(most, self.visible)
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return [received._replace(receives=received.receives + 1) for received in taken]

    def give_back(self, received: Received[Message]) -> None:
        """Let it be delivered again after its visibility, or at once: a duplicate looks the same."""
        if received.receives >= MAX_RECEIVES:
            self.dead_letters.append(received.message)
            return
        wait = timedelta(0) if self._chance.random() < self.doubled else self._visibility
        self._waiting.append(received._replace(visible_at=self._clock.now() + wait))
