"""A webhook's body: the same JSON as of GET prediction, reduced to what a worker decides from."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from revela.adapters.replicate import lenient

STATUSES = frozenset({"starting", "processing", "succeeded", "failed", "canceled", "aborted"})
# Documented as opaque; observed as 26 lowercase letters and digits.
PREDICTION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
OUTPUTS_MAX = 8
URL_MAX_CHARS = 2_048


def reduced_prediction(body: bytes) -> dict[str, Any] | None:
    """Return what the body says of its prediction, without logs and input; None when it is none.

    At most about 50 KB, whatever comes in: a message of the queue must hold it.
    """
    try:
        prediction = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(prediction, dict):
        return None
    prediction_id, status = prediction.get("id"), prediction.get("status")
    if not isinstance(prediction_id, str) or not PREDICTION_ID.fullmatch(prediction_id):
        return None
    # A list or an object as status cannot even be looked up.
    if not isinstance(status, str) or status not in STATUSES:
        return None
    urls = [url for url in lenient.output_urls(prediction.get("output")) if _may_be_url(url)]
    return {
        "id": prediction_id,
        "status": status,
        "output": urls[:OUTPUTS_MAX],
        **_trained(prediction.get("output")),
        "error": lenient.error_text(prediction.get("error")),
        "predict_time_s": lenient.predict_time(prediction.get("metrics")),
        "data_removed": prediction.get("data_removed") is True,
        "created_at": _iso(lenient.instant(prediction.get("created_at"))),
        "started_at": _iso(lenient.instant(prediction.get("started_at"))),
        "completed_at": _iso(lenient.instant(prediction.get("completed_at"))),
    }


def _trained(output: Any) -> dict[str, str]:
    """Return what a training made: its version, and where its weights are."""
    if not isinstance(output, dict):
        return {}
    named = {"trained_version": output.get("version"), "weights_url": output.get("weights")}
    return {name: text for name, text in named.items() if isinstance(text, str) and _may_be_url(text)}


def _may_be_url(text: str) -> bool:
    return len(text) <= URL_MAX_CHARS and text.isascii()


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
