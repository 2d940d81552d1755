"""Whether Replicate, as configured, takes us: account, models, webhooks, and one real prediction.

It is asked with the product's own client, so that what works here works there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import partial
from importlib.resources import files
from typing import Any

from local.check import time_limits, tokens, webhook_address
from local.check.asking import Silent, asked
from local.check.causes import Cause
from local.check.configured import Configured
from local.check.prediction import Trial, cheapest, rendered
from local.check.report import Failed, Report, Skipped
from revela.adapters.clock import SystemClock
from revela.adapters.entropy import SystemEntropy
from revela.adapters.replicate.account import account
from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.models import Models
from revela.adapters.replicate.versions import VersionBody, Versions
from revela.adapters.replicate.webhook_secret import webhook_secret
from revela.domain.catalog import Catalog, CatalogModel
from revela.domain.judge_models import JudgeModel

# What the catalog sends is compared with the model's schema where this stands in it.
INPUTS = ("components", "schemas", "Input", "properties")


def check(
    report: Report,
    configured: Configured,
    *,
    dry_run: bool,
    timeout_s: float,
    catalog: Catalog | None = None,
) -> int:
    """Do all steps; return the exit status. `timeout_s` is how long the prediction may take."""
    catalog = catalog or shipped_catalog()
    client = ReplicateClient(
        base_url=configured.api_url,
        token=lambda: configured.token,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        telemetry=Silent(),
    )
    with closing(client):
        report.say(f"Replicate at {configured.api_url}")
        report.step("token", partial(_account, client, configured.token))
        report.step("webhook secret", partial(_webhook_secret, client), needs=["token"])
        for model in catalog.models:
            report.step(f"model {model.id}", partial(_model, client, model), needs=["token"])
        for judge in (catalog.judges.prompt, catalog.judges.image):
            report.step(f"judge {judge.id}", partial(_judge, client, judge), needs=["token"])
        webhook_address.check(report, configured.webhook_url, from_this_machine=configured.is_on_this_machine)
        report.step("time limits", partial(_time_limits, catalog))
        if dry_run:
            report.step("prediction", _not_asked_for)
            return report.end()
        model = cheapest(catalog)
        trial = Trial(client, configured, model, timeout_s)
        needs = ["token", f"model {model.id}"]
        if report.passed(*needs):
            report.say(f"One real prediction: {model.id}, 1 image, {trial.price}")
        report.step("credit", trial.create, needs=needs)
        report.step("prediction", trial.watch, needs=["credit"])
        report.step("output", trial.download, needs=["prediction"])
    return report.end()


def shipped_catalog() -> Catalog:
    return Catalog.model_validate_json(files("revela").joinpath("data/catalog.json").read_text("utf-8"))


def _not_asked_for() -> str:
    raise Skipped("left out: --dry-run. Only a prediction shows whether there is credit")


def _account(client: ReplicateClient, token: str) -> str:
    if fault := tokens.fault_of(token):
        raise Failed(Cause.TOKEN_REFUSED, fault)
    found = asked(lambda: account(client))
    return f"accepted: {found.type} {found.username}"


def _webhook_secret(client: ReplicateClient) -> str:
    unreadable = Cause.SECRET_UNREADABLE
    try:
        asked(lambda: webhook_secret(client), missing=unreadable, rejected=unreadable)
    except Failed as failed:
        # The token was accepted before: it is a lesser one.
        raise Failed(unreadable, failed.seen) if failed.cause is Cause.TOKEN_REFUSED else failed from None
    return "readable"


def _model(client: ReplicateClient, model: CatalogModel) -> str:
    return _taken(client, model.version, rendered(model))


def _judge(client: ReplicateClient, judge: JudgeModel) -> str:
    return _taken(client, judge.version, {judge.input: "", **judge.fixed_input})


def _taken(client: ReplicateClient, reference: str, sent: Mapping[str, Any]) -> str:
    """Tell how a model runs that is there and takes the input that is `sent` to it."""
    name, _, version = reference.partition(":")
    if "/" not in name:
        raise Skipped("a version without its owner/name cannot be looked up")
    owner, _, slug = name.partition("/")
    found = asked(lambda: Models(client).get(owner, slug), missing=Cause.MODEL_NOT_FOUND)
    if version:
        body: VersionBody | None = asked(
            lambda: Versions(client).get(owner, slug, version), missing=Cause.MODEL_NOT_FOUND
        )
        told = (
            f"{name}, version {version[:12]}; its first prediction in a while may start minutes late (cold)"
        )
    elif not found.is_official:
        raise Failed(Cause.MODEL_NOT_OFFICIAL, f"{name} is not an official model")
    else:
        body = found.latest_version
        told = f"{name}, official: always on"
    if unknown := _inputs_not_taken(sent, body):
        raise Failed(Cause.MODEL_INPUT_DIFFERS, f"{name} does not take {', '.join(unknown)}")
    return told


def _inputs_not_taken(sent: Mapping[str, Any], version: VersionBody | None) -> list[str]:
    node: object = version.openapi_schema if version is not None else None
    for key in INPUTS:
        node = node.get(key) if isinstance(node, dict) else None
    if not isinstance(node, dict) or not node:
        return []
    return sorted(sent.keys() - node.keys())


def _time_limits(catalog: Catalog) -> str:
    limits = time_limits.of_this_checkout(catalog)
    if found := list(time_limits.contradictions(limits)):
        raise Failed(Cause.TIME_LIMITS, "; ".join(found))
    return "; ".join(
        f"{worker.name} {worker.timeout_s:.0f} s, its lease {worker.lease_s:.0f} s, "
        f"its queue {worker.visibility_s:.0f} s"
        for worker in limits.workers
    )
