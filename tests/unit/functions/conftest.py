"""What template.yaml sets for every function, before the first handler is imported; and its wiring."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from revela import bootstrap
from tests.unit.functions.worker import WORKERS, WorkerPorts

os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "Revela")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "revela")


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPorts]:
    """The workers' own wiring, over fakes."""
    fakes = WorkerPorts()
    _forget()
    monkeypatch.setattr(bootstrap, "ports", lambda: fakes)
    yield fakes
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    """Make the process a fresh one."""
    for name in WORKERS:
        getattr(bootstrap, name).cache_clear()
