"""Nothing unjudged is published or signed for, by construction: who may do it is read off the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import get_type_hints

from local import engine
from revela.domain.judgement import Judgement
from revela.usecases import publish_outputs
from revela.usecases.publish_outputs import JudgedImage

USECASES = engine.ROOT / "layers" / "core" / "revela" / "usecases"
FUNCTIONS = engine.ROOT / "functions"


def callers(method: str) -> set[str]:
    """Return the modules that call a method of the bucket's port."""
    return {file.stem for file, call in _calls() if call == ("objects", method)}


def _calls() -> Iterator[tuple[Path, tuple[str, str]]]:
    for folder in (USECASES, FUNCTIONS):
        for file in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Attribute):
                    yield file, (called.value.attr, called.attr)


def users_of(attribute: str) -> set[str]:
    return {
        file.stem
        for file in sorted(USECASES.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == attribute
    }


def test_one_use_case_alone_copies_from_quarantine_to_where_images_are_seen() -> None:
    assert callers("copy") == callers("put_bytes") == {"publish_outputs"}
    # Of the others, one makes room in quarantine, two keep photos and weights; none knows the place.
    assert callers("put_file") == {"save_outputs", "check_photo", "finish_training"}
    assert users_of("published_prefix") == {"publish_outputs", "delete_generation"}


def test_what_it_publishes_has_been_judged() -> None:
    """mypy holds the callers to it: a ticket, or nothing at all, is no Judgement."""
    assert get_type_hints(JudgedImage)["judgement"] is Judgement
    taken = get_type_hints(publish_outputs.publish_outputs)["judged"]
    assert taken.__args__ == (JudgedImage,)
    assert "judged" in signature(publish_outputs.publish_outputs).parameters


def test_urls_are_signed_for_published_images_and_clean_photos_alone() -> None:
    assert callers("presign") == {"show_generation", "list_photos"}
    hidden = ("quarantined", "quarantine_prefix", "blocked", "upload_key", "incoming_prefix")
    who_knows = set().union(*map(users_of, hidden))
    assert who_knows
    assert not who_knows & callers("presign")
