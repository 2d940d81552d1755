"""The planted bugs fit the code as it is, and their judge can be trusted. `make mutants` plants them."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.mutants.__main__ import chosen, row
from tests.mutants.judging import Fate, Verdict, run_apart, trial, verdict
from tests.mutants.mutant import AREAS, CORE_AREAS, ROOT, Mutant, load
from tests.mutants.trial import Failure, Report
from tests.report import section

MUTANTS = load()
AT_LEAST, CORE_AT_LEAST, AREA_AT_LEAST = 140, 90, 5
BEHAVIOUR = ("tests/unit/domain/", "tests/unit/usecases/", "tests/unit/adapters/", "tests/unit/functions/")
OVER_PORTS = ("tests/contract/", "tests/simulation/")
# They hold files against files, or what is imported against a list: a bug is none of their business.
NO_BEHAVIOUR = ("test_openapi.py", "test_messages.py", "test_catalog_inputs.py")


@cache
def source(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


@cache
def names_in(path: str) -> frozenset[str]:
    return frozenset(f.name for f in ast.parse(source(path)).body if isinstance(f, ast.FunctionDef))


each_mutant = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)


# The list


def test_there_are_enough_where_credits_jobs_and_images_are_at_stake() -> None:
    by_area = Counter(mutant.area for mutant in MUTANTS)

    assert len(MUTANTS) >= AT_LEAST
    assert sum(by_area[area] for area in CORE_AREAS) >= CORE_AT_LEAST
    assert min(by_area[area] for area in AREAS) >= AREA_AT_LEAST


def test_every_area_that_is_written_down_is_played() -> None:
    assert {path.stem for path in (ROOT / "tests/mutants").glob("*.toml")} == set(AREAS)


def test_no_two_have_a_name_or_a_bug_in_common() -> None:
    assert not [name for name, times in Counter(m.name for m in MUTANTS).items() if times > 1]
    planted = Counter((m.file, m.planted(source(m.file))) for m in MUTANTS)
    assert max(planted.values()) == 1


@each_mutant
def test_a_bug_can_be_planted_and_changes_what_the_code_does(mutant: Mutant) -> None:
    before = source(mutant.file)
    after = mutant.planted(before)

    compile(after, mutant.file, "exec")
    assert ast.dump(ast.parse(before)) != ast.dump(ast.parse(after))


@each_mutant
def test_its_killer_is_a_test_of_behaviour(mutant: Mutant) -> None:
    path, _, name = mutant.killed_by.partition("::")

    assert path.startswith(BEHAVIOUR + OVER_PORTS)
    assert not path.endswith(NO_BEHAVIOUR)
    assert name in names_in(path)


def test_the_page_tells_of_every_mutant_and_that_it_was_killed() -> None:
    rows = [line for line in section("mutants").splitlines() if line.startswith("| ")][2:]

    killed = [row(Verdict(mutant, Fate.KILLED, "", 0.0)) for mutant in MUTANTS]
    assert rows == killed, "make mutants writes this section"


# The judge

BUG = MUTANTS[0]
TESTS = """
import pytest

import revela


@pytest.fixture
def prepared():
    assert revela.CREDITS == 1


def test_asserts():
    assert revela.CREDITS == 1


def test_expects_a_refusal():
    with pytest.raises(ValueError):
        pass


def test_meets_an_error():
    raise ValueError


def test_cannot_run():
    revela.nowhere()


def test_is_not_prepared(prepared):
    pass


def test_passes():
    assert revela.CREDITS == 2
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A product of one line, and tests of it that end in every way."""
    (tmp_path / "layers/core/revela").mkdir(parents=True)
    (tmp_path / "layers/core/revela/__init__.py").write_text("CREDITS = 2\n")
    (tmp_path / "test_endings.py").write_text(TESTS)
    (tmp_path / "test_nothing.py").write_text("import revela.nowhere\n")
    return tmp_path


def test_a_trial_tells_how_each_test_failed(copy: Path) -> None:
    report = run_apart(copy, [str(copy / "test_endings.py")])

    assert report is not None
    assert {
        failure.test.rpartition("::")[2]: (failure.error, failure.broken) for failure in report.failures
    } == {
        "test_asserts": ("AssertionError", False),
        "test_expects_a_refusal": ("Failed", False),
        "test_meets_an_error": ("ValueError", False),
        "test_cannot_run": ("AttributeError", True),
        "test_is_not_prepared": ("AssertionError", True),
    }
    assert (report.status, report.passed) == (1, 1)
    assert report.product == str(copy / "layers/core/revela/__init__.py")


def test_tests_that_cannot_even_be_collected_kill_nothing(copy: Path) -> None:
    report = run_apart(copy, [str(copy / "test_nothing.py")])

    assert report is not None
    assert [(failure.error, failure.broken) for failure in report.failures] == [("collection", True)]
    assert verdict(report)[0] is Fate.BROKEN


def test_of_two_kinds_of_failure_breakage_decides() -> None:
    asserted, broken = Failure("a", "AssertionError", False), Failure("b", "NameError", True)

    assert verdict(Report(1, 0, (asserted,), None)) == (Fate.KILLED, "AssertionError")
    assert verdict(Report(1, 0, (asserted, broken), None)) == (Fate.BROKEN, "NameError in b")


def test_a_mutant_survives_only_tests_that_ran() -> None:
    assert verdict(Report(0, 1, (), None))[0] is Fate.SURVIVED
    for status, passed in ((0, 0), (5, 0), (4, 0), (2, 0), (1, 1)):
        assert verdict(Report(status, passed, (), None))[0] is Fate.BROKEN


def test_a_bug_that_never_ends_is_noticed_by_nobody() -> None:
    assert verdict(None) == (Fate.BROKEN, "never ends")


def test_a_bug_whose_place_has_moved_is_not_planted() -> None:
    for text in ("", BUG.find * 2):
        with pytest.raises(LookupError, match=BUG.name):
            BUG.planted(text)


def test_the_product_itself_is_left_alone() -> None:
    before = source(BUG.file)
    found = trial([BUG.killed_by], BUG)

    assert verdict(found)[0] is Fate.KILLED
    assert Path(ROOT / BUG.file).read_text("utf-8") == before


# The run


def test_mutants_are_chosen_by_name_or_area() -> None:
    assert chosen(MUTANTS, []) == MUTANTS
    assert chosen(MUTANTS, [BUG.name]) == [BUG]
    assert {mutant.area for mutant in chosen(MUTANTS, ["pace"])} == {"pace"}


def test_a_name_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        chosen(MUTANTS, ["nonsense"])
    assert "no such mutant: nonsense" in capsys.readouterr().err


def test_a_row_says_what_did_not_kill() -> None:
    survived = row(Verdict(BUG, Fate.SURVIVED, "its test passes", 0.0))

    assert "**survived: its test passes**" in survived
    assert "**" not in row(Verdict(BUG, Fate.KILLED, "AssertionError", 0.0))
