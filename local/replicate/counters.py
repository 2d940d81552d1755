"""What happened since the start, for tests to count."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Counters:
    creates: int = 0  # accepted
    trainings: int = 0  # accepted
    uploads: int = 0
    cancels: int = 0  # asked for, of whatever state
    throttled: int = 0
    deliveries: int = 0  # output files handed out
    webhooks_sent: int = 0  # attempts answered with 2xx
    webhooks_failed: int = 0  # attempts answered otherwise, or not at all
    webhooks_lost: int = 0  # messages lost on order
    ignored_inputs: Counter[str] = field(
        default_factory=Counter
    )  # `owner/name.parameter` unknown to the model

    def clear(self) -> None:
        vars(self).update(vars(Counters()))

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"ignored_inputs": dict(self.ignored_inputs)}
