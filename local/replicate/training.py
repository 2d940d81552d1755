"""A training and its JSON, as Replicate's OpenAPI document and recorded traffic have it."""

from dataclasses import dataclass, field

from local.replicate.clock import iso
from local.replicate.models.model import Json, Model
from local.replicate.prediction import TERMINAL, Status, Webhook


@dataclass
class Training:
    number: int
    id: str
    trainer: Model
    version: str
    destination: str  # in no reply, until `output` names it
    input: Json
    created_s: float
    webhook: Webhook | None = None
    status: Status = "starting"
    started_s: float | None = None
    completed_s: float | None = None
    logs: str = ""
    output: Json | None = None
    error: str | None = None
    metrics: Json = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    def to_json(self, origin: str) -> Json:
        """Times and outputs that are not yet are left out. Its URLs are those of predictions, as recorded."""
        body: Json = {
            "id": self.id,
            "model": self.trainer.full_name,
            "version": self.version,
            "input": self.input,
            "logs": self.logs,
            "error": self.error,
            "status": self.status,
            "source": "api",
            "created_at": iso(self.created_s),
            "urls": {
                "get": f"{origin}/v1/predictions/{self.id}",
                "cancel": f"{origin}/v1/predictions/{self.id}/cancel",
                "web": f"https://replicate.com/p/{self.id}",
            },
        }
        if self.output is not None:
            body["output"] = self.output
        if self.started_s is not None:
            body["started_at"] = iso(self.started_s)
        if self.completed_s is not None:
            body["completed_at"] = iso(self.completed_s)
            body["metrics"] = self.metrics
        return body

    def to_prediction_json(self, origin: str) -> Json:
        """What its URLs lead to: the same id, seen as a prediction."""
        return {"output": None, "data_removed": False} | self.to_json(origin)
