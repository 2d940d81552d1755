from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from revela.domain.judgement import Judgement, Ticket
from tests.fakes import Calls, FakeClock
from tests.fakes.calls import port_call


class UnhurriedJudge:
    """Allows every image, some time after it was asked."""

    def __init__(
        self, calls: Calls, chance: random.Random, takes_s: tuple[float, float], *, clock: FakeClock
    ) -> None:
        self.calls = calls
        self._chance = chance
        self._takes_s = takes_s
        self._clock = clock
        self._decided_at: dict[str, datetime] = {}

    @port_call
    def ask(self, things: Sequence[bytes]) -> list[Judgement | Ticket | None]:
        return [self._asked() for _ in things]

    @port_call
    def answer(self, ticket: Ticket) -> Judgement | Ticket:
        return Judgement() if self._decided_at[ticket.id] <= self._clock.now() else ticket

    def _asked(self) -> Ticket:
        ticket = Ticket(id=f"judgement{len(self._decided_at):05d}")
        takes = timedelta(seconds=self._chance.uniform(*self._takes_s))
        self._decided_at[ticket.id] = self._clock.now() + takes
        return ticket
