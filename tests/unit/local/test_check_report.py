from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from local.check.causes import Cause
from local.check.report import Failed, Report, Skipped


def a_report(**options: object) -> tuple[Report, StringIO]:
    file = StringIO()
    return Report(Console(file=file, soft_wrap=True), **options), file  # type: ignore[arg-type]  # as given


def well() -> str:
    return "as it should be"


def badly() -> str:
    raise Failed(Cause.OUT_OF_CREDIT, "402 says r8_secret")


def not_here() -> str:
    raise Skipped("nothing to look at")


def test_a_failure_is_explained_where_it_is_shown() -> None:
    report, file = a_report()
    assert not report.step("credit", badly)
    assert report.end() == 1
    printed = file.getvalue()
    assert printed.startswith("✗ credit")
    for said in (Cause.OUT_OF_CREDIT.meaning, Cause.OUT_OF_CREDIT.remedy):
        assert said in printed
    assert f"docs/troubleshooting.md#{Cause.OUT_OF_CREDIT.anchor}" in printed
    assert "1 of 1 steps failed: credit" in printed


def test_what_needs_a_failed_step_is_not_done() -> None:
    report, file = a_report()
    report.step("first", badly)
    done: list[str] = []

    def act() -> str:
        done.append("it")
        return "done"

    assert not report.step("second", act, needs=["first"])
    assert not report.step("third", act, needs=["second"])
    assert not done
    assert "– second" in file.getvalue()
    assert [step.outcome for step in report.steps] == ["failed", "skipped", "skipped"]


def test_what_was_left_out_is_no_failure_but_carries_nothing() -> None:
    report, file = a_report()
    report.step("first", not_here)
    report.step("second", well, needs=["first"])
    report.step("third", well)
    assert report.end() == 0
    assert [step.outcome for step in report.steps] == ["skipped", "skipped", "passed"]
    assert "Nothing failed." in file.getvalue()


@pytest.mark.parametrize("as_json", [True, False])
def test_a_secret_is_shown_nowhere(*, as_json: bool) -> None:
    report, file = a_report(as_json=as_json, secrets=["r8_secret", ""])
    report.say("with r8_secret")
    report.step("credit", badly)
    report.end()
    assert "r8_secret" not in file.getvalue()
    assert "402 says …" in json.dumps([step.seen for step in report.steps], ensure_ascii=False)


def test_json_is_one_object_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    report, file = a_report(as_json=True)
    report.say("a heading")
    with report.progress() as show:
        show("halfway")
    report.step("one", well)
    report.step("two", badly)
    assert report.end() == 1
    assert capsys.readouterr() == ("", "a heading\n")
    told = json.loads(file.getvalue())
    assert told["passed"] is False
    assert told["steps"][0] == {"name": "one", "outcome": "passed", "seen": "as it should be"}
    assert told["steps"][1]["see"].startswith("docs/troubleshooting.md#")


def test_markup_of_an_answer_is_text() -> None:
    report, file = a_report()
    report.step("token", lambda: "[red]not[/] markup\nin two lines")
    assert "[red]not[/] markup in two lines" in file.getvalue()
