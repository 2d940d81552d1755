"""Command line of the local engine: `python -m local --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local import commands, engine, redrive, replicate_operator, supervision
from local.check import command as check_command
from local.packaging import BuildFailed
from local.processes import ServerFailed
from local.stack import DeployFailed
from local.state import AlreadyRunning, NotRunning

EXPECTED = (
    AlreadyRunning,
    BuildFailed,
    DeployFailed,
    NotRunning,
    ServerFailed,
    commands.Refused,
)


def main(arguments: list[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked))
    except EXPECTED as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Revela on this machine.")
    subcommands = parser.add_subparsers(title="commands", required=True)
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument(
        "--state-dir",
        type=Path,
        default=engine.STATE_DIR,
        help="where a stack keeps its state and logs; one engine each (default: .local)",
    )

    def command(name: str, run: object, summary: str) -> argparse.ArgumentParser:
        added = subcommands.add_parser(name, help=summary, description=summary, parents=[everywhere])
        added.set_defaults(run=run)
        return added

    up = command("up", supervision.up, "Deploy template.yaml here and keep it running.")
    up.add_argument("--port", type=int, help="port of the embedded AWS and the API (default: any free one)")
    up.add_argument(
        "--replicate-port", type=int, help="port of the Replicate stand-in (default: any free one)"
    )
    up.add_argument("--issuer-port", type=int, help="port of the token issuer (default: any free one)")
    up.add_argument("--time-scale", type=float, default=1.0, help="how much faster the stand-in's clock runs")
    up.add_argument(
        "--parameter",
        action="append",
        default=[],
        type=_assignment,
        metavar="NAME=VALUE",
        help="a parameter of template.yaml, any number of times",
    )
    up.add_argument("--detach", action="store_true", help="return once it runs; `down` ends it")
    up.add_argument(
        "--with-parent",
        action="store_true",
        help="end with the process that started this one, however that ends",
    )

    command("down", supervision.down, "End the engine and everything it started.")

    token = command("token", commands.token, "Print a token of the local issuer; its subject is NAME.")
    token.add_argument("name")
    token.add_argument("--admin", action="store_true", help="put the user in the group of operators")

    account = command("account", commands.account, "Open NAME's account, set its plan, grant credits.")
    account.add_argument("name")
    account.add_argument("--plan", required=True)
    account.add_argument("--credits", type=int, required=True)
    account.add_argument("--reference", help="the same one given twice grants once (default: a new one)")

    lift = command("lift-suspension", commands.lift_suspension, "Let NAME's account ask for things again.")
    lift.add_argument("name")

    invoke = command("invoke", commands.invoke, "Invoke a deployed function; print its answer and its log.")
    invoke.add_argument("function", help="its folder in functions/")
    invoke.add_argument(
        "--event", type=Path, help="JSON file (default: an empty object; - reads standard input)"
    )

    event = command(
        "event", commands.event, "Print a sample of events/, signed anew, about a generation here."
    )
    event.add_argument("name", help="its path below events/, without .json")

    advance = command("advance", commands.advance, "Move the clock of the system and of the stand-in on.")
    advance.add_argument("seconds", type=int)

    again = command(
        "redrive", redrive.redrive, "Deliver anew what lies in dead letters, and say how much it was."
    )
    again.add_argument(
        "queue", nargs="?", metavar="QUEUE", help="a queue's logical id in template.yaml (default: every one)"
    )

    replicate = subcommands.add_parser(
        "replicate", help="Ask Replicate, or the stand-in that runs here, for anything its API has."
    )
    replicate.set_defaults(run=replicate_operator.run)
    replicate_operator.add_arguments(replicate, everywhere)

    check = subcommands.add_parser(
        "check", help="See, live, whether Replicate or a whole system works, and what to do where not."
    )
    check_command.add_arguments(check, everywhere)

    logs = command("logs", commands.logs, "Print what a function has logged.")
    logs.add_argument("function", help="its folder in functions/")
    return parser


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
