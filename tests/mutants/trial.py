"""One trial, in a process of its own: run some tests against one copy of the product, write how they failed.

python -m tests.mutants.trial COPY REPORT TEST...
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

# What code raises that cannot work at all, whatever it was meant to do. To notice that takes no test.
BREAKAGE = (ImportError, SyntaxError, NameError, AttributeError, TypeError, Warning)


@dataclass(frozen=True)
class Failure:
    """`broken`: the code could not run, or the test's own preparation failed."""

    test: str
    error: str
    broken: bool


@dataclass(frozen=True)
class Report:
    """`product`: where the code under test was imported from, None if it never was."""

    status: int
    passed: int
    failures: tuple[Failure, ...]
    product: str | None


class _Observer:
    def __init__(self) -> None:
        self.passed = 0
        self.failures: list[Failure] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed and call.excinfo is not None:
            # What must hold after a test is asserted in its teardown.
            broken = call.when == "setup" or issubclass(call.excinfo.type, BREAKAGE)
            self.failures.append(Failure(item.nodeid, call.excinfo.type.__name__, broken))
        self.passed += call.when == "call" and report.passed
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failures.append(Failure(report.nodeid, "collection", broken=True))


def run(copy: Path, tests: list[str]) -> Report:
    """Run the tests in this process, which must not have imported the product yet."""
    observer = _Observer()
    paths = (Path.cwd(), copy / "functions", copy / "layers/core")
    settings = ["-c", "pyproject.toml", "-o", f"pythonpath={shlex.join(str(path) for path in paths)}"]
    status = pytest.main(["-q", "-p", "no:cacheprovider", *settings, *tests], plugins=[observer])
    product = getattr(sys.modules.get("revela"), "__file__", None)
    return Report(int(status), observer.passed, tuple(observer.failures), product)


def main(copy: str, report: str, *tests: str) -> None:
    Path(report).write_text(json.dumps(asdict(run(Path(copy), list(tests)))), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
