from __future__ import annotations

from revela.domain.errors import Conflict
from revela.domain.model_health import ModelHealth
from tests.fakes.calls import Calls, port_call


class FakeHealth:
    def __init__(self, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self.models: dict[str, ModelHealth] = {}

    @port_call
    def get(self, model_id: str) -> ModelHealth:
        return self.models.get(model_id, ModelHealth(model_id))

    @port_call
    def put(self, health: ModelHealth) -> None:
        if self.models.get(health.model_id, ModelHealth(health.model_id)).version != health.version - 1:
            raise Conflict(["health"])
        self.models[health.model_id] = health
