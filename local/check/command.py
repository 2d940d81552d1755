"""`python -m local check replicate|generation|training`: its arguments, and which check they ask for."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from local import engine

if TYPE_CHECKING:
    from local.check.report import Report

CORE = str(engine.ROOT / "layers" / "core")
TIMEOUT_S = 300
TRAINING_TIMEOUT_S = 5400


def add_arguments(parser: argparse.ArgumentParser, everywhere: argparse.ArgumentParser) -> None:
    """Give `parser` a command for each check."""
    kinds = parser.add_subparsers(title="checks", required=True, metavar="CHECK")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object when all is done")
    common.add_argument(
        "--timeout-s",
        type=_seconds,
        default=TIMEOUT_S,
        help=f"how long it may take (default: {TIMEOUT_S}; a training {TRAINING_TIMEOUT_S})",
    )

    summary = "The Replicate that is configured: token, models, webhook URL, one real prediction."
    replicate = kinds.add_parser("replicate", help=summary, description=summary, parents=[everywhere, common])
    replicate.add_argument("--dry-run", action="store_true", help="make no prediction: nothing is billed")
    replicate.set_defaults(run=check_replicate)

    whole = argparse.ArgumentParser(add_help=False)
    whole.add_argument(
        "--api-url",
        default=os.environ.get("REVELA_API_URL"),
        help="the stack's output ApiUrl (default: $REVELA_API_URL, else the running engine's)",
    )
    whole.add_argument(
        "--token",
        default=os.environ.get("REVELA_TOKEN"),
        help="of the user who asks (default: $REVELA_TOKEN, else one of the running engine's issuer)",
    )

    summary = "A whole system, local or deployed: one image from request to download, credits, deletion."
    parents = [everywhere, common, whole]
    generation = kinds.add_parser("generation", help=summary, description=summary, parents=parents)
    generation.set_defaults(run=check_generation)

    summary = "A whole system, local or deployed: photos, one training, credits, deletion."
    training = kinds.add_parser("training", help=summary, description=summary, parents=parents)
    training.add_argument("--dry-run", action="store_true", help="photos and advice alone: nothing is paid")
    training.set_defaults(run=check_training, timeout_s=TRAINING_TIMEOUT_S)


def check_replicate(asked: argparse.Namespace) -> int:
    # Here and below imported when asked for: every other command starts without what a check needs.
    sys.path.insert(0, CORE)
    from local.check import replicate
    from local.check.configured import configured

    found = configured(asked.state_dir)
    report = _report(asked, found.token)
    return replicate.check(report, found, dry_run=asked.dry_run, timeout_s=asked.timeout_s)


def check_generation(asked: argparse.Namespace) -> int:
    from local.check import generation
    from local.check.system import system_of

    system = system_of(asked.state_dir, api_url=asked.api_url, token=asked.token)
    return generation.check(_report(asked, system.token or ""), system, timeout_s=asked.timeout_s)


def check_training(asked: argparse.Namespace) -> int:
    from local.check import training
    from local.check.system import system_of

    system = system_of(asked.state_dir, api_url=asked.api_url, token=asked.token)
    report = _report(asked, system.token or "")
    return training.check(report, system, dry_run=asked.dry_run, timeout_s=asked.timeout_s)


def _report(asked: argparse.Namespace, secret: str) -> Report:
    from rich.console import Console

    from local.check.report import Report

    # Lines stay whole, for terminals to wrap and for others to search.
    return Report(Console(highlight=False, soft_wrap=True), as_json=asked.json, secrets=[secret])


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError("must be a whole number of seconds above zero")
    return int(text)
