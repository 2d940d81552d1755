"""The golden list of call labels: what is called, in every flow that is played."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

PATH = Path(__file__).with_name("call_labels.txt")
REGENERATE = "`python -m tests.simulation.crash_points labels` writes the file anew; look at what changed"


def labels() -> list[str]:
    return PATH.read_text("utf-8").splitlines()


def write(seen: Iterable[str]) -> None:
    PATH.write_text("".join(f"{label}\n" for label in sorted(set(seen))), "utf-8")


def difference(seen: Iterable[str]) -> str:
    """Return what to tell whoever changed the calls, "" if nobody did."""
    known, now = set(labels()), set(seen)
    told = [f"new: {label}" for label in sorted(now - known)]
    told += [f"not called any more: {label}" for label in sorted(known - now)]
    return "\n".join([*told, REGENERATE]) if told else ""
