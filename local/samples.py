"""Samples of events/, made fresh: a job that exists, today's time, a signature that is accepted.

A sample stays the event that AWS delivers; only what would be refused as stale or foreign changes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote_plus, urlencode

Kind = Literal["gen", "mdl", "trn", "pho"]

_ID = re.compile(r"(gen|mdl|trn|pho)_[0-9A-Z]{26}")
_UPLOAD_KEY = re.compile(r"incoming/.+/(mdl_[0-9A-Z]{26}/pho_[0-9A-Z]{26})")
SIGNATURE = "webhook-signature"


@dataclass(frozen=True)
class Job:
    """A row that exists; `prediction_id` None: it was not started yet, or is a photo, which has none."""

    user_id: str
    id: str
    attempt: int
    prediction_id: str | None


@dataclass(frozen=True)
class Signing:
    """`url_token` makes the token of a webhook's URL out of user, generation and attempt."""

    webhook_secret: str
    url_token: Callable[[str, str, int], str]


def kind_of(sample: Mapping[str, Any]) -> Kind:
    """Return the kind of row that a sample is about; those that are about none say generation."""
    named = {found[1] for found in _ID.finditer(json.dumps(sample))}
    kinds: tuple[Kind, ...] = ("trn", "pho", "mdl")
    return next((kind for kind in kinds if kind in named), "gen")


def fresh(sample: Mapping[str, Any], job: Job, signing: Signing | None, now: datetime) -> dict[str, Any]:
    """Return the event with the job's ids instead of the sample's, signed anew where it was signed."""
    event: dict[str, Any] = _of_job(sample, job, {_owner(sample): job.user_id})
    if signing is not None and SIGNATURE in event.get("headers", {}):
        _sign(event, job, signing, now)
    return event


def _of_job(node: Any, job: Job, users: Mapping[str | None, str]) -> Any:
    if isinstance(node, Mapping):
        renamed = {key: _of_job(value, job, users) for key, value in node.items()}
        if job.prediction_id and _is_prediction(renamed):
            renamed["id"] = job.prediction_id
        if isinstance(renamed.get("attempt"), int):
            renamed["attempt"] = job.attempt
        return renamed
    if isinstance(node, list):
        return [_of_job(value, job, users) for value in node]
    if not isinstance(node, str):
        return node
    if node.startswith("{"):
        return json.dumps(_of_job(json.loads(node), job, users), separators=(",", ":"))
    return users.get(node) or _renamed(node, job)


def _renamed(text: str, job: Job) -> str:
    of_user = _UPLOAD_KEY.sub(rf"incoming/{quote_plus(job.user_id, safe='/')}/\1", text)
    ids = {id_.partition("_")[0]: id_ for id_ in job.id.split("#")}
    return _ID.sub(lambda found: ids.get(found[1], found[0]), of_user)


def _is_prediction(node: Mapping[str, Any]) -> bool:
    """Tell a prediction, alone or in a queue's message, by the status that Replicate gives it."""
    prediction_id = node.get("id")
    return isinstance(prediction_id, str) and "status" in node and not _ID.match(prediction_id)


def _owner(sample: Mapping[str, Any]) -> str | None:
    """Return the user that the sample is about, wherever its kind of event names it."""
    if "requestContext" in sample:
        claims = sample["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
        user: str | None = claims.get("sub") or sample.get("queryStringParameters", {}).get("user")
        return user
    for record in sample.get("Records", []):
        if "body" in record:
            # S3 names no user: the key does.
            told: Mapping[str, Any] = json.loads(record["body"])
            return told.get("user_id")
        if "dynamodb" in record:
            return str(record["dynamodb"]["Keys"]["user_id"]["S"])
    return None


def _sign(event: dict[str, Any], job: Job, signing: Signing, now: datetime) -> None:
    query = {
        "user": job.user_id,
        "id": job.id,
        "attempt": str(job.attempt),
        "token": signing.url_token(job.user_id, job.id, job.attempt),
    }
    event["queryStringParameters"] = query
    event["rawQueryString"] = urlencode(query)
    body = event["body"].encode()
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    headers = event["headers"]
    headers["webhook-timestamp"] = str(int(now.timestamp()))
    message = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    key = base64.b64decode(signing.webhook_secret.removeprefix("whsec_"))
    headers[SIGNATURE] = f"v1,{base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()}"
