"""What template.yaml gives each function is enough for everything that its use cases ask for."""

from __future__ import annotations

from typing import Any

import pytest

from local import engine, template
from revela.bootstrap import Wiring
from revela.settings import Settings

SOURCE = template.load(engine.ROOT / "template.yaml")

MOVING = ("catalog", "clock", "entropy", "telemetry", "generations", "accounts", "changes", "commands")
# Ports that a function's use cases touch on any of their ways.
TOUCHED = {
    "api": (*MOVING, "objects"),
    "replicate_webhook": ("clock", "telemetry", "webhook_secrets"),
    "start_generation": (*MOVING, "pace", "provider", "webhook_urls"),
    # Its provider is there to cancel: predictions of nobody, and those that were to be canceled.
    "finish_generation": (*MOVING, "objects", "outputs", "pictures", "provider"),
    "reconcile_jobs": (*MOVING, "objects", "pace", "provider", "webhook_secrets"),
    "publish_changes": ("clock", "telemetry", "events"),
}
CASES = [(function, port) for function, ports in TOUCHED.items() for port in ports]


def environment_of(folder: str) -> dict[str, str]:
    """Return the variables of a function, each reference replaced by something of its kind."""
    found = dict(SOURCE["Globals"]["Function"]["Environment"]["Variables"])
    (function,) = (
        resource["Properties"]
        for resource in SOURCE["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
        and resource["Properties"]["Handler"].startswith(f"{folder}.")
    )
    found |= function["Environment"]["Variables"]
    return {name: _value(value) for name, value in found.items()} | {"AWS_REGION": "us-east-1"}


def _value(node: Any) -> str:
    if not isinstance(node, dict):
        return str(node)
    if "Ref" in node:
        default = SOURCE["Parameters"].get(node["Ref"], {}).get("Default")
        return str(node["Ref"] if default is None else default)
    return "https://api.example.com"


def test_every_function_is_in_the_table() -> None:
    handlers = {
        resource["Properties"]["Handler"].partition(".")[0]
        for resource in SOURCE["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert set(TOUCHED) == handlers


@pytest.mark.parametrize(("function", "port"), CASES)
def test_a_function_can_make_every_port_that_it_touches(
    function: str, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    for name, value in environment_of(function).items():
        if name.startswith("POWERTOOLS_"):
            monkeypatch.setenv(name, value)
    assert getattr(Wiring(Settings(environment_of(function))), port)
