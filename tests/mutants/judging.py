"""What becomes of a mutant: its bug in a copy of the product, its test run against that copy, the verdict."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutants.mutant import ROOT, Mutant
from tests.mutants.trial import Failure, Report

PRODUCT = ("functions", "layers/core")
# Far beyond what any one test takes on a busy machine: a bug that never ends is noticed by nobody.
TRIAL_MAX_S = 180
_PASSED, _FAILED = 0, 1


class Fate(StrEnum):
    """`BROKEN`: the bug could not be planted or the code not run, so that nothing was learned of the test."""

    KILLED = "killed"
    SURVIVED = "survived"
    BROKEN = "broken"


@dataclass(frozen=True)
class Verdict:
    mutant: Mutant
    fate: Fate
    why: str
    took_s: float


def judge(mutant: Mutant) -> Verdict:
    """Run the mutant's test against the product with its bug."""
    began = time.monotonic()
    try:
        fate, why = verdict(trial([mutant.killed_by], mutant))
    except LookupError as error:
        fate, why = Fate.BROKEN, str(error)
    return Verdict(mutant, fate, why, time.monotonic() - began)


def verdict(report: Report | None) -> tuple[Fate, str]:
    """Return what a trial's report means, and why; None: it did not end."""
    if report is None:
        return Fate.BROKEN, "never ends"
    for failure in report.failures:
        if failure.broken:
            return Fate.BROKEN, f"{failure.error} in {failure.test}"
    if report.status == _PASSED and report.passed:
        return Fate.SURVIVED, "its test passes"
    if report.status == _FAILED and report.failures:
        return Fate.KILLED, report.failures[0].error
    return Fate.BROKEN, f"pytest ended with {report.status}"


def trial(tests: Sequence[str], mutant: Mutant | None = None) -> Report | None:
    """Run tests against a copy of the product, with a mutant's bug or none; None if that never ends."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as made:
        copy = Path(made)
        for part in PRODUCT:
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        if mutant is not None:
            planted = copy / mutant.file
            planted.write_text(mutant.planted(planted.read_text("utf-8")), "utf-8")
        report = run_apart(copy, tests)
    if report is not None and report.product is not None and not report.product.startswith(made):
        raise RuntimeError(f"the tests met the product in {report.product}, not its copy")
    return report


def run_apart(copy: Path, tests: Sequence[str]) -> Report | None:
    """Run tests against a copy of the product in a process of their own; None if they do not end."""
    # What is set here would reach the child's imports and options, and bytecode beside the tests is shared.
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    written = copy / "report.json"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.mutants.trial", str(copy), str(written), *tests],
            cwd=ROOT,
            env=inherited | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=TRIAL_MAX_S,
        )
    except subprocess.TimeoutExpired:
        return None
    if not written.exists():
        raise RuntimeError(f"the trial ended without a report:\n{done.stdout}\n{done.stderr}")
    said = json.loads(written.read_text("utf-8"))
    return Report(**said | {"failures": tuple(Failure(**failure) for failure in said["failures"])})
