"""Where the adapters' source calls the outside: read from the code, whoever runs it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.simulation.crash_points.choke_points import ADAPTERS

# A botocore client, PynamoDB's connection and its rows, our HTTP client and httpx below it.
_CALLS = re.compile(r"\b(_client|client|connection)\.\w+$|\brow(\.due)?\.(get|query)$|_http\.(send|stream)$")
_NOT_SENT = re.compile(r"\.(telemetry|meta|exceptions|close|endpoint_url|add_meta_table)\b")

# Sites that no flow of a generation reaches, by the beginning of their names, and what does.
ELSEWHERE = {
    "dynamodb/accounts.py:DynamoAccounts.ledger": "GET /v1/account/ledger changes nothing",
    "dynamodb/generations.py:DynamoGenerations.put_off": "rows that cannot be read: test_unreadable_rows",
    "dynamodb/generations.py:DynamoGenerations.page": "GET /v1/generations changes nothing",
    "eventbridge.py:": "publish_changes, behind the table's stream",
    "rekognition.py:": "check_photo, of training photos",
    "replicate/account.py:": "operators",
    "replicate/collections.py:": "operators",
    "replicate/deployments.py:": "operators",
    "replicate/files.py:": "operators",
    "replicate/hardware.py:": "operators",
    "replicate/models.py:": "operators",
    "replicate/search.py:": "operators",
    "replicate/trainings.py:": "operators",
    "replicate/versions.py:": "operators",
}


def uncovered(callers: set[str]) -> dict[str, list[str]]:
    """Return the call sites of the flows that none of `callers` is."""
    return {
        name: calls
        for name, calls in call_sites().items()
        if name not in callers and not name.startswith(tuple(ELSEWHERE))
    }


def call_sites(root: Path = ADAPTERS) -> dict[str, list[str]]:
    """Return the functions that call the outside, as `file:name`, with the calls in each."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for name, function in _functions(tree, ""):
            calls = sorted({text for text in _called(function) if _is_outside(text)})
            if calls:
                found[f"{path.relative_to(root).as_posix()}:{name}"] = calls
    return found


def _is_outside(text: str) -> bool:
    return _CALLS.search(text) is not None and _NOT_SENT.search(text) is None


def _functions(node: ast.AST, outer: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield functions and methods by the name that a running frame has."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{outer}{child.name}.")
        elif isinstance(child, ast.FunctionDef):
            yield f"{outer}{child.name}", child
            yield from _functions(child, f"{outer}{child.name}.<locals>.")
        else:
            yield from _functions(child, outer)


def _called(function: ast.FunctionDef) -> Iterator[str]:
    """Yield what is called in it, without what functions in it call."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef):
            continue
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        stack.extend(ast.iter_child_nodes(node))
