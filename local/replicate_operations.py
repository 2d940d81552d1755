"""Each verb of `python -m local replicate`, done with the product's own client."""

from __future__ import annotations

import argparse
import mimetypes
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import chain, islice
from typing import Any

from pydantic import BaseModel

from local.commands import Refused
from local.replicate_operator import Server
from revela.adapters.clock import SystemClock
from revela.adapters.entropy import SystemEntropy
from revela.adapters.replicate.account import account
from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.collections import Collections
from revela.adapters.replicate.deployments import Deployments
from revela.adapters.replicate.files import OCTET_STREAM, Files, download_url
from revela.adapters.replicate.hardware import hardware
from revela.adapters.replicate.models import Models
from revela.adapters.replicate.predictions import Predictions
from revela.adapters.replicate.search import search
from revela.adapters.replicate.trainings import Trainings
from revela.adapters.replicate.versions import Versions
from revela.adapters.replicate.webhook_secret import webhook_secret
from revela.domain.errors import (
    OutOfCredit,
    Permanent,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnauthorized,
    ProviderUnavailable,
)

Asked = argparse.Namespace

# Long, and the same in every row: it is shown where one thing is asked for.
SCHEMAS: dict[str, Any] = {"openapi_schema": True, "latest_version": {"openapi_schema"}}


def perform(server: Server, asked: Asked) -> Any:
    """Return what is to be printed: JSON, text, or None. Raises the client's errors, and Refused."""
    client = ReplicateClient(
        base_url=server.api_url,
        token=lambda: server.token,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        telemetry=_Console(),
    )
    try:
        if (asked.thing, asked.verb) == ("files", "url"):
            return _download_url(client, server, asked)
        return OPERATIONS[asked.thing, asked.verb](client, asked)
    finally:
        client.close()


def explain(error: ProviderTransient | Permanent) -> str:
    """Return what happened and what to do, in one line."""
    said = " ".join(str(error).split())
    match error:
        case ProviderUnauthorized():
            return f"the API token is not accepted, or may not do this ({said})"
        case OutOfCredit():
            return f"the account has no credit left: https://replicate.com/account/billing ({said})"
        case ProviderThrottled():
            wait = "later" if error.retry_after_s is None else f"in {error.retry_after_s:.0f} s"
            return f"too many requests: try again {wait} ({said})"
        case ProviderUnavailable():
            return f"nothing was done: the server cannot be reached, or failed ({said})"
        case ProviderTransient():
            return f"no usable answer came: look with `list` whether it was done ({said})"
        case ProviderNotFound():
            return f"there is no such thing, or it is not this account's ({said})"
        case ProviderRejected():
            return f"refused: {said}"
        case _:
            return said


class _Console:
    """Telemetry for a person: warnings only."""

    def debug(self, event: str, **fields: object) -> None:
        """Of no interest here."""

    info = debug

    def warning(self, event: str, **fields: object) -> None:
        print(f"warning: {event} {fields}", file=sys.stderr)

    def count(self, metric: str, value: float = 1, *, unit: str = "Count") -> None:
        """There is nobody to count for."""


def _json(body: BaseModel) -> Any:
    return body.model_dump(mode="json")


def _listed(pages: Iterator[Sequence[BaseModel]], asked: Asked) -> list[Any]:
    return _rows(islice(chain.from_iterable(pages), asked.limit))


def _rows(bodies: Iterable[BaseModel]) -> list[Any]:
    return [body.model_dump(mode="json", exclude=SCHEMAS) for body in bodies]


def _given(asked: Asked, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(asked, name)) is not None}


def _list_predictions(client: ReplicateClient, asked: Asked) -> Any:
    return _listed(Predictions(client).pages(created_after=asked.since), asked)


def _create_prediction(client: ReplicateClient, asked: Asked) -> Any:
    return _json(
        Predictions(client).create(
            version=asked.version,
            model_input=asked.input,
            webhook_url=asked.webhook,
            cancel_after_s=asked.cancel_after_s,
        )
    )


def _create_training(client: ReplicateClient, asked: Asked) -> Any:
    owner, name, version = asked.trainer
    return _json(
        Trainings(client).create(
            owner=owner,
            name=name,
            version=version,
            destination=asked.destination,
            training_input=asked.input,
            webhook_url=asked.webhook,
        )
    )


def _create_model(client: ReplicateClient, asked: Asked) -> Any:
    owner, name = asked.model
    details = _given(asked, "description", "github_url", "paper_url", "license_url", "cover_image_url")
    return _json(
        Models(client).create(
            owner=owner, name=name, visibility=asked.visibility, hardware=asked.hardware, **details
        )
    )


def _update_model(client: ReplicateClient, asked: Asked) -> Any:
    changes = _given(asked, "description", "github_url", "paper_url", "license_url", "weights_url")
    if asked.readme is not None:
        try:
            changes["readme"] = asked.readme.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"cannot read {asked.readme}: {error}") from None
    return _json(Models(client).update(*asked.model, **changes))


