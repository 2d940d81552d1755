"""Where the use cases call the ports: read from their source, and noted when they do it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from revela import usecases

USECASES = Path(usecases.__path__[0])

# They never leave the process: nothing of them can be broken.
IN_PROCESS = frozenset({"catalog", "clock", "entropy", "policies", "prompt_policy", "reduced", "telemetry"})

# Sites that no flow reaches, by the beginning of their names, and why.
PHOTO_FLOWS = "flows of their own: photo_flows"
A_KIND_DECIDES = "the port of either kind of job, called by whoever asked for it"
ELSEWHERE = {
    "change_model.py:": PHOTO_FLOWS,
    "change_photo.py:": PHOTO_FLOWS,
    "check_photo.py:": PHOTO_FLOWS,
    "create_model.py:": PHOTO_FLOWS,
    "delete_model.py:": PHOTO_FLOWS,
    "delete_photo.py:": PHOTO_FLOWS,
    "finish_training.py:_copy_weights ": "weights are copied where that is switched on: test_finish_training",
    "finish_training.py:_forget_unrecorded ": "versions that come too late: test_late_versions",
    "list_generations.py:": "GET /v1/generations changes nothing",
    "list_ledger.py:": "GET /v1/account/ledger changes nothing",
    "list_photos.py:": "GET /v1/models/{id}/photos changes nothing",
    "moving.py:_get ": A_KIND_DECIDES,
    "provider_predictions.py:calls_for ": A_KIND_DECIDES,
    "publish_changes.py:": "behind the table's stream",
    "reconcile_jobs.py:_due_rows generations under another name": A_KIND_DECIDES,
    "reconcile_jobs.py:_due_rows trainings under another name": A_KIND_DECIDES,
    "reconcile_jobs.py:_of_models ": PHOTO_FLOWS,
    "reconcile_jobs.py:_read_alone ": A_KIND_DECIDES,
    "reconcile_jobs.py:_visit_photo ": PHOTO_FLOWS,
    "reconcile_jobs.py:reconcile_jobs commands.check": PHOTO_FLOWS,
    "request_photo_uploads.py:": PHOTO_FLOWS,
    "show_generation.py:": "GET /v1/generations/{id} changes nothing",
    "show_model.py:": "GET /v1/models changes nothing",
    "show_photo.py:": "GET /v1/models/{id}/photos/{photo_id} changes nothing",
    "show_training.py:": "GET /v1/models/{id}/trainings changes nothing",
}

# Some of them have a frame of their own, as the version of Python has it.
_NAMELESS = re.compile(r"\.<locals>\.<\w+>")

P = TypeVar("P")


class Site(NamedTuple):
    """A call of a port's method. A port that is taken for anything else is a site that nobody reaches."""

    module: str
    function: str
    call: str
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.function} {self.call}, line {self.line}"


def unreached(reached: Collection[Site], root: Path = USECASES) -> list[str]:
    """Return the sites of the flows that are not among those `reached`."""
    left = [str(site) for site in sites(root) if site not in reached]
    return [site for site in left if not site.startswith(tuple(ELSEWHERE))]


def sites(root: Path = USECASES) -> list[Site]:
    """Return every site in the files there."""
    return [
        site
        for path in sorted(root.glob("*.py"))
        for site in _sites(ast.parse(path.read_text("utf-8")), path.name, "")
    ]


def watched(ports: P, note: Callable[[Site], None]) -> P:
    """Return these ports; each call that a use case makes is told to `note`."""
    return cast(P, _Watched(ports, note))


class _Watched:
    def __init__(self, ports: object, note: Callable[[Site], None]) -> None:
        self._ports, self._note = ports, note

    def __getattr__(self, name: str) -> Any:
        port = getattr(self._ports, name)
        return port if name in IN_PROCESS else _WatchedPort(name, port, self._note)


class _WatchedPort:
    def __init__(self, port_name: str, port: object, note: Callable[[Site], None]) -> None:
        self._port_name, self._port, self._note = port_name, port, note

    def __getattr__(self, name: str) -> Any:
        caller = sys._getframe(1)
        path = Path(caller.f_code.co_filename)
        if path.parent == USECASES:
            function = _NAMELESS.sub("", caller.f_code.co_qualname)
            self._note(Site(path.name, function, f"{self._port_name}.{name}", caller.f_lineno))
        return getattr(self._port, name)


def _sites(node: ast.AST, module: str, function: str) -> Iterator[Site]:
    """Yield what stands below a node, by the name that a running frame has there."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            inner = f"{function}.<locals>.{child.name}" if function else child.name
            yield from _sites(child, module, inner)
        elif isinstance(child, ast.Attribute) and (port := _port_of(child.value)):
            yield Site(module, function, f"{port}.{child.attr}", child.lineno)
        elif isinstance(child, ast.Attribute) and (port := _port_of(child)):
            yield Site(module, function, f"{port} under another name", child.lineno)
        else:
            yield from _sites(child, module, function)


def _port_of(node: ast.AST) -> str | None:
    """Return the name of a port that leaves the process, of `ports.port`."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ports":
        return None if node.attr in IN_PROCESS else node.attr
    return None
