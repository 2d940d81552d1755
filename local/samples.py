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
from typing import Any
from urllib.parse import urlencode

GENERATION_ID = re.compile(r"gen_[0-9A-Z]{26}")
SIGNATURE = "webhook-signature"


@dataclass(frozen=True)
class Job:
    """A generation that exists; `prediction_id` None: it was not started yet."""

    user_id: str
    id: str
    attempt: int
    prediction_id: str | None


@dataclass(frozen=True)
class Signing:
    """`url_token` makes the token of a webhook's URL out of user, generation and attempt."""

    webhook_secret: str
    url_token: Callable[[str, str, int], str]


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
    return users.get(node) or GENERATION_ID.sub(job.id, node)


def _is_prediction(node: Mapping[str, Any]) -> bool:
    """Tell a prediction, alone or in a queue's message, by the status that Replicate gives it."""
    prediction_id = node.get("id")
    return isinstance(prediction_id, str) and "status" in node and not GENERATION_ID.match(prediction_id)


def _owner(sample: Mapping[str, Any]) -> str | None:
    """Return the user that the sample is about, wherever its kind of event names it."""
    if "requestContext" in sample:
        claims = sample["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
        user: str | None = claims.get("sub") or sample.get("queryStringParameters", {}).get("user")
        return user
    for record in sample.get("Records", []):
        if "body" in record:
            return str(json.loads(record["body"])["user_id"])
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