def _list_models(client: ReplicateClient, asked: Asked) -> Any:
    return _listed(Models(client).pages(**_given(asked, "sort_by", "sort_direction")), asked)


def _create_deployment(client: ReplicateClient, asked: Asked) -> Any:
    owner, name, version = asked.version
    return _json(
        Deployments(client).create(
            name=asked.name,
            model=f"{owner}/{name}",
            version=version,
            hardware=asked.hardware,
            min_instances=asked.min_instances,
            max_instances=asked.max_instances,
        )
    )


def _update_deployment(client: ReplicateClient, asked: Asked) -> Any:
    changes = _given(asked, "version", "hardware", "min_instances", "max_instances")
    return _json(Deployments(client).update(*asked.deployment, **changes))


def _predict(client: ReplicateClient, asked: Asked) -> Any:
    return _json(
        Deployments(client).predict(
            *asked.deployment,
            model_input=asked.input,
            webhook_url=asked.webhook,
            cancel_after_s=asked.cancel_after_s,
        )
    )


def _create_file(client: ReplicateClient, asked: Asked) -> Any:
    kind = asked.type or mimetypes.guess_type(asked.path.name)[0] or OCTET_STREAM
    try:
        with asked.path.open("rb") as content:
            return _json(
                Files(client).create(
                    content, filename=asked.path.name, content_type=kind, metadata=asked.metadata
                )
            )
    except OSError as error:
        raise Refused(f"cannot read {asked.path}: {error.strerror}") from None


def _download_url(client: ReplicateClient, server: Server, asked: Asked) -> str:
    if server.files_secret is None:
        raise Refused("set REPLICATE_FILES_SECRET to the signing secret of the account's Files API")
    return download_url(
        server.api_url,
        Files(client).get(asked.id).id,
        owner=account(client).username,
        expires_at=SystemClock().now() + timedelta(seconds=asked.expires_in_s),
        signing_secret=server.files_secret,
    )


OPERATIONS: dict[tuple[str, str], Callable[[ReplicateClient, Asked], Any]] = {
    ("predictions", "list"): _list_predictions,
    ("predictions", "get"): lambda c, a: _json(Predictions(c).get(a.id)),
    ("predictions", "create"): _create_prediction,
    ("predictions", "cancel"): lambda c, a: _json(Predictions(c).cancel(a.id)),
    ("trainings", "list"): lambda c, a: _listed(Trainings(c).pages(), a),
    ("trainings", "get"): lambda c, a: _json(Trainings(c).get(a.id)),
    ("trainings", "create"): _create_training,
    ("trainings", "cancel"): lambda c, a: _json(Trainings(c).cancel(a.id)),
    ("models", "list"): _list_models,
    ("models", "search"): lambda c, a: _listed(Models(c).search(a.query), a),
    ("models", "get"): lambda c, a: _json(Models(c).get(*a.model)),
    ("models", "create"): _create_model,
    ("models", "update"): _update_model,
    ("models", "delete"): lambda c, a: Models(c).delete(*a.model),
    ("models", "examples"): lambda c, a: _listed(Models(c).examples(*a.model), a),
    ("models", "readme"): lambda c, a: Models(c).readme(*a.model),
    ("versions", "list"): lambda c, a: _listed(Versions(c).pages(*a.model), a),
    ("versions", "get"): lambda c, a: _json(Versions(c).get(*a.version)),
    ("versions", "delete"): lambda c, a: Versions(c).delete(*a.version),
    ("deployments", "list"): lambda c, a: _listed(Deployments(c).pages(), a),
    ("deployments", "get"): lambda c, a: _json(Deployments(c).get(*a.deployment)),
    ("deployments", "create"): _create_deployment,
    ("deployments", "update"): _update_deployment,
    ("deployments", "delete"): lambda c, a: Deployments(c).delete(*a.deployment),
    ("deployments", "predict"): _predict,
    ("files", "list"): lambda c, a: _listed(Files(c).pages(), a),
    ("files", "get"): lambda c, a: _json(Files(c).get(a.id)),
    ("files", "create"): _create_file,
    ("files", "delete"): lambda c, a: Files(c).delete(a.id),
    ("hardware", "list"): lambda c, _: _rows(hardware(c)),
    ("account", "get"): lambda c, _: _json(account(c)),
    ("collections", "list"): lambda c, a: _listed(Collections(c).pages(), a),
    ("collections", "get"): lambda c, a: _json(Collections(c).get(a.slug)),
    ("search", "list"): lambda c, a: _json(search(c, a.query, limit=a.limit)),
    ("webhook-secret", "get"): lambda c, _: {"key": webhook_secret(c)},
}
