"""Every code has its texts, and every place that names a code gives what its texts need."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from revela.domain import errors, messages
from revela.domain.errors import Refused
from revela.domain.judgement import HARM_CATEGORIES
from revela.domain.messages import (
    BLOCKS,
    CHARGED_FAILURES,
    ERRORS,
    FAILURES,
    LANGUAGES,
    PARAMS,
    PHOTOS,
    TITLES,
    language_of,
    text,
)
from revela.domain.training_messages import TRAINING_FAILURES

ROOT = Path(__file__).parents[3]
# Jobs of either kind fail with a `Failure`; a training may fail in ways of its own.
CATALOGS = {"ERRORS": ERRORS, "PARAMS": PARAMS, "FAILURES": FAILURES | TRAINING_FAILURES, "PHOTOS": PHOTOS}
CODES = [(name, code) for name, catalog in CATALOGS.items() for code in catalog]
REFUSALS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Refused)
}
STATUSES = {getattr(errors, name).status for name in REFUSALS}
# What a refusal takes beside the arguments of its text.
NO_ARGUMENTS = {"invalid_params", "retry_after_s"}


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


# Texts


@pytest.mark.parametrize(("catalog", "code"), CODES)
def test_a_code_has_both_languages_and_their_arguments_agree(catalog: str, code: str) -> None:
    texts = CATALOGS[catalog][code]

    assert set(texts) == set(LANGUAGES)
    assert all(found.strip() == found != "" for found in texts.values())
    assert texts["en"] != texts["pt-BR"]
    assert placeholders(texts["en"]) == placeholders(texts["pt-BR"])


@pytest.mark.parametrize("code", FAILURES)
def test_a_failure_says_that_nothing_was_charged(code: str) -> None:
    assert "You were not charged" in FAILURES[code]["en"]
    assert "Você não foi cobrado" in FAILURES[code]["pt-BR"]


@pytest.mark.parametrize(("catalog", "code"), CODES)
def test_a_text_takes_its_arguments(catalog: str, code: str) -> None:
    for language in LANGUAGES:
        args = {name: f"<{name}>" for name in placeholders(CATALOGS[catalog][code][language])}
        rendered = text(CATALOGS[catalog], code, language, args)
        assert all(value in rendered for value in args.values())


@pytest.mark.parametrize("catalog", [BLOCKS, CHARGED_FAILURES], ids=["blocks", "charged failures"])
def test_what_was_blocked_and_what_it_cost_is_told_in_both_languages(
    catalog: dict[str, dict[messages.Language, str]],
) -> None:
    for texts in catalog.values():
        assert set(texts) == set(LANGUAGES)
        assert texts["en"] != texts["pt-BR"]
        assert all(found.strip() == found != "" for found in texts.values())
        assert not any(placeholders(found) for found in texts.values())


def test_every_harm_that_a_judge_may_find_has_its_words() -> None:
    assert set(BLOCKS) == set(HARM_CATEGORIES)


@pytest.mark.parametrize("code", CHARGED_FAILURES)
def test_a_failure_that_was_charged_does_not_say_that_nothing_was(code: str) -> None:
    assert code in FAILURES
    for language in LANGUAGES:
        assert CHARGED_FAILURES[code][language] != FAILURES[code][language]
    assert "not charged" not in CHARGED_FAILURES[code]["en"]
    assert "não foi cobrado" not in CHARGED_FAILURES[code]["pt-BR"]


def test_every_kind_of_refusal_has_a_title() -> None:
    assert set(TITLES) >= STATUSES
    assert all(set(titles) == set(LANGUAGES) for titles in TITLES.values())


# Languages


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("*", "en"),
        ("pt-BR", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT,pt;q=0.9", "pt-BR"),
        ("PT-br", "pt-BR"),
        ("en-US,en;q=0.9,pt;q=0.8", "en"),
        ("en;q=0.5, pt-BR;q=0.6", "pt-BR"),
        ("fr-FR, de;q=0.9", "en"),
        ("fr, pt;q=0.1", "pt-BR"),
        ("pt;q=0, en;q=0.1", "en"),
        ("pt;q=0", "en"),
        ("pt;q=high, en;q=0.1", "en"),
        ("pt;q=nan", "en"),
        (",;,;q=1", "en"),
    ],
)
def test_people_are_answered_in_the_language_they_prefer(accepted: str | None, language: str) -> None:
    assert language_of(accepted) == language


# Codes and the places that name them


class Named(NamedTuple):
    """A call that names codes: with which arguments for their texts (None: not to be told from here)."""

    where: str
    catalog: str
    codes: frozenset[str]
    arguments: frozenset[str] | None


def sources() -> Iterator[tuple[Path, ast.Module]]:
    own = Path(messages.__file__)
    for folder in ("layers/core/revela", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != own:
                yield path, ast.parse(path.read_text("utf-8"))


SOURCES = list(sources())
REFUSALS |= {
    node.name
    for _, tree in SOURCES
    for node in ast.walk(tree)
    if isinstance(node, ast.ClassDef)
    and any(isinstance(base, ast.Name) and base.id in REFUSALS for base in node.bases)
}


def literals(node: ast.expr) -> frozenset[str]:
    """Return the strings that an expression may be: one, or either side of a conditional."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return frozenset({node.value})
    if isinstance(node, ast.IfExp):
        return literals(node.body) | literals(node.orelse)
    return frozenset()


