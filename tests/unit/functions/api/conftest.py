from __future__ import annotations

from collections.abc import Iterator

import pytest

from revela import bootstrap
from tests.unit.functions.api.client import ApiPorts, Client


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiPorts]:
    """The API's own wiring, over fakes."""
    fakes = ApiPorts()
    forget()
    monkeypatch.setattr(bootstrap, "ports", lambda: fakes)
    yield fakes
    monkeypatch.undo()
    forget()


@pytest.fixture
def api(ports: ApiPorts) -> Client:
    return Client()


def forget() -> None:
    """Make the process a fresh one: what it wired, and whom it has seen."""
    from api import requests
    from api.routes import catalog, service

    requests.open_once.cache_clear()
    catalog.rendered.cache_clear()
    service.rendered.cache_clear()
    for wired in vars(bootstrap).values():
        # Use cases, each wired once in a process.
        if hasattr(wired, "cache_clear") and wired is not bootstrap.ports:
            wired.cache_clear()
