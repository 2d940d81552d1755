"""Which libraries each function loads: a cold start is billed, and most of it is imports.

Each handler is imported by an interpreter of its own, which has nothing but the libraries that the function's
layers pin, as in Lambda; then everything that its use cases ask for is made.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import NamedTuple

import pytest

from local import engine
from tests.unit.function_settings import FUNCTIONS, TOUCHED, environment_of, layers_of

POWERTOOLS = {"aws_lambda_powertools", "botocore", "jmespath", "typing_extensions"}
PYDANTIC = {"annotated_types", "pydantic", "pydantic_core", "typing_inspection"}
AWS_CLIENT = {"certifi", "dateutil", "six", "urllib3"}
DYNAMODB = {"pynamodb", *AWS_CLIENT}
HTTP = {"anyio", "certifi", "h11", "httpcore", "httpx", "idna"}


class Loads(NamedTuple):
    """Top-level packages: with the handler, and on top of these when it works."""

    first: set[str]
    later: set[str]


LOADS = {
    "api": Loads(POWERTOOLS | PYDANTIC, DYNAMODB),
    # The open door must start fast.
    "replicate_webhook": Loads(POWERTOOLS, AWS_CLIENT),
    "start_generation": Loads(POWERTOOLS | PYDANTIC, DYNAMODB | HTTP),
    "finish_generation": Loads(POWERTOOLS | PYDANTIC, DYNAMODB | HTTP | {"PIL"}),
    "check_photo": Loads(POWERTOOLS | PYDANTIC, DYNAMODB | {"PIL", "_pillow_heif", "pillow_heif"}),
    "start_training": Loads(POWERTOOLS | PYDANTIC, DYNAMODB | HTTP),
    "finish_training": Loads(POWERTOOLS | PYDANTIC, DYNAMODB | HTTP),
    "reconcile_jobs": Loads(POWERTOOLS, PYDANTIC | DYNAMODB | HTTP),
    "publish_changes": Loads(POWERTOOLS | PYDANTIC, AWS_CLIENT),
}
NEVER = {"aws_xray_sdk", "boto3", "s3transfer"}

PROBE = """
import importlib, importlib.abc, importlib.metadata, json, sys

folder, ports, pinned = json.loads(sys.argv[1])
owners = importlib.metadata.packages_distributions()


class OnlyPinned(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in owners and not any(owner.lower().replace("_", "-") in pinned for owner in owners[name]):
            raise ModuleNotFoundError(f"{name} is in no layer of {folder}", name=name)


def loaded():
    return sorted({name.partition(".")[0] for name in sys.modules} & owners.keys())


sys.meta_path.insert(0, OnlyPinned())
importlib.import_module(f"{folder}.handler")
with_the_handler = loaded()
bootstrap = sys.modules["revela.bootstrap"]
for port in ports:
    getattr(bootstrap.ports(), port)
if folder == "replicate_webhook":
    bootstrap.hear_webhook()
print(json.dumps([with_the_handler, loaded()]))
"""


def loaded_by(folder: str) -> Loads:
    requirements = (engine.ROOT / "layers" / layer / "requirements.txt" for layer in layers_of(folder))
    pinned = [name for file in requirements for name in re.findall(r"(?m)^([a-z0-9-]+)==", file.read_text())]
    environment = environment_of(folder) | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(engine.ROOT / part) for part in ("functions", "layers/core")),
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps([folder, TOUCHED[folder], pinned])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    first, all_ = (set(names) for names in json.loads(done.stdout.splitlines()[-1]))
    return Loads(first, all_ - first)


def test_every_function_is_in_the_table() -> None:
    assert set(LOADS) == set(FUNCTIONS)


@pytest.mark.parametrize("folder", LOADS)
def test_a_function_loads_what_it_needs_and_no_sooner(folder: str) -> None:
    loads = loaded_by(folder)
    assert loads == LOADS[folder]
    assert not NEVER & (loads.first | loads.later)
