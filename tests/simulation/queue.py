from __future__ import annotations

import random
from typing import Generic, NamedTuple, TypeVar

Message = TypeVar("Message")

# As template.yaml sets it on every queue.
MAX_RECEIVES = 5


class Received(NamedTuple, Generic[Message]):
    message: Message
    receives: int


class Queue(Generic[Message]):
    """A standard queue of SQS: at least once, in any order, dead letters after some receives."""

    def __init__(self, chance: random.Random, *, doubled: float = 0.0) -> None:
        self.doubled = doubled
        self.dead_letters: list[Message] = []
        self._chance = chance
        self._waiting: list[Received[Message]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: Message) -> None:
        copies = 2 if self._chance.random() < self.doubled else 1
        self._waiting += [Received(message, 0)] * copies

    def take(self, most: int) -> list[Received[Message]]:
        """Take a batch; what is not given back has been acknowledged."""
        self._chance.shuffle(self._waiting)
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        return [Received(message, receives + 1) for message, receives in taken]

    def give_back(self, received: Received[Message]) -> None:
        if received.receives < MAX_RECEIVES:
            self._waiting.append(received)
        else:
            self.dead_letters.append(received.message)
