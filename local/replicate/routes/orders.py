"""Orders of `/_control` read into what `faults` keeps: one row each, checked field by field."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.replicate.faults import (
    MOMENTS,
    ODDITIES,
    SCOPES,
    SPOILINGS,
    Always,
    Breakdown,
    Delay,
    Drop,
    Failure,
    Fewer,
    Lateness,
    LongLogs,
    Odd,
    Slowness,
    Spoiled,
    Throttling,
)
from local.replicate.problems import invalid_request
from local.replicate.stand_in import StandIn
from local.replicate.training_failures import KNOWN
from local.replicate.validation import NAME

Deed = Callable[[], None]
Reader = Callable[[str, Any], Any]

# An address of the cloud's metadata service: what a redirect must not be followed to.
METADATA_URL = "http://169.254.169.254/latest/meta-data/"

_MODEL = re.compile(rf"{NAME.pattern}/{NAME.pattern}")


@dataclass(frozen=True)
class Spec:
    """What an order is made of; each field is read by its reader and given to `make` by its name."""

    make: Callable[..., Any]
    fields: Mapping[str, Reader] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def read(self, name: str, value: Any) -> tuple[int | None, Any]:
        if not self.fields:
            return read_count(value), self.make()
        given = fields_of(name, value, known={"count", *self.fields})
        missing = {"count", *self.fields} - self.defaults.keys() - given.keys()
        if missing:
            raise invalid_request(f"{name} lacks {', '.join(sorted(missing))}")
        read = {
            key: reader(f"{name}.{key}", given[key]) if key in given else self.defaults[key]
            for key, reader in self.fields.items()
        }
        return read_count(given["count"]), self.make(**read)


def read_count(value: Any) -> int | None:
    if value != "all" and (type(value) is not int or value < 0):
        raise invalid_request('a count must be a whole number or "all"')
    return None if value == "all" else value


def read_seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise invalid_request(f"{name} must be a number of seconds, not below zero")
    return float(value)


def one_of(*choices: Any) -> Reader:
    def read(name: str, value: Any) -> Any:
        if value not in choices:
            raise invalid_request(f"{name} must be one of {', '.join(map(str, choices))}")
        return value

    return read


def fields_of(name: str, value: Any, *, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not value.keys() <= known:
        raise invalid_request(f"{name} must be an object with {', '.join(sorted(known))}")
    return value


def read_throttle(stand_in: StandIn, value: Any) -> Deed:
    """By number of requests, or by time: the time is reckoned from the moment of the order."""
    given = fields_of("throttle", value, known={"count", "seconds", "retry_after", "scope"})
    if ("count" in given) == ("seconds" in given):
        raise invalid_request("throttle takes either count or seconds")
    retry_after_s = _read_whole("throttle.retry_after", given.get("retry_after", 10), minimum=1)
    scope = one_of(*SCOPES)("throttle.scope", given.get("scope", "creates"))
    seconds = read_seconds("throttle.seconds", given["seconds"]) if "seconds" in given else None
    count = read_count(given.get("count", "all"))

    def deed() -> None:
        until_s = None if seconds is None else stand_in.clock.now_s() + seconds
        stand_in.faults.throttle.place(count, Throttling(retry_after_s, scope, until_s))

    return deed


def _read_whole(name: str, value: Any, *, minimum: int) -> int:
    if type(value) is not int or value < minimum:
        raise invalid_request(f"{name} must be a whole number, at least {minimum}")
    return value


def _read_whole_number(name: str, value: Any) -> int:
    return _read_whole(name, value, minimum=0)


def _read_error(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise invalid_request(f"{name} must be a string or null")
    return value


def _read_text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.isascii():
        raise invalid_request(f"{name} must be a string")
    return value


def _read_model(name: str, value: Any) -> str:
    if not isinstance(value, str) or not _MODEL.fullmatch(value):
        raise invalid_request(f"{name} must be owner/name")
    return value


def _read_oddities(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list) or not value:
        raise invalid_request(f"{name} must be a list")
    return tuple(one_of(*ODDITIES)(name, item) for item in value)


def _training_failure(error: str | None, known: str | None) -> Failure:
    return Failure(error if known is None else KNOWN[known])


_SLOWNESS: dict[str, Reader] = {"queue_s": read_seconds, "predict_s": read_seconds}
_ALL_MODELS = {"model": None}
_SCOPE, _CREATES = one_of(*SCOPES), {"scope": "creates"}

# By the name of the order in `Faults`.
SPECS: dict[str, Spec] = {
    "lose_webhooks": Spec(Always),
    "double_webhooks": Spec(Always),
    "delay_webhooks": Spec(Delay, {"seconds": read_seconds}),
    "reorder_webhooks": Spec(Always),
    "fail_predictions": Spec(Failure, {"error": _read_error, "model": _read_model}, _ALL_MODELS),
    "slow_predictions": Spec(Slowness, _SLOWNESS | {"model": _read_model}, _ALL_MODELS),
    "abort_predictions": Spec(Always),
    "fewer_images": Spec(Fewer, {"images": _read_whole_number}),
    "odd_fields": Spec(Odd, {"fields": _read_oddities}, {"fields": ODDITIES}),
    "fail_trainings": Spec(
        _training_failure, {"error": _read_error, "known": one_of(*KNOWN)}, {"error": None, "known": None}
    ),
    "slow_trainings": Spec(Slowness, _SLOWNESS),
    "hang_trainings": Spec(Always),
    "long_training_logs": Spec(LongLogs, {"size_bytes": _read_whole_number}),
    "answer_late": Spec(Lateness, {"seconds": read_seconds, "scope": _SCOPE}, _CREATES),
    "answer_error": Spec(
        Breakdown,
        {"status": one_of(*range(500, 600)), "scope": _SCOPE, "when": one_of(*MOMENTS)},
        _CREATES | {"when": "before"},
    ),
    "drop_connection": Spec(Drop, {"scope": _SCOPE, "when": one_of(*MOMENTS)}, _CREATES | {"when": "after"}),
    "spoil_outputs": Spec(
        Spoiled, {"how": one_of(*SPOILINGS), "location": _read_text}, {"location": METADATA_URL}
    ),
}
