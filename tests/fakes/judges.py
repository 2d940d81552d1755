from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from revela.domain.errors import JudgeUnavailable, TicketVoid
from revela.domain.judgement import HarmCategory, Judgement, Ticket
from tests.fakes.calls import Calls, port_call

Thing = TypeVar("Thing")

# What each judgement costs, in millionths of a US dollar.
COST = 1_000


class _FakeJudge(Generic[Thing]):
    """Says at once what `finds` finds, or with `slow` set leaves tickets until `decide` is called.

    With `failure` set, it raises that instead; with `away_after` it goes away after so many questions of a
    call. `asked` keeps everything it was asked about, in order.
    """

    def __init__(self, calls: Calls | None, finds: Callable[[Thing], HarmCategory | None]) -> None:
        self.calls = calls or Calls()
        self.finds = finds
        self.slow = False
        self.failure: Exception | None = None
        self.away_after: int | None = None
        self.asked: list[Thing] = []
        self.tickets: dict[str, Thing] = {}
        self.decided: dict[str, Judgement] = {}

    @port_call
    def ask(self, things: Sequence[Thing]) -> list[Judgement | Ticket | None]:
        self._may_fail()
        if things and self.away_after == 0:
            raise JudgeUnavailable("away")
        said = self._said(things[: self.away_after])
        return [*said, *[None] * (len(things) - len(said))]

    @port_call
    def answer(self, ticket: Ticket) -> Judgement | Ticket:
        self._may_fail()
        if ticket.id not in self.tickets:
            raise TicketVoid("not found")
        return self.decided.get(ticket.id, ticket)

    def decide(self) -> None:
        """Have an answer ready for every ticket."""
        self.decided |= {id_: self._judged(thing) for id_, thing in self.tickets.items()}

    def forget(self) -> None:
        """Let no ticket be good for anything any more."""
        self.tickets.clear()

    def be_away(self) -> None:
        self.failure = JudgeUnavailable("away")

    def _said(self, things: Sequence[Thing]) -> Sequence[Judgement | Ticket]:
        self.asked += things
        if not self.slow:
            return [self._judged(thing) for thing in things]
        tickets = [Ticket(id=f"judgement{len(self.tickets) + n:04d}") for n in range(len(things))]
        self.tickets |= {ticket.id: thing for ticket, thing in zip(tickets, things, strict=True)}
        return tickets

    def _judged(self, thing: Thing) -> Judgement:
        return Judgement(category=self.finds(thing), cost_micro_usd=COST)

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class FakePromptJudge(_FakeJudge[str]):
    """Finds what `harmful` maps a word of the text to."""

    def __init__(self, calls: Calls | None = None) -> None:
        super().__init__(calls, self._found)
        self.harmful: dict[str, HarmCategory] = {}

    def _found(self, text: str) -> HarmCategory | None:
        return next((harm for word, harm in self.harmful.items() if word in text), None)


class FakeImageJudge(_FakeJudge[bytes]):
    """Finds the harm that an image's bytes name after `harm:`."""

    def __init__(self, calls: Calls | None = None) -> None:
        super().__init__(calls, self._found)

    def _found(self, rendering: bytes) -> HarmCategory | None:
        _, _, harm = rendering.partition(b"harm:")
        return Judgement.model_validate({"category": harm.split()[0].decode()}).category if harm else None


class FakeJudgements:
    """What was said of prompts, until it expires."""

    def __init__(self, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self.known: dict[str, tuple[Judgement | Ticket, datetime]] = {}

    @port_call
    def get(self, key: str) -> Judgement | Ticket | None:
        return self.known[key][0] if key in self.known else None

    @port_call
    def put(self, key: str, known: Judgement | Ticket, *, expires_at: datetime) -> None:
        self.known[key] = (known, expires_at)
