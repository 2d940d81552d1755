"""Misbehaviour on order: what `/_control` asked for and what is left of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Failure:
    error: str | None


@dataclass(frozen=True)
class Slowness:
    """Seconds of the stand-in's clock in place of the model's own."""

    queue_s: float
    predict_s: float


@dataclass(frozen=True)
class Throttling:
    retry_after_s: int
    scope: Literal["creates", "all"]
    until_s: float | None = None  # None: as many requests as were ordered

    def applies_to(self, *, is_create: bool) -> bool:
        return is_create or self.scope == "all"


class Order:
    """Something to be done to the next `left` of its kind; `None` left is all of them."""

    def __init__(self) -> None:
        self.left: int | None = 0

    def place(self, count: int | None) -> None:
        self.left = count

    def take(self) -> bool:
        if self.left is None:
            return True
        if self.left == 0:
            return False
        self.left -= 1
        return True

    def to_json(self) -> int | str:
        return "all" if self.left is None else self.left


class Faults:
    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self.clear()

    def clear(self) -> None:
        self.lose_webhooks = Order()
        self.double_webhooks = Order()
        self.fail_predictions = Order()
        self.failure = Failure(None)
        self.slow_predictions = Order()
        self.slowness = Slowness(0, 0)
        self.throttle = Order()
        self.throttling = Throttling(1, "creates")

    def next_failure(self) -> Failure | None:
        return self.failure if self.fail_predictions.take() else None

    def next_slowness(self) -> Slowness | None:
        return self.slowness if self.slow_predictions.take() else None

    def next_throttling_s(self, *, is_create: bool) -> int | None:
        """Retry-after seconds for this request, or None to let it pass."""
        if not self.throttling.applies_to(is_create=is_create):
            return None
        if self.throttling.until_s is not None and self._now_s() >= self.throttling.until_s:
            return None
        return self.throttling.retry_after_s if self.throttle.take() else None

    def to_json(self) -> dict[str, Any]:
        return {
            "lose_webhooks": self.lose_webhooks.to_json(),
            "double_webhooks": self.double_webhooks.to_json(),
            "fail_predictions": self.fail_predictions.to_json(),
            "slow_predictions": self.slow_predictions.to_json(),
            "throttle": self.throttle.to_json(),
        }
