"""The account's deployments: a version each, on hardware of their own, by numbered releases."""

import hashlib
from dataclasses import dataclass
from typing import Any

from local.replicate.clock import Clock, iso
from local.replicate.models.model import Json, Model
from local.replicate.registry import OWNER

UNUSED_S = 15 * 60  # before one can be deleted

CREATOR: Json = {
    "type": "organization",
    "username": OWNER,
    "name": "Acme Corp, Inc.",
    "github_url": "https://github.com/acme",
}


@dataclass
class Deployment:
    name: str
    model: Model
    version: str
    hardware: str
    min_instances: int
    max_instances: int
    released_s: float
    number: int = 1
    used_s: float | None = None

    @property
    def full_name(self) -> str:
        return f"{OWNER}/{self.name}"

    @property
    def prediction_version(self) -> str:
        """What its predictions show as `version`, as recorded."""
        return "dp-" + hashlib.sha256(f"{self.full_name}:{self.number}".encode()).hexdigest()[:32]

    def to_json(self) -> Json:
        return {
            "owner": OWNER,
            "name": self.name,
            "current_release": {
                "number": self.number,
                "model": self.model.full_name,
                "version": self.version,
                "created_at": iso(self.released_s),
                "created_by": CREATOR,
                "configuration": {
                    "hardware": self.hardware,
                    "min_instances": self.min_instances,
                    "max_instances": self.max_instances,
                },
            },
        }


class Deployments:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deployments: dict[str, Deployment] = {}

    def create(self, name: str, model: Model, version: str, **configuration: Any) -> Deployment:
        made = Deployment(name, model, version, released_s=self._clock.now_s(), **configuration)
        self._deployments[made.full_name] = made
        return made

    def find(self, owner: str, name: str) -> Deployment | None:
        return self._deployments.get(f"{owner}/{name}")

    def newest_first(self) -> list[Deployment]:
        return list(reversed(self._deployments.values()))

    def release(self, deployment: Deployment, **changes: Any) -> None:
        vars(deployment).update(changes)
        deployment.number += 1
        deployment.released_s = self._clock.now_s()

    def use(self, deployment: Deployment) -> None:
        deployment.used_s = self._clock.now_s()

    def is_in_use(self, deployment: Deployment) -> bool:
        """Online, or used within the last 15 minutes: it cannot be deleted."""
        last_s = deployment.used_s
        return deployment.min_instances > 0 or (
            last_s is not None and self._clock.now_s() - last_s < UNUSED_S
        )

    def run(self, version_id: str) -> bool:
        return any(d.version == version_id for d in self._deployments.values())

    def delete(self, deployment: Deployment) -> None:
        self._deployments.pop(deployment.full_name, None)

    def clear(self) -> None:
        self._deployments.clear()
