"""Where the adapters' source calls the outside: read from the code, whoever runs it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.simulation.crash_points.choke_points import ADAPTERS

# A botocore client, PynamoDB's connection, our HTTP client and httpx below it.
_CALLS = re.compile(r"\b(_client|client|connection)\.\w+$|_http\.(send|stream)$")
_NOT_SENT = re.compile(r"\.(telemetry|meta|exceptions|close|endpoint_url|add_meta_table)\b")
# What PynamoDB's models, their rows and their indexes send.
_SENT_BY_ROWS = frozenset(
    {"batch_get", "batch_write", "count", "delete", "get", "query", "refresh", "save", "scan", "update"}
)

# Sites that no flow of a generation reaches, by the beginning of their names, and what does.
ELSEWHERE = {
    "dynamodb/accounts.py:DynamoAccounts.ledger": "GET /v1/account/ledger changes nothing",
    "dynamodb/generations.py:DynamoGenerations.page": "GET /v1/generations changes nothing",
    "dynamodb/models.py:DynamoModels.page": "GET /v1/models changes nothing",
    "dynamodb/models.py:DynamoPhotos": "photos and trainings",
    "eventbridge.py:": "publish_changes, behind the table's stream",
    "rekognition.py:": "check_photo, of training photos",
    "rekognition_celebrities.py:": "photo_flows",
    "replicate/collections.py:": "operators",
    "replicate/deployments.py:": "operators",
    "replicate/files.py:": "operators",
    "replicate/hardware.py:": "operators",
    "replicate/models.py:": "operators",
    "replicate/search.py:": "operators",
    "replicate/trainings.py:": "operators",
    "replicate/versions.py:": "operators",
    "s3.py:S3Objects._is_missing": "check_photo and start_training, of an object that is gone",
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
            rows = _rows(function)
            calls = sorted({text for text in _called(function) if _is_outside(text, rows)})
            if calls:
                found[f"{path.relative_to(root).as_posix()}:{name}"] = calls
    return found


def _is_outside(text: str, rows: set[str]) -> bool:
    if _CALLS.search(text):
        return _NOT_SENT.search(text) is None
    root = re.match(r"\w*", text)
    of_rows = "tables." in text or (root is not None and root[0] in rows)
    return of_rows and text.rpartition(".")[2] in _SENT_BY_ROWS


def _rows(function: ast.FunctionDef) -> set[str]:
    """Return the names that stand for a kind of row of the tables, or for such a row."""
    names: set[str] = set()
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        value = ast.unparse(node.value.func if isinstance(node.value, ast.Call) else node.value)
        if value in names or re.fullmatch(r"(self\._)?tables\.\w+", value):
            names.add(node.targets[0].id)
    return names


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
