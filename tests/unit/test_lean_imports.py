"""What each function loads before its first invocation: cold starts are paid by whoever waits.

Each function is imported in an interpreter of its own and its use case wired, as its first invocation
does. Adapters come in when a port is first touched; Pillow, httpx and PynamoDB only then.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

POWERTOOLS = {"aws_lambda_powertools", "jmespath", "typing_extensions"}
PYDANTIC = {"annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
# Its exceptions are all that is loaded before a client is made.
BOTOCORE_NAME = {"botocore"}
AWS_CLIENT = {"botocore", "certifi", "dateutil", "jmespath", "six", "urllib3"}
HTTPX = {"anyio", "certifi", "h11", "httpcore", "httpx", "idna"}
# httpx loads its command line where these happen to be installed; the layers have none of them.
HTTPX_COMMAND_LINE = {"click", "pygments", "rich"}

# What stands before the first invocation: third-party packages by their import names.
BEFORE = {
    "api": POWERTOOLS | PYDANTIC | BOTOCORE_NAME,
    "replicate_webhook": POWERTOOLS | AWS_CLIENT,
    "start_generation": POWERTOOLS | PYDANTIC | BOTOCORE_NAME,
    "finish_generation": POWERTOOLS | PYDANTIC | BOTOCORE_NAME,
    "reconcile_jobs": POWERTOOLS | PYDANTIC | BOTOCORE_NAME,
    "publish_changes": POWERTOOLS | PYDANTIC | BOTOCORE_NAME,
}
USE_CASE = {"api": "accept_generation", "replicate_webhook": "hear_webhook"}

ROWS = ["generations", "accounts", "changes"]
# Which ports a function comes to touch, and what it has loaded by then.
WITH_PORTS = {
    "api": ([*ROWS, "commands", "objects"], PYDANTIC | AWS_CLIENT | {"pynamodb"}),
    "start_generation": (
        [*ROWS, "commands", "pace", "provider", "webhook_urls"],
        PYDANTIC | AWS_CLIENT | HTTPX | {"pynamodb"},
    ),
    "finish_generation": (
        [*ROWS, "commands", "objects", "outputs", "pictures", "provider"],
        PYDANTIC | AWS_CLIENT | HTTPX | {"pynamodb", "PIL"},
    ),
    "reconcile_jobs": (
        [*ROWS, "commands", "objects", "pace", "provider", "webhook_secrets"],
        PYDANTIC | AWS_CLIENT | HTTPX | {"pynamodb"},
    ),
    "publish_changes": (["events"], PYDANTIC | AWS_CLIENT),
}

PROBE = """
import json, pathlib, sys, sysconfig
import {function}.handler
from revela import bootstrap
{wire}
site = pathlib.Path(sysconfig.get_paths()["purelib"])
print(json.dumps(sorted({{
    name.partition(".")[0] for name, module in list(sys.modules.items())
    if site in pathlib.Path(getattr(module, "__file__", None) or "/").parents
}})))
"""


def loaded(function: str, *, wire: str = "") -> set[str]:
    probe = PROBE.format(function=function, wire=wire)
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=ROOT,
        env={
            "PYTHONPATH": "functions:layers/core",
            "POWERTOOLS_METRICS_NAMESPACE": "Revela",
            "POWERTOOLS_SERVICE_NAME": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "GENERATION_WEBHOOK_QUEUE_URL": "http://127.0.0.1:9/queue",
            "WEBHOOK_SECRET_ID": "secret",
            "REPLICATE_TOKEN_SECRET_ID": "token",
            "BUCKET": "bucket",
            "EVENT_BUS": "bus",
            "GENERATION_QUEUE_URL": "http://127.0.0.1:9/queue",
            **{f"{table}_TABLE": table for table in ("GENERATIONS", "CREDITS", "LEDGER", "CONTROL")},
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in json.loads(done.stdout) if not name.startswith("_")} - HTTPX_COMMAND_LINE


@pytest.mark.parametrize("function", BEFORE)
def test_a_function_loads_little_before_its_first_invocation(function: str) -> None:
    assert loaded(function, wire=f"bootstrap.{USE_CASE.get(function, function)}()") == BEFORE[function]


@pytest.mark.parametrize("function", WITH_PORTS)
def test_a_function_loads_only_what_its_ports_stand_on(function: str) -> None:
    ports, packages = WITH_PORTS[function]
    touch = "; ".join(f"bootstrap.ports().{port}" for port in ports)
    assert loaded(function, wire=touch) == POWERTOOLS | packages


def test_every_function_is_in_the_table() -> None:
    assert {handler.parent.name for handler in (ROOT / "functions").glob("*/handler.py")} == set(BEFORE)
