"""What happens to a process in the middle of its work: it dies, or somebody else is faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from revela.domain.errors import Transient
from tests.fakes import FakePorts


class Crash(BaseException):
    """The process ends here: no `except Exception` and no clean-up of ours sees it."""


@contextmanager
def dies_before(ports: FakePorts, call: str, *, nth: int = 1) -> Iterator[None]:
    """Expect the process to die before its nth call, which has no effect then."""
    with pytest.raises(Crash), _hooked(ports, "before", call, nth, _die):
        yield


@contextmanager
def dies_after(ports: FakePorts, call: str, *, nth: int = 1) -> Iterator[None]:
    """Expect the process to die after its nth call took effect, without hearing of it."""
    with pytest.raises(Crash), _hooked(ports, "after", call, nth, _die):
        yield


@contextmanager
def answer_is_lost(ports: FakePorts, call: str, *, nth: int = 1) -> Iterator[None]:
    """Let the nth call take effect, and fail all the same for whoever made it."""
    with _hooked(ports, "after", call, nth, _lose):
        yield


@contextmanager
def meanwhile(ports: FakePorts, call: str, act: Callable[[], object], *, nth: int = 1) -> Iterator[None]:
    """Let `act` happen between the process' last read and the nth call: another writer is faster."""
    with _hooked(ports, "before", call, nth, act):
        yield


@contextmanager
def _hooked(ports: FakePorts, moment: str, call: str, nth: int, act: Callable[[], object]) -> Iterator[None]:
    calls, seen = 0, False

    def hook(name: str) -> None:
        nonlocal calls, seen
        if seen or name != call:
            return
        calls += 1
        if calls == nth:
            seen = True
            act()

    previous = getattr(ports.calls, moment)
    setattr(ports.calls, moment, hook)
    try:
        yield
    finally:
        setattr(ports.calls, moment, previous)
    assert seen, f"there was no call number {nth} of {call}"


def _die() -> None:
    raise Crash


def _lose() -> None:
    raise Transient("the answer was lost")
