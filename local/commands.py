"""What the command line does with an engine that runs, one function per command."""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import sys
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from local import aws, engine, identity, samples, state
from local.state import State

CONTROL_TIMEOUT_S = 60
# Samples of this name are signed by somebody who does not know the secret, and stay so.
FORGED = "forged"
CORE = str(engine.ROOT / "layers" / "core")
# The function whose settings `account` borrows: it may do all that a grant does.
OPERATOR = "reconcile_jobs"


class Refused(Exception):
    """What was asked for cannot be done; the message says why."""


def token(asked: argparse.Namespace) -> int:
    current = state.read(asked.state_dir)
    groups = [identity.ADMIN_GROUP] if asked.admin else []
    print(identity.sign_token(asked.state_dir, current.issuer_url, asked.name, groups=groups))
    return 0


def account(asked: argparse.Namespace) -> int:
    granted = grant_credits(
        state.read(asked.state_dir),
        user_id=asked.name,
        plan=asked.plan,
        amount=asked.credits,
        reference=asked.reference or f"operator#{uuid4()}",
    )
    print(granted.model_dump_json(indent=2, include={"user_id", "plan", "available", "held", "spent"}))
    return 0


def grant_credits(current: State, *, user_id: str, plan: str, amount: int, reference: str) -> Any:
    """Grant `amount` credits through the use case of operators, with a deployed function's settings."""
    _borrow_settings(current)
    from revela import bootstrap
    from revela.domain.errors import InvalidRequest
    from revela.usecases.grant_credits import GrantCredits

    command = GrantCredits(user_id=user_id, plan=plan, credits=amount, reference=reference)
    try:
        return bootstrap.grant_credits()(command)
    except InvalidRequest as error:
        faults = (f"{fault.name}: {fault.code} {dict(fault.args)}" for fault in error.invalid_params)
        raise Refused("; ".join(faults)) from error


def lift_suspension(asked: argparse.Namespace) -> int:
    """End a suspension through the use case of operators, with a deployed function's settings."""
    _borrow_settings(state.read(asked.state_dir))
    from revela import bootstrap
    from revela.domain.errors import NotFound

    try:
        lifted = bootstrap.lift_suspension()(asked.name)
    except NotFound:
        raise Refused(f"there is no account of {asked.name}") from None
    print(lifted.model_dump_json(indent=2, include={"user_id", "suspension", "suspensions", "strikes_today"}))
    return 0


def invoke(asked: argparse.Namespace) -> int:
    current = state.read(asked.state_dir)
    answer = aws.client("lambda", current.aws_endpoint_url).invoke(
        FunctionName=_function(current, asked.function), LogType="Tail", Payload=_event(asked.event)
    )
    print(json.dumps(json.loads(answer["Payload"].read() or b"null"), indent=2, ensure_ascii=False))
    print(base64.b64decode(answer.get("LogResult", "")).decode(), file=sys.stderr)
    return 1 if "FunctionError" in answer else 0


def logs(asked: argparse.Namespace) -> int:
    current = state.read(asked.state_dir)
    configuration = _configuration(current, asked.function)
    pages = (
        aws.client("logs", current.aws_endpoint_url)
        .get_paginator("filter_log_events")
        .paginate(logGroupName=configuration["LoggingConfig"]["LogGroup"])
    )
    for page in pages:
        for event in page["events"]:
            print(event["message"].rstrip())
    return 0


def event(asked: argparse.Namespace) -> int:
    """Print a sample about the newest row of its kind in this engine."""
    current = state.read(asked.state_dir)
    file = engine.ROOT / "events" / f"{asked.name}.json"
    if not file.exists():
        there = sorted(
            str(other.relative_to(engine.ROOT / "events").with_suffix(""))
            for other in (engine.ROOT / "events").rglob("*.json")
        )
        raise Refused(f"no sample {asked.name}; there are: {', '.join(there)}")
    now = datetime.now(UTC) + timedelta(seconds=current.clock_offset_s)
    signing = _signing(current)
    if signing and file.stem == FORGED:
        signing = replace(signing, webhook_secret=f"whsec_{base64.b64encode(b'a guess').decode()}")
    sample = json.loads(file.read_text())
    made = samples.fresh(sample, _newest_job(current, samples.kind_of(sample)), signing, now)
    print(json.dumps(made, indent=2, ensure_ascii=False))
    return 0


