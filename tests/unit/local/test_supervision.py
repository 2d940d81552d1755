"""Whether anybody is still there for an engine in the foreground."""

from __future__ import annotations

import os

import pytest

from local import supervision


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Who the parent is and whether there is a terminal, to be changed by tests."""
    told = {"parent": 100, "terminal": 1}
    monkeypatch.setattr(os, "getppid", lambda: told["parent"])
    monkeypatch.setattr(os, "isatty", lambda _: bool(told["terminal"]))
    return told


def test_an_engine_goes_on_while_nothing_changes(around: dict[str, int]) -> None:
    assert supervision.attended(with_parent=True)()


def test_it_ends_with_a_parent_that_was_killed(around: dict[str, int]) -> None:
    attended = supervision.attended(with_parent=True)
    around["parent"] = 1
    assert not attended()


def test_it_outlives_a_parent_that_does_not_matter(around: dict[str, int]) -> None:
    attended = supervision.attended(with_parent=False)
    around["parent"] = 1
    assert attended()


def test_it_ends_with_its_terminal(around: dict[str, int]) -> None:
    attended = supervision.attended(with_parent=False)
    around["terminal"] = 0
    assert not attended()


def test_without_a_terminal_none_is_missed(around: dict[str, int]) -> None:
    around["terminal"] = 0
    assert supervision.attended(with_parent=False)()
