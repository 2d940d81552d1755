"""How a judge is asked about several things when it takes one question at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from revela.domain.errors import JudgeUnavailable
from revela.domain.judgement import Judgement, Ticket

Thing = TypeVar("Thing")


def ask_in_turn(
    things: Sequence[Thing], ask: Callable[[Thing], Judgement | Ticket]
) -> list[Judgement | Ticket | None]:
    """Return what was said of each; None from where the judge went away, for what was said has been paid.

    Raises:
        JudgeUnavailable: it said nothing of the first.
    """
    said: list[Judgement | Ticket | None] = []
    for thing in things:
        try:
            said.append(ask(thing))
        except JudgeUnavailable:
            if not said:
                raise
            break
    return said + [None] * (len(things) - len(said))
