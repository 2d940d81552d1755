"""Rekognition in process, for the operations that moto has not: it goes by what the pictures bear."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from revela.bootstrap.wiring import aws_client
from tests.simulation.crash_points.witness import is_flagged

# How a photo looks on which somebody famous is: those of these flows are no images, but say how they look.
FAMOUS = "fa3005fa3005fa30"


def rekognition(region: str, allowed: Callable[[bytes], None]) -> Any:
    """Return the product's own client, its requests answered here; `allowed` is told what was let pass."""
    client = aws_client.__wrapped__("rekognition", region)
    events = client.meta.events
    events.register("before-call.rekognition.DetectModerationLabels", partial(_moderated, allowed))
    events.register("before-call.rekognition.RecognizeCelebrities", _recognized)
    return client


def _moderated(allowed: Callable[[bytes], None], params: Mapping[str, Any], **_: object) -> Any:
    picture = _picture(params)
    if not is_flagged(picture):
        allowed(picture)
        return _answered({"ModerationLabels": []})
    above = {"Name": "Explicit", "ParentName": "", "Confidence": 99.0}
    found = {"Name": "Explicit Nudity", "ParentName": "Explicit", "Confidence": 99.0}
    return _answered({"ModerationLabels": [above, found]})


def _recognized(params: Mapping[str, Any], **_: object) -> Any:
    found = [{"Name": "Somebody", "MatchConfidence": 99.0}] if is_famous(_picture(params)) else []
    return _answered({"CelebrityFaces": found})


def is_famous(photo: bytes) -> bool:
    return FAMOUS.encode() in photo


def _picture(params: Mapping[str, Any]) -> bytes:
    return base64.b64decode(json.loads(params["body"])["Image"]["Bytes"])


def _answered(answer: Mapping[str, Any]) -> Any:
    """Return what botocore takes for the answer to a request that it then does not send."""
    return AWSResponse("https://rekognition.test", 200, HTTPHeaders(), None), answer
