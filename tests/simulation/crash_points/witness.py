"""Looks on at every call that takes effect: what was judged, and what may not be seen or made before it was.

It knows nothing of rows: only what the stand-in's judges said, what is sent to be made, and what comes to lie
where its owner is given a URL of it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
from PIL import Image

from local.replicate.drawing import flag
from local.replicate.lifecycle import Lifecycle
from local.replicate.models.judges import LLAMA_GUARD, NSFW_IMAGE_DETECTION
from local.replicate.models.model import Model
from local.replicate.prediction import Prediction

JUDGES = (LLAMA_GUARD, NSFW_IMAGE_DETECTION)
# A word that the policy is uncertain of, and the mark by which the stand-in's judge refuses a text.
IN_DOUBT, UNSAFE = "lingerie", "#unsafe"

_VERSIONS = {version.id: model for model in JUDGES for version in model.versions}
_PREDICTION = re.compile(r"/v1/predictions/(?P<id>[^/]+)")
_JPEG = "data:image/jpeg;base64,"


class Witness:
    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        # SHA-256 of every rendering that a judge let pass.
        self._allowed: set[bytes] = set()

    def judge_of(self, request: httpx.Request) -> str | None:
        """Return the name of the judge that a request to Replicate asks, if it asks one."""
        if request.method == "POST" and request.url.path == "/v1/predictions":
            asked_version = str(json.loads(request.read())["version"]).rpartition(":")[2]
            model = _VERSIONS.get(asked_version)
            return model.name if model else None
        asked = _PREDICTION.match(request.url.path)
        found = self._lifecycle.find(asked["id"]) if asked else None
        return found.model.name if found and is_judges(found.model) else None

    def saw_create(self, request: httpx.Request) -> None:
        """Assert that a prompt in doubt was passed by its judge before images are made of it."""
        if self.judge_of(request):
            return
        prompt = str(json.loads(request.read())["input"]["prompt"])
        if IN_DOUBT in prompt:
            said = {str(p.output) for p in self._judged(LLAMA_GUARD) if str(p.input["prompt"]) in prompt}
            assert said == {"safe"}, f"made of a prompt of which its judge said {said}"

    def saw_allowed(self, rendering: bytes) -> None:
        """Note what another judge than the stand-in's let pass."""
        self._allowed.add(_digest(rendering))

    def saw_write(self, key: str, data: bytes, rendering: bytes | None) -> None:
        """Assert that what is put where it is shown was let pass; of a thumbnail there is no rendering."""
        assert not _is_flagged(data), f"{key} shows what a judge refuses"
        if rendering is None:
            return
        normal = (p for p in self._judged(NSFW_IMAGE_DETECTION) if p.output == "normal")
        self._allowed |= {_digest(_bytes_of(p.input["image"])) for p in normal}
        assert _digest(rendering) in self._allowed, f"{key} was never judged"

    def _judged(self, model: Model) -> Iterator[Prediction]:
        return (p for p in self._lifecycle.newest_first() if p.model is model and p.output is not None)


def is_judges(model: Model) -> bool:
    return model in JUDGES


def is_flagged(picture: bytes) -> bool:
    with Image.open(io.BytesIO(picture)) as image:
        return flag.is_on(image.convert("RGB"))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@cache
def _bytes_of(url: Any) -> bytes:
    return base64.b64decode(str(url).removeprefix(_JPEG))


_is_flagged = cache(is_flagged)
