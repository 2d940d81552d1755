"""Misbehaviour on order: what `/_control` asked for and what is left of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_args

from local.replicate.models.model import Model

Kind = Literal["creates", "trainings", "others"]  # of requests
Scope = Literal["creates", "trainings", "all"]
Moment = Literal["before", "after"]  # something was done
Spoiling = Literal[
    "truncated", "wrong_type", "redirect", "drip", "endless", "gzip_bomb", "gone", "unavailable"
]
Oddity = Literal["nulls", "unknown_fields", "error_type", "precision"]

SCOPES: tuple[Scope, ...] = get_args(Scope)
MOMENTS: tuple[Moment, ...] = get_args(Moment)
SPOILINGS: tuple[Spoiling, ...] = get_args(Spoiling)
ODDITIES: tuple[Oddity, ...] = get_args(Oddity)

What = TypeVar("What")


@dataclass(frozen=True)
class Always:
    """An order that says nothing but how often."""


@dataclass(frozen=True)
class Failure:
    error: str | None
    model: str | None = None  # owner/name of whose predictions it is for; None: of all


@dataclass(frozen=True)
class Slowness:
    """Seconds of the stand-in's clock in place of the model's own."""

    queue_s: float
    predict_s: float
    model: str | None = None  # as a failure's


@dataclass(frozen=True)
class LongLogs:
    size_bytes: int


@dataclass(frozen=True)
class Fewer:
    images: int


@dataclass(frozen=True)
class Odd:
    fields: tuple[Oddity, ...]


@dataclass(frozen=True)
class Delay:
    seconds: float


@dataclass(frozen=True)
class Throttling:
    retry_after_s: int
    scope: Scope
    until_s: float | None = None  # None: as many requests as were ordered


@dataclass(frozen=True)
class Lateness:
    seconds: float
    scope: Scope


@dataclass(frozen=True)
class Breakdown:
    status: int
    scope: Scope
    when: Moment


@dataclass(frozen=True)
class Drop:
    scope: Scope
    when: Moment


@dataclass(frozen=True)
class Spoiled:
    how: Spoiling
    location: str


class Order(Generic[What]):
    """Something to be done to the next `left` of its kind; `None` left is all of them."""

    def __init__(self) -> None:
        self.left: int | None = 0
        self.what: What | None = None

    def place(self, count: int | None, what: What) -> None:
        self.left, self.what = count, what

    def take(self, applies: Callable[[What], bool] = lambda _: True) -> What | None:
        if self.left == 0 or self.what is None or not applies(self.what):
            return None
        if self.left is not None:
            self.left -= 1
        return self.what

    def to_json(self) -> int | str:
        return "all" if self.left is None else self.left


@dataclass(frozen=True)
class Fate:
    """What was ordered for one prediction or training, decided when it is created."""

    failure: Failure | None = None
    slowness: Slowness | None = None
    fewer: Fewer | None = None
    long_logs: LongLogs | None = None
    hangs: bool = False
    is_aborted: bool = False
    oddities: tuple[Oddity, ...] = ()


class Faults:
    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self.clear()

    def clear(self) -> None:
        self.lose_webhooks = Order[Always]()
        self.double_webhooks = Order[Always]()
        self.delay_webhooks = Order[Delay]()
        self.reorder_webhooks = Order[Always]()
        self.fail_predictions = Order[Failure]()
        self.slow_predictions = Order[Slowness]()
        self.abort_predictions = Order[Always]()
        self.fewer_images = Order[Fewer]()
        self.odd_fields = Order[Odd]()
        self.fail_trainings = Order[Failure]()
        self.slow_trainings = Order[Slowness]()
        self.hang_trainings = Order[Always]()
        self.long_training_logs = Order[LongLogs]()
        self.throttle = Order[Throttling]()
        self.answer_late = Order[Lateness]()
        self.answer_error = Order[Breakdown]()
        self.drop_connection = Order[Drop]()
        self.spoil_outputs = Order[Spoiled]()

    def prediction_fate(self, model: Model) -> Fate:
        """Orders that are not for the model are left for the predictions of others."""

        def concerns(what: Failure | Slowness) -> bool:
            return what.model in {None, model.full_name}

        odd = self.odd_fields.take()
        return Fate(
            failure=self.fail_predictions.take(concerns),
            slowness=self.slow_predictions.take(concerns),
            fewer=self.fewer_images.take(lambda _: model.output == "images"),
            is_aborted=self.abort_predictions.take() is not None,
            oddities=odd.fields if odd else (),
        )

    def training_fate(self) -> Fate:
        return Fate(
            failure=self.fail_trainings.take(),
            slowness=self.slow_trainings.take(),
            hangs=self.hang_trainings.take() is not None,
            long_logs=self.long_training_logs.take(),
        )

    def next_throttling_s(self, kind: Kind) -> int | None:
        """Retry-after seconds for this request, or None to let it pass."""

        def applies(what: Throttling) -> bool:
            return within(what.scope, kind) and (what.until_s is None or self._now_s() < what.until_s)

        throttling = self.throttle.take(applies)
        return throttling.retry_after_s if throttling else None

    def to_json(self) -> dict[str, Any]:
        return {name: order.to_json() for name, order in vars(self).items() if isinstance(order, Order)}


def within(scope: Scope, kind: Kind) -> bool:
    return scope in {"all", kind}
