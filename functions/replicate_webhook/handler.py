"""Replicate knocks: verify, enqueue, 200. Nothing else.

Trigger   HTTP API, POST /api/webhooks/generation and /api/webhooks/training, open to anybody
Changes   nothing; sends to GenerationWebhookQueue or TrainingWebhookQueue, by whose job the URL proves
Delivery  at least once, in any order; Replicate repeats what ends a prediction for about a minute
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from revela import bootstrap
from revela.usecases.hear_webhook import HearWebhook, Verdict

TITLES = {
    Verdict.MALFORMED: "The body is not a prediction.",
    Verdict.UNPROVEN: "The request does not prove that Replicate sent it to this address.",
    Verdict.TOO_LARGE: "The body is too large.",
}

logger, metrics = bootstrap.logger(), bootstrap.metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    return answer(bootstrap.hear_webhook()(request_of(event)))


def request_of(event: dict[str, Any]) -> HearWebhook:
    return HearWebhook(
        headers=event.get("headers") or {},
        query=event.get("rawQueryString") or "",
        body=body_of(event),
    )


def body_of(event: dict[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        # What was not UTF-8 on the wire is not here any more either, and fails its signature.
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return b""


def answer(verdict: Verdict) -> dict[str, Any]:
    if verdict is Verdict.HEARD:
        return {"statusCode": int(verdict)}
    problem = {
        "type": "about:blank",
        "title": TITLES[verdict],
        "status": int(verdict),
        "code": f"webhook_{verdict.name.lower()}",
    }
    return {
        "statusCode": int(verdict),
        "headers": {"Content-Type": "application/problem+json"},
        "body": json.dumps(problem),
    }
