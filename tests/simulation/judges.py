"""Judges of prompts and images on good and bad days: slow, crowded, forgetful or away."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

from revela.domain.errors import JudgeUnavailable, TicketVoid
from revela.domain.judgement import Judgement, Ticket
from revela.ports import Judge
from tests.fakes import Calls, FakeClock
from tests.fakes.calls import port_call
from tests.simulation.provider import RETENTION

Thing = TypeVar("Thing")

# On a good day: how often a judge at Replicate leaves a ticket, and for how long.
NOT_AT_ONCE, SOON_S = 0.15, 20.0
SLOW_S = (30.0, 900.0)


class Mood(Enum):
    """What ails a judge for a while."""

    WELL = auto()
    SLOW = auto()  # every answer takes minutes
    CROWDED = auto()  # it has a turn for the first image alone
    FORGETFUL = auto()  # tickets are void
    AWAY = auto()


class _Question(NamedTuple, Generic[Thing]):
    thing: Thing
    asked_at: datetime
    decided_at: datetime


class SimulatedJudge(Generic[Thing]):
    """Finds what `knows` finds. At Rekognition (`at_replicate` False) it answers at once or is away.

    `heard` keeps what it said of each thing, if whoever asked has heard it. `ails` tells of trouble that it
    shares with others.
    """

    def __init__(
        self,
        calls: Calls,
        chance: random.Random,
        clock: FakeClock,
        knows: Judge[Thing],
        *,
        at_replicate: bool,
        ails: Callable[[], bool] = lambda: False,
    ) -> None:
        self.calls = calls
        self.heard: dict[Thing, Judgement] = {}
        self.counts: Counter[str] = Counter()
        self._chance = chance
        self._clock = clock
        self._knows = knows
        self._at_replicate = at_replicate
        self._ails = ails
        self._mood, self._until = Mood.WELL, clock.now()
        self._tickets: dict[str, _Question[Thing]] = {}
        self._questions = 0

    @property
    def mood(self) -> Mood:
        return self._mood if self._clock.now() < self._until else Mood.WELL

    # What happens by itself

    def change_mood(self) -> None:
        moods = list(Mood)[1:] if self._at_replicate else [Mood.AWAY]
        longest_s = self._chance.choices((60, 300, 1200, 3600), (40, 30, 20, 10))[0]
        lasts = timedelta(seconds=self._chance.uniform(1, longest_s))
        self.be(self._chance.choice(moods), lasts)

    def be(self, mood: Mood, lasts: timedelta) -> None:
        self._mood, self._until = mood, self._clock.now() + lasts
        self.counts[mood.name.lower()] += 1

    def clear_up(self) -> None:
        """End every trouble, and answer soon what is still open."""
        soon = self._clock.now() + timedelta(seconds=10)
        self._until = self._clock.now()
        for id_, question in self._tickets.items():
            self._tickets[id_] = question._replace(decided_at=min(question.decided_at, soon))

    # The port

    def ask(self, things: Sequence[Thing]) -> list[Judgement | Ticket | None]:
        said = self._ask(things)
        for thing, found in zip(things, said, strict=True):
            self._note(thing, found)
        return said

    def answer(self, ticket: Ticket) -> Judgement | Ticket:
        found = self._answer(ticket)
        self._note(self._tickets[ticket.id].thing, found)
        return found

    @port_call
    def _ask(self, things: Sequence[Thing]) -> list[Judgement | Ticket | None]:
        self._may_be_away()
        turns = 1 if self.mood is Mood.CROWDED else len(things)
        return [self._asked(thing) if n < turns else None for n, thing in enumerate(things)]

    @port_call
    def _answer(self, ticket: Ticket) -> Judgement | Ticket:
        self._may_be_away()
        question, now = self._tickets[ticket.id], self._clock.now()
        # Replicate deletes outputs an hour after: a verdict is one of them.
        if self.mood is Mood.FORGETFUL or now - question.decided_at > RETENTION:
            self.counts["tickets void"] += 1
            raise TicketVoid("not found")
        return self._verdict(question.thing) if question.decided_at <= now else ticket

    # Below

    def _asked(self, thing: Thing) -> Judgement | Ticket:
        slow = self.mood is Mood.SLOW
        if not self._at_replicate or not (slow or self._chance.random() < NOT_AT_ONCE):
            return self._verdict(thing)
        takes = timedelta(seconds=self._chance.uniform(*SLOW_S) if slow else self._chance.uniform(0, SOON_S))
        self._questions += 1
        id_ = f"judgement{self._questions:04d}"
        now = self._clock.now()
        self._tickets[id_] = _Question(thing, now, now + takes)
        self.counts["tickets"] += 1
        return Ticket(id=id_)

    def _verdict(self, thing: Thing) -> Judgement:
        (said,) = self._knows.ask([thing])
        assert isinstance(said, Judgement)
        return said

    def _note(self, thing: Thing, found: Judgement | Ticket | None) -> None:
        if isinstance(found, Judgement):
            self.heard[thing] = found
            self.counts["judged"] += 1

    def _may_be_away(self) -> None:
        if self.mood is Mood.AWAY or self._ails():
            self.counts["turned away"] += 1
            raise JudgeUnavailable("away")
