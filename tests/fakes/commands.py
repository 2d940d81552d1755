from __future__ import annotations

from collections.abc import Iterable

from revela.ports import ProviderReport, Ref
from tests.fakes.calls import Calls, port_call


class FakeCommands:
    """Keeps the messages in the order they were sent; a test takes them away to deliver them.

    With `failure` set, sending raises it and nothing is sent.
    """

    def __init__(self, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self.started: list[Ref] = []
        self.finished: list[ProviderReport] = []
        self.checked: list[Ref] = []
        self.failure: Exception | None = None

    @port_call
    def start(self, refs: Iterable[Ref]) -> None:
        self._may_send()
        self.started.extend(refs)

    @port_call
    def finish(self, reports: Iterable[ProviderReport]) -> None:
        self._may_send()
        self.finished.extend(reports)

    @port_call
    def check(self, photos: Iterable[Ref]) -> None:
        self._may_send()
        self.checked.extend(photos)

    def take_started(self) -> list[Ref]:
        taken, self.started = self.started, []
        return taken

    def take_finished(self) -> list[ProviderReport]:
        taken, self.finished = self.finished, []
        return taken

    def take_checked(self) -> list[Ref]:
        taken, self.checked = self.checked, []
        return taken

    def _may_send(self) -> None:
        if self.failure is not None:
            raise self.failure
