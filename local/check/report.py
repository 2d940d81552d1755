"""Steps of a check: each is one line when it is done, and an explanation when it failed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.text import Text

from local.check.causes import Cause

PAGE = "docs/troubleshooting.md"
NAME_WIDTH = 20
MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("–", "dim")}


class Failed(Exception):
    """A step found something wrong: `seen` says what, `cause` what it means."""

    def __init__(self, cause: Cause, seen: str) -> None:
        super().__init__(seen)
        self.cause = cause
        self.seen = seen


class Skipped(Exception):
    """There is nothing to be checked here; the message says why."""


@dataclass(frozen=True)
class Step:
    name: str
    outcome: Literal["passed", "failed", "skipped"]
    seen: str
    cause: Cause | None = None


class Report:
    """Runs steps in their order and prints each; `secrets` are shown nowhere, whoever quotes them.

    `as_json` prints no step before `end`, then all of them as one object; what is said goes to stderr.
    """

    def __init__(self, console: Console, *, as_json: bool = False, secrets: Collection[str] = ()) -> None:
        self.steps: list[Step] = []
        self.console = console
        self._as_json = as_json
        self._secrets = [secret for secret in secrets if secret]

    def step(self, name: str, act: Callable[[], str], *, needs: Collection[str] = ()) -> bool:
        """Do a step and return whether it passed; what it needs must have passed, or it is skipped."""
        missing = [need for need in needs if not self.passed(need)]
        if missing:
            step = Step(name, "skipped", f"needs {', '.join(missing)}")
        else:
            try:
                step = Step(name, "passed", act())
            except Skipped as skipped:
                step = Step(name, "skipped", str(skipped))
            except Failed as failed:
                step = Step(name, "failed", failed.seen, failed.cause)
        self.steps.append(Step(step.name, step.outcome, self._shown(step.seen), step.cause))
        self._print(self.steps[-1])
        return step.outcome == "passed"

    def passed(self, *names: str) -> bool:
        return {step.name for step in self.steps if step.outcome == "passed"}.issuperset(names)

    def say(self, text: str) -> None:
        if self._as_json:
            print(self._shown(text), file=sys.stderr)
        else:
            self.console.print(Text(self._shown(text), "bold"))

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Give a line that what goes on can be shown in, on a terminal, until the block ends."""
        if self._as_json:
            yield lambda _: None
            return
        with self.console.status("") as status:
            yield lambda text: status.update(Text(self._shown(text)))

    def end(self) -> int:
        """Tell how it went; return the exit status: 0 only when nothing failed."""
        failed = [step.name for step in self.steps if step.outcome == "failed"]
        if self._as_json:
            steps = [_as_dict(step) for step in self.steps]
            self.console.print(Text(json.dumps({"passed": not failed, "steps": steps}, indent=2)))
        elif failed:
            self.say(f"\n{len(failed)} of {len(self.steps)} steps failed: {', '.join(failed)}")
        else:
            self.say("\nNothing failed.")
        return 1 if failed else 0

    def _shown(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text

    def _print(self, step: Step) -> None:
        if self._as_json:
            return
        mark, style = MARKS[step.outcome]
        line = Text.assemble((mark, style), f" {step.name:{NAME_WIDTH}} {' '.join(step.seen.split())}")
        self.console.print(line)
        if step.cause is not None:
            for text in (step.cause.meaning, f"Do: {step.cause.remedy}", f"See: {_page(step.cause)}"):
                self.console.print(Text(f"    {text}"))


def _page(cause: Cause) -> str:
    return f"{PAGE}#{cause.anchor}"


def _as_dict(step: Step) -> dict[str, str]:
    told = {"name": step.name, "outcome": step.outcome, "seen": step.seen}
    if step.cause is not None:
        told |= {"meaning": step.cause.meaning, "remedy": step.cause.remedy, "see": _page(step.cause)}
    return told