def advance(asked: argparse.Namespace) -> int:
    move_clocks(asked.state_dir, asked.seconds)
    return 0


def move_clocks(state_dir: Path, seconds: int) -> None:
    """Move both clocks on: the stand-in's by its control, the functions' by their setting."""
    current = state.read(state_dir)
    if current.webhook_secret is None:
        raise Refused("only the stand-in's clock can be moved, and this engine talks to another server")
    control(current, {"advance_s": seconds})
    moved = state.with_clock_offset(current, current.clock_offset_s + seconds)
    lambdas = aws.client("lambda", current.aws_endpoint_url)
    for folder, name in current.functions.items():
        variables = _configuration(current, folder)["Environment"]["Variables"]
        variables["CLOCK_OFFSET_S"] = str(moved.clock_offset_s)
        lambdas.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    state.write(state_dir, moved)


def control(current: State, orders: dict[str, Any]) -> None:
    """Tell the stand-in how to behave, or what time it is."""
    url = f"{current.replicate_url.removesuffix('/v1')}/_control"
    request = urllib.request.Request(url, json.dumps(orders).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=CONTROL_TIMEOUT_S):
        return


# Where rows of a kind are, what they are called, and what their ids look like.
_ROWS: dict[samples.Kind, tuple[str, str, re.Pattern[str]]] = {
    "gen": ("generations", "generation", re.compile("gen_[^#]+")),
    "mdl": ("models", "model", re.compile("mdl_[^#]+")),
    "trn": ("models", "training", re.compile("mdl_[^#]+#trn_.+")),
    "pho": ("models", "photo", re.compile("mdl_[^#]+#pho_.+")),
}


def _newest_job(current: State, kind: samples.Kind) -> samples.Job:
    table, name, id_of_kind = _ROWS[kind]
    pages = aws.client("dynamodb", current.aws_endpoint_url).get_paginator("scan")
    rows = [
        row
        for page in pages.paginate(TableName=current.tables[table])
        for row in page["Items"]
        if id_of_kind.fullmatch(row["id"]["S"])
    ]
    if not rows:
        raise Refused(f"there is no {name} yet that a sample could be about; request one first")
    # The ids sort by time.
    newest = max(rows, key=lambda row: str(row["id"]["S"]).rpartition("#")[2])
    return samples.Job(
        user_id=newest["user_id"]["S"],
        id=newest["id"]["S"],
        attempt=int(newest.get("attempt", {"N": "0"})["N"]),
        prediction_id=newest.get("prediction_id", {}).get("S"),
    )


def _signing(current: State) -> samples.Signing | None:
    if current.webhook_secret is None:
        return None
    sys.path.insert(0, CORE)
    from revela.adapters.url_token import url_token

    secret = aws.client("secretsmanager", current.aws_endpoint_url).get_secret_value(
        SecretId=current.secrets["WebhookSecret"]
    )
    key = json.loads(secret["SecretString"])["url_token_key"]
    return samples.Signing(
        current.webhook_secret,
        lambda user_id, generation_id, attempt: url_token(
            key, user_id=user_id, generation_id=generation_id, attempt=attempt
        ),
    )


def _borrow_settings(current: State) -> None:
    """Have the product's code in this process work on the engine's tables."""
    os.environ.update(_settings(current))
    sys.path.insert(0, CORE)


def _settings(current: State) -> dict[str, str]:
    variables: dict[str, str] = _configuration(current, OPERATOR)["Environment"]["Variables"]
    return variables | {
        "AWS_ENDPOINT_URL": current.aws_endpoint_url,
        "AWS_REGION": current.region,
        "AWS_DEFAULT_REGION": current.region,
        **{name.upper(): value for name, value in aws.ROOT.items()},
    }


def _configuration(current: State, folder: str) -> dict[str, Any]:
    configuration: dict[str, Any] = aws.client("lambda", current.aws_endpoint_url).get_function_configuration(
        FunctionName=_function(current, folder)
    )
    return configuration


def _function(current: State, folder: str) -> str:
    try:
        return current.functions[folder]
    except KeyError:
        raise Refused(f"no function {folder}; there are: {', '.join(sorted(current.functions))}") from None


def _event(file: Path | None) -> bytes:
    if file is None:
        return b"{}"
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
