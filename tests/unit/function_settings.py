"""What template.yaml gives each function, and what the function's use cases ask for."""

from __future__ import annotations

from typing import Any

from local import engine, template

SOURCE = template.load(engine.ROOT / "template.yaml")
FUNCTIONS: dict[str, Any] = {
    resource["Properties"]["Handler"].partition(".")[0]: resource["Properties"]
    for resource in SOURCE["Resources"].values()
    if resource["Type"] == "AWS::Serverless::Function"
}

MOVING = ("catalog", "clock", "entropy", "telemetry", "generations", "accounts", "changes", "commands")
# A training hands no place over: its workers see no generation and start nothing.
OF_TRAININGS = ("catalog", "clock", "entropy", "telemetry", "trainings", "accounts", "changes", "health")
# Ports that a function's use cases touch on any of their ways.
TOUCHED = {
    "api": (*MOVING, "health", "models", "objects", "photos", "prompt_policy", "trainings"),
    "replicate_webhook": ("clock", "telemetry", "webhook_secrets"),
    "start_generation": (*MOVING, "health", "pace", "provider", "webhook_urls"),
    # Its provider is there to cancel: predictions of nobody, and those that were to be canceled.
    "finish_generation": (*MOVING, "health", "objects", "outputs", "pictures", "provider"),
    "check_photo": (
        *("clock", "entropy", "telemetry", "changes", "faces", "models", "objects", "photo_files", "photos"),
        "policies",
    ),
    "start_training": (*OF_TRAININGS, "archives", "pace", "provider", "webhook_urls"),
    "finish_training": (*OF_TRAININGS, "models", "objects", "policies", "provider", "weights"),
    "reconcile_jobs": (
        *(*MOVING, "models", "objects", "pace", "photos", "provider", "trainings", "webhook_secrets"),
    ),
    "publish_changes": ("clock", "telemetry", "events"),
}


def environment_of(folder: str) -> dict[str, str]:
    """Return the variables of a function, each reference replaced by something of its kind."""
    found = dict(SOURCE["Globals"]["Function"]["Environment"]["Variables"])
    found |= FUNCTIONS[folder]["Environment"]["Variables"]
    return {name: _value(value) for name, value in found.items()} | {"AWS_REGION": "us-east-1"}


def layers_of(folder: str) -> list[str]:
    """Return the folders in layers/ whose libraries a function is given."""
    named = {"DependenciesLayer": "dependencies", "ImagingLayer": "imaging"}
    layers = (layer["Ref"] for layer in FUNCTIONS[folder]["Layers"])
    return [named[layer] for layer in layers if layer in named]


def _value(node: Any) -> str:
    if not isinstance(node, dict):
        return str(node)
    if "Ref" in node:
        default = SOURCE["Parameters"].get(node["Ref"], {}).get("Default")
        return str(node["Ref"] if default is None else default)
    return "https://api.example.com"
