"""The Faces port over OpenCV's own cascades: no network, no account, and no idea of anybody's age.

For one machine alone: OpenCV is in no deployed layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from revela.domain.photo import Box, Face, FaceReport, Remark, Unreadable

_SIDE = 768
# The smallest face looked for, as a share of the height: smaller ones are refused as too small anyway, and
# most of what cascades see where no face is, is small.
_SHARE_MIN = 0.04
_SCALE_STEP = 1.1
# A cascade finds a real face many times over; of what is none it is less sure.
_NEIGHBOURS = 5
_NEIGHBOURS_TO_CONFIRM = 3
# Profiles: 1.3 on a real one, up to .4 where there is none.
_PROFILE_CERTAINTY_MIN = 1.0

_Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class OpenCvFaces:
    """Deterministic, for one thread. A face counts when two cascades of different making see it."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._frontal = _cascade("frontalface_alt2")
        self._second_opinion = _cascade("frontalface_default")
        self._profile = _cascade("profileface")

    def inspect(self, jpeg: Path) -> FaceReport | Unreadable:
        pixels = cv2.imread(str(jpeg), cv2.IMREAD_GRAYSCALE)
        if pixels is None:
            return Unreadable(Remark(code="broken"), detail="OpenCV cannot decode it")
        scale = _SIDE / max(pixels.shape)
        grey = _bytes(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        boxes = list(self._frontal_boxes(grey)) or self._profile_boxes(grey)
        faces = [Face(box) for box in boxes]
        return FaceReport(
            tuple(sorted(faces, key=lambda face: face.box.height, reverse=True)), knows_age=False
        )

    def _frontal_boxes(self, grey: _Pixels) -> Iterator[Box]:
        least = round(grey.shape[0] * _SHARE_MIN)
        found = self._frontal.detectMultiScale(
            grey, scaleFactor=_SCALE_STEP, minNeighbors=_NEIGHBOURS, minSize=(least, least)
        )
        for left, top, width, height in found:
            if self._confirmed(grey, left, top, width, height):
                yield _shares(grey, left, top, width, height)

    def _confirmed(self, grey: _Pixels, left: int, top: int, width: int, height: int) -> bool:
        across, down = width // 3, height // 3
        around = grey[max(0, top - down) : top + height + down, max(0, left - across) : left + width + across]
        least, most = round(height * 0.6), round(height * 1.6)
        seen = self._second_opinion.detectMultiScale(
            around,
            scaleFactor=_SCALE_STEP,
            minNeighbors=_NEIGHBOURS_TO_CONFIRM,
            minSize=(least, least),
            maxSize=(most, most),
        )
        return len(seen) > 0

    def _profile_boxes(self, grey: _Pixels) -> list[Box]:
        """The cascade knows profiles that look one way, so it sees the mirrored picture as well."""
        least = round(grey.shape[0] * _SHARE_MIN)
        for mirrored in (False, True):
            seen = _bytes(cv2.flip(grey, 1)) if mirrored else grey
            found, _, certainties = self._profile.detectMultiScale3(
                seen,
                scaleFactor=_SCALE_STEP,
                minNeighbors=_NEIGHBOURS,
                minSize=(least, least),
                outputRejectLevels=True,
            )
            sure = [box for box, how in zip(found, certainties, strict=True) if how >= _PROFILE_CERTAINTY_MIN]
            if sure:
                width = grey.shape[1]
                return [_shares(grey, width - x - w if mirrored else x, y, w, h) for x, y, w, h in sure]
        return []


def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).with_name("data") / f"haarcascade_{name}.xml"))


def _bytes(pixels: Any) -> _Pixels:
    return np.asarray(pixels, dtype=np.uint8)


def _shares(grey: _Pixels, left: int, top: int, width: int, height: int) -> Box:
    rows, columns = grey.shape
    return Box(float(left / columns), float(top / rows), float(width / columns), float(height / rows))
