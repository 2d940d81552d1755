"""One place that sees every call that leaves a use case, before and after it takes effect."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _nothing(_name: str) -> None:
    pass


class Calls:
    """Names are `Class.method`. A hook may raise: in `before` nothing has happened, in `after` all has."""

    def __init__(self) -> None:
        self.before: Callable[[str], None] = _nothing
        self.after: Callable[[str], None] = _nothing
        self.names: list[str] = []

    def enter(self, name: str) -> None:
        self.names.append(name)
        self.before(name)

    def leave(self, name: str) -> None:
        self.after(name)


class Observed(Protocol):
    @property
    def calls(self) -> Calls: ...


Self = TypeVar("Self", bound=Observed)


def port_call(
    method: Callable[Concatenate[Self, Parameters], Result],
) -> Callable[Concatenate[Self, Parameters], Result]:
    """Let the fake's `calls` see this method."""

    @functools.wraps(method)
    def observed(self: Self, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        name = f"{type(self).__name__}.{method.__name__}"
        self.calls.enter(name)
        result = method(self, *args, **kwargs)
        self.calls.leave(name)
        return result

    return observed
