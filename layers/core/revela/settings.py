"""The only reader of the environment: parsed once per process, with one error that names every fault.

A function is given only the variables it needs (template.yaml), so each group is required when it
is first asked for, not before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

T = TypeVar("T")

NO_WEBHOOKS = "none"


class BadSettings(Exception):
    """Names every variable that is missing or unusable."""


@dataclass(frozen=True)
class Tables:
    generations: str
    models: str
    credits: str
    ledger: str
    control: str


@dataclass(frozen=True)
class Queues:
    """URLs; empty for a queue that the function sends nothing to."""

    generation: str = ""
    generation_webhook: str = ""
    training: str = ""
    training_webhook: str = ""
    photo: str = ""


@dataclass(frozen=True)
class ReplicateSettings:
    """`webhook_base_url` None: jobs finish by polling alone."""

    api_base_url: str
    webhook_base_url: str | None
    output_origins: tuple[str, ...]
    creates_per_minute: int
    reads_per_minute: int


class Settings:
    """What a process was told. `environ` is injected by tests."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    @cached_property
    def tables(self) -> Tables:
        # Functions are given only the tables they may touch: the others stay empty, and a call on
        # one of them is refused by IAM as well.
        get = self._environ.get
        return Tables(
            generations=get("GENERATIONS_TABLE", ""),
            models=get("MODELS_TABLE", ""),
            credits=get("CREDITS_TABLE", ""),
            ledger=get("LEDGER_TABLE", ""),
            control=get("CONTROL_TABLE", ""),
        )

    @cached_property
    def queues(self) -> Queues:
        get = self._environ.get
        return Queues(
            generation=get("GENERATION_QUEUE_URL", ""),
            generation_webhook=get("GENERATION_WEBHOOK_QUEUE_URL", ""),
            training=get("TRAINING_QUEUE_URL", ""),
            training_webhook=get("TRAINING_WEBHOOK_QUEUE_URL", ""),
            photo=get("PHOTO_QUEUE_URL", ""),
        )

    @cached_property
    def bucket(self) -> str:
        return self._read(lambda read: read("BUCKET", str))

    @cached_property
    def event_bus(self) -> str:
        return self._read(lambda read: read("EVENT_BUS", str))

    @cached_property
    def webhook_secret_id(self) -> str:
        return self._read(lambda read: read("WEBHOOK_SECRET_ID", str))

    @cached_property
    def replicate_token_secret_id(self) -> str:
        return self._read(lambda read: read("REPLICATE_TOKEN_SECRET_ID", str))

    @cached_property
    def face_inspector(self) -> str:
        """Return `rekognition`, or `opencv` where there is no AWS."""
        return self._read(lambda read: read("FACE_INSPECTOR", _face_inspector, "rekognition"))

    @cached_property
    def region(self) -> str:
        return self._environ.get("AWS_REGION") or self._environ.get("AWS_DEFAULT_REGION") or "us-east-1"

    @cached_property
    def clock_offset_s(self) -> float:
        return self._read(lambda read: read("CLOCK_OFFSET_S", float, "0"))

    @cached_property
    def photo_retention_days(self) -> int:
        return self._read(lambda read: read("PHOTO_RETENTION_DAYS", _positive, "90"))

    @cached_property
    def image_judge(self) -> str:
        """Return `rekognition`, `replicate` or, where somebody has said so, `off`."""
        return self._read(lambda read: read("IMAGE_JUDGE", _image_judge, "rekognition"))

    @cached_property
    def celebrity_gate(self) -> str:
        """Return `rekognition`, or `off` where there is no AWS."""
        return self._read(lambda read: read("CELEBRITY_GATE", _celebrity_gate, "rekognition"))

    @cached_property
    def blocked_retention_days(self) -> int:
        return self._read(lambda read: read("BLOCKED_RETENTION_DAYS", _not_negative, "7"))

    @cached_property
    def judge_patience_minutes(self) -> int:
        return self._read(lambda read: read("JUDGE_PATIENCE_MINUTES", _not_negative, "1440"))

    @cached_property
    def strikes_per_day(self) -> int:
        return self._read(lambda read: read("STRIKES_PER_DAY", _positive, "10"))

    @cached_property
    def copies_weights(self) -> bool:
        return self._environ.get("COPY_WEIGHTS", "false") == "true"

    @cached_property
    def log_level(self) -> str:
        return self._environ.get("LOG_LEVEL", "INFO").upper()

    @cached_property
    def replicate(self) -> ReplicateSettings:
        return self._read(
            lambda read: (
                read("AI_PROVIDER", _replicate_only, "replicate"),
                ReplicateSettings(
                    api_base_url=read("REPLICATE_API_BASE_URL", _url, "https://api.replicate.com/v1"),
                    webhook_base_url=read("REPLICATE_WEBHOOK_URL", _url_or_none, NO_WEBHOOKS),
                    output_origins=read("REPLICATE_OUTPUT_ORIGINS", _urls, "https://replicate.delivery"),
                    creates_per_minute=read("REPLICATE_CREATES_PER_MINUTE", _positive, "600"),
                    reads_per_minute=read("REPLICATE_READS_PER_MINUTE", _positive, "3000"),
                ),
            )[1]
        )

    def _read(self, build: Callable[[_Reader], T]) -> T:
        reader = _Reader(self._environ)
        built = build(reader)
        if reader.faults:
            raise BadSettings("; ".join(reader.faults))
        return built


class _Reader:
    """Collects faults instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def __call__(self, name: str, parse: Callable[[str], T], default: str | None = None) -> T:
        text = self._environ.get(name) or default
        if text is None:
            self.faults.append(f"{name} is not set")
            return None  # type: ignore[return-value]  # never seen: `_read` raises
        try:
            return parse(text)
        except ValueError as error:
            self.faults.append(f"{name}: {error}")
            return None  # type: ignore[return-value]  # never seen: `_read` raises


def _replicate_only(text: str) -> str:
    if text != "replicate":
        raise ValueError("the only provider is 'replicate'")
    return text


def _face_inspector(text: str) -> str:
    return _one_of(text, "rekognition", "opencv")


def _image_judge(text: str) -> str:
    return _one_of(text, "rekognition", "replicate", "off")


def _celebrity_gate(text: str) -> str:
    return _one_of(text, "rekognition", "off")


def _one_of(text: str, *allowed: str) -> str:
    if text not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("must be at least 1")
    return number


def _not_negative(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError("must be at least 0")
    return number


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("must be an http or https URL")
    return text.rstrip("/")


def _url_or_none(text: str) -> str | None:
    return None if text == NO_WEBHOOKS else _url(text)


def _urls(text: str) -> tuple[str, ...]:
    return tuple(_url(part.strip()) for part in text.split(",") if part.strip())
