"""Facts and faces as a flawless portrait has them; each test names what it changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from revela.domain.photo import (
    AgeRange,
    Box,
    Category,
    CleanCopy,
    Exposure,
    Face,
    FaceReport,
    Light,
    Photo,
    PhotoFacts,
    PhotoFormat,
    PhotoState,
    Verdict,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ADULT = AgeRange(25, 35)


def facts_of(**changes: Any) -> PhotoFacts:
    flawless: dict[str, Any] = {
        "format": PhotoFormat.JPEG,
        "declared_type_differs": False,
        "width": 1200,
        "height": 1600,
        "size_bytes": 400_000,
        "sharpness": 0.7,
        "exposure": Exposure(mean=120, low=20, high=210, clipped_dark=0.01, clipped_bright=0.01),
        "light": Light.EVEN,
        "perceptual_hash": "0123456789abcdef",
        "clean": CleanCopy(width=1200, height=1600, size_bytes=300_000, sha256="0" * 64),
    }
    return PhotoFacts(**flawless | changes)


def exposed(*, low: int, high: int) -> Exposure:
    return Exposure(mean=(low + high) // 2, low=low, high=high, clipped_dark=0, clipped_bright=0)


def face_of(height: float = 0.35, **changes: Any) -> Face:
    return replace(Face(Box(0.3, 0.2, height * 0.7, height), confidence=0.99, age=ADULT), **changes)


def faces_of(*faces: Face, knows_age: bool = True) -> FaceReport:
    return FaceReport(faces, knows_age)


def photo_of(number: int = 1, state: PhotoState = PhotoState.ACCEPTED, **changes: Any) -> Photo:
    flawless: dict[str, Any] = {
        "user_id": "user-1",
        "model_id": "mdl_1",
        "id": f"pho_{number}",
        "state": state,
        "declared_type": "image/jpeg",
        "created_at": NOW,
        "updated_at": NOW,
        "facts": facts_of() if state.decided else None,
        "verdict": Verdict(category=Category.FACE) if state is PhotoState.ACCEPTED else None,
    }
    return Photo(**flawless | changes)
