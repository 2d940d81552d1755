"""`python -m local replicate THING VERB`: what an operator may ask of Replicate, answered in JSON.

Asks the running engine's stand-in, or the server that REPLICATE_API_TOKEN and REPLICATE_API_BASE_URL name.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from local import engine, state
from local.provider import Provider

CORE = str(engine.ROOT / "layers" / "core")
LIMIT = 20


@dataclass(frozen=True)
class Server:
    """A Replicate to speak with; `files_secret` signs download URLs where it is known."""

    api_url: str
    token: str
    files_secret: str | None = None


@dataclass(frozen=True)
class Argument:
    name: str
    options: dict[str, Any] = field(default_factory=dict)


def run(asked: argparse.Namespace) -> int:
    """Ask, print, and explain in one line what went wrong."""
    server = server_of(asked.state_dir)
    sys.path.insert(0, CORE)
    from local import replicate_operations
    from revela.domain.errors import Permanent, ProviderTransient

    try:
        answer = replicate_operations.perform(server, asked)
    except (ProviderTransient, Permanent) as error:
        print(f"error: {server.api_url}: {replicate_operations.explain(error)}", file=sys.stderr)
        return 1
    if answer is not None:
        _print(answer if isinstance(answer, str) else json.dumps(answer, indent=2, ensure_ascii=False))
    return 0


def server_of(state_dir: Path) -> Server:
    """Return the server that the environment names, else the running engine's stand-in.

    Raises NotRunning where there is neither.
    """
    named = Provider.of_environment(os.environ)
    if named is not None:
        return Server(named.api_url, named.token, os.environ.get("REPLICATE_FILES_SECRET"))
    current = state.read(state_dir)
    if current.replicate_token is None:
        raise state.NotRunning(
            f"the engine of {state_dir} speaks with {current.replicate_url}: set REPLICATE_API_TOKEN"
            f" and REPLICATE_API_BASE_URL to do so too"
        )
    from local.replicate.stand_in import DEFAULT_FILES_SECRET

    return Server(current.replicate_url, current.replicate_token, DEFAULT_FILES_SECRET)


def add_arguments(parser: argparse.ArgumentParser, everywhere: argparse.ArgumentParser) -> None:
    """Give `parser` a command for each thing, and that one for each verb."""
    things = parser.add_subparsers(title="things", dest="thing", required=True, metavar="THING")
    for thing, verbs in VERBS.items():
        summary = f"{thing}: {', '.join(verbs)}"
        verbs_parser = things.add_parser(thing, help=summary, description=summary)
        commands = verbs_parser.add_subparsers(title="verbs", dest="verb", required=True, metavar="VERB")
        for verb, arguments in verbs.items():
            added = commands.add_parser(verb, help=f"{verb} {thing}", parents=[everywhere])
            for argument in arguments:
                added.add_argument(argument.name, **argument.options)


def _print(text: str) -> None:
    try:
        print(text.rstrip("\n"), flush=True)
    except BrokenPipeError:
        # Whoever reads has seen enough, such as `head`; what is left goes nowhere, without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _pair(text: str) -> tuple[str, str]:
    owner, slash, name = text.partition("/")
    if not slash or not owner or not name or "/" in name:
        raise argparse.ArgumentTypeError("must be OWNER/NAME")
    return owner, name


def _version(text: str) -> tuple[str, str, str]:
    model, colon, version = text.partition(":")
    if not colon or not version:
        raise argparse.ArgumentTypeError("must be OWNER/NAME:VERSION")
    return (*_pair(model), version)


def _json_object(text: str) -> dict[str, Any]:
    """Read `{...}`, `@FILE`, or `-` for standard input."""
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8")
        value = json.loads(text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"must be a JSON object, @FILE or -: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a time as 2026-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.astimezone()


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError("must be a whole number above zero")
    return int(text)


def _of(name: str, kind: Callable[[str], Any] = str, **options: Any) -> Argument:
    return Argument(name, {"type": kind, **options})


ID, SLUG, QUERY = _of("id"), _of("slug"), _of("query")
MODEL = _of("model", _pair, metavar="OWNER/NAME")
DEPLOYMENT = _of("deployment", _pair, metavar="OWNER/NAME")
VERSION = _of("version", _version, metavar="OWNER/NAME:VERSION")
PAGES = _of("--limit", _count, default=LIMIT, help=f"how many at most (default: {LIMIT})")
INPUT = _of("--input", _json_object, required=True, metavar="JSON", help="an object, @FILE or -")
WEBHOOK = _of("--webhook", metavar="URL", help="is told of the start and of the end")
CANCEL_AFTER = _of("--cancel-after-s", _count, help="the job's deadline, five seconds at least")
DETAILS = tuple(_of(f"--{name}") for name in ("description", "github-url", "paper-url", "license-url"))
README = _of("--readme", Path, metavar="FILE", help="Markdown")
HARDWARE = _of("--hardware", metavar="SKU", help="one of `hardware list`")
INSTANCES = (_of("--min-instances", int), _of("--max-instances", int))

VERBS: dict[str, dict[str, tuple[Argument, ...]]] = {
    "predictions": {
        "list": (PAGES, _of("--since", _moment, metavar="TIME")),
        "get": (ID,),
        "create": (
            _of("--version", required=True, help="OWNER/NAME of an official model, or a version"),
            INPUT,
            WEBHOOK,
            CANCEL_AFTER,
        ),
        "cancel": (ID,),
    },
    "trainings": {
        "list": (PAGES,),
        "get": (ID,),
        "create": (
            _of("--trainer", _version, required=True, metavar="OWNER/NAME:VERSION"),
            _of("--destination", required=True, metavar="OWNER/NAME", help="a model of this account"),
            INPUT,
            WEBHOOK,
        ),
        "cancel": (ID,),
    },
    "models": {
        "list": (
            PAGES,
            _of("--sort-by", choices=("model_created_at", "latest_version_created_at")),
            _of("--sort-direction", choices=("asc", "desc")),
        ),
        "search": (QUERY, PAGES),
        "get": (MODEL,),
        "create": (
            MODEL,
            _of("--visibility", choices=("public", "private"), default="private"),
            _of("--hardware", metavar="SKU", default="gpu-t4", help="one of `hardware list`"),
            *DETAILS,
            _of("--cover-image-url"),
        ),
        "update": (MODEL, *DETAILS, _of("--weights-url"), README),
        "delete": (MODEL,),
        "examples": (MODEL, PAGES),
        "readme": (MODEL,),
    },
    "versions": {"list": (MODEL, PAGES), "get": (VERSION,), "delete": (VERSION,)},
    "deployments": {
        "list": (PAGES,),
        "get": (DEPLOYMENT,),
        "create": (
            _of("name"),
            _of("--version", _version, required=True, metavar="OWNER/NAME:VERSION"),
            _of("--hardware", required=True, metavar="SKU", help="one of `hardware list`"),
            _of("--min-instances", int, default=0, help="they are billed when idle too (default: 0)"),
            _of("--max-instances", int, default=1),
        ),
        "update": (DEPLOYMENT, _of("--version", help="64 hex digits"), HARDWARE, *INSTANCES),
        "delete": (DEPLOYMENT,),
        "predict": (DEPLOYMENT, INPUT, WEBHOOK, CANCEL_AFTER),
    },
    "files": {
        "list": (PAGES,),
        "get": (ID,),
        "create": (
            _of("path", Path),
            _of("--type", metavar="MIME", help="by the file's name unless said"),
            _of("--metadata", _json_object, metavar="JSON"),
        ),
        "delete": (ID,),
        "url": (ID, _of("--expires-in-s", _count, default=3600, help="(default: an hour)")),
    },
    "hardware": {"list": ()},
    "account": {"get": ()},
    "collections": {"list": (PAGES,), "get": (SLUG,)},
    "search": {"list": (QUERY, PAGES)},
    "webhook-secret": {"get": ()},
}