def named(path: Path, call: ast.Call) -> Named | None:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    where = f"{path.relative_to(ROOT)}:{call.lineno}"
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in REFUSALS and call.args:
        arguments = None if None in keywords else frozenset(filter(None, keywords)) - NO_ARGUMENTS
        return Named(where, "ERRORS", literals(call.args[0]), arguments)
    if name == "InvalidParam" and len(call.args) >= 2:
        given = call.args[2] if len(call.args) > 2 else keywords.get("args", ast.Dict([], []))
        known = isinstance(given, ast.Dict) and None not in given.keys
        names = frozenset().union(*(literals(key) for key in given.keys if key)) if known else None  # type: ignore[attr-defined]  # a Dict
        return Named(where, "PARAMS", literals(call.args[1]), names)
    if name == "not_accepted" and call.args:
        return Named(where, "PARAMS", literals(call.args[0]), frozenset(filter(None, keywords)))
    if name == "_problem" and len(call.args) >= 2:
        return Named(where, "ERRORS", literals(call.args[1]), frozenset())
    if name in ("Rule", "_rule", "_training_rule") and len(call.args) >= 3:
        return Named(where, "FAILURES", literals(call.args[2]), frozenset())
    if name == "Codes":
        # Raised by the code that jobs share, with the state of the job.
        codes = frozenset().union(*(literals(value) for value in keywords.values()))
        return Named(where, "ERRORS", codes, None)
    if name == "Remark" and "code" in keywords:
        given = keywords.get("args", ast.Dict([], []))
        names = frozenset().union(*(literals(key) for key in given.keys if key))  # type: ignore[attr-defined]  # a Dict
        return Named(where, "PHOTOS", literals(keywords["code"]), names)
    if name == "Failure" and "code" in keywords:
        return Named(where, "FAILURES", literals(keywords["code"]), frozenset())
    return None


def tabled(path: Path, node: ast.Assign | ast.AnnAssign) -> Named | None:
    """Return the codes that a table gives what a schema refuses: each alone, or first of a tuple."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if not isinstance(target, ast.Name) or target.id not in ("_CODES", "_DESCRIBED"):
        return None
    assert isinstance(node.value, ast.Dict)
    values = (v.elts[0] if isinstance(v, ast.Tuple) else v for v in node.value.values)
    codes = frozenset().union(*map(literals, values))
    return Named(f"{path.relative_to(ROOT)}:{node.lineno}", "PARAMS", codes, None)


NAMED = [
    found
    for path, tree in SOURCES
    for node in ast.walk(tree)
    if (isinstance(node, ast.Call) and (found := named(path, node)) is not None)
    or (isinstance(node, ast.Assign | ast.AnnAssign) and (found := tabled(path, node)) is not None)
]


@pytest.mark.parametrize("call", [n for n in NAMED if n.codes], ids=lambda n: n.where)
def test_a_code_that_is_raised_exists_and_is_given_what_its_texts_need(call: Named) -> None:
    for code in call.codes:
        assert code in CATALOGS[call.catalog]
        if call.arguments is not None:
            assert call.arguments == placeholders(CATALOGS[call.catalog][code]["en"])


@pytest.mark.parametrize(("catalog", "code"), CODES)
def test_a_code_that_exists_is_raised_somewhere(catalog: str, code: str) -> None:
    assert any(n.catalog == catalog and code in n.codes for n in NAMED)
