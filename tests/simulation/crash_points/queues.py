"""A standard queue of SQS with a function behind it, in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

Body = TypeVar("Body")

# As template.yaml sets it on every queue.
MAX_RECEIVES = 5


@dataclass(eq=False)
class Message(Generic[Body]):
    body: Body
    visible_at: datetime
    receives: int = 0


@dataclass
class Queue(Generic[Body]):
    """What is taken stays invisible for `visibility`, and comes again unless it is deleted by then."""

    visibility: timedelta
    batch: int
    dead_letters: list[Body] = field(default_factory=list)
    _messages: list[Message[Body]] = field(default_factory=list)

    def put(self, body: Body, now: datetime) -> None:
        self._messages.append(Message(body, now))

    def take(self, now: datetime) -> list[Message[Body]]:
        taken: list[Message[Body]] = []
        for message in list(self._messages):
            if message.visible_at > now or len(taken) == self.batch:
                continue
            if message.receives == MAX_RECEIVES:
                self.delete(message)
                self.dead_letters.append(message.body)
                continue
            message.receives += 1
            message.visible_at = now + self.visibility
            taken.append(message)
        return taken

    def delete(self, message: Message[Body]) -> None:
        self._messages.remove(message)

    @property
    def next_at(self) -> datetime | None:
        return min((message.visible_at for message in self._messages), default=None)
