"""A prediction and its JSON, as Replicate's OpenAPI document has it."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal, get_args

from local.replicate.clock import iso
from local.replicate.faults import Oddity
from local.replicate.models.model import Json, Model
from local.replicate.oddities import made_odd

Status = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
STATUSES: tuple[Status, ...] = get_args(Status)
TERMINAL: tuple[Status, ...] = ("succeeded", "failed", "canceled", "aborted")


@dataclass(frozen=True)
class Webhook:
    url: str
    events: frozenset[str]


@dataclass
class Prediction:
    number: int  # of all that were created: their order
    id: str
    model: Model
    version: str  # 64 hex, `hidden` for official models, or `dp-...` of a deployment
    input: Json  # as given: no defaults
    created_s: float
    deadline_s: float | None = None
    webhook: Webhook | None = None
    deployment: str | None = None
    oddities: tuple[Oddity, ...] = ()
    status: Status = "starting"
    started_s: float | None = None
    completed_s: float | None = None
    logs: str = ""
    output: list[str] | str | None = None  # URLs of files, or a text
    error: str | None = None
    metrics: Json = field(default_factory=dict)
    data_removed: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)  # outputs are there, or never will be

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    @property
    def output_files(self) -> list[str]:
        return self.output if isinstance(self.output, list) else []

    def to_json(self, origin: str) -> Json:
        """What GET, cancel and webhooks carry. Times that are not yet are left out, not null."""
        body = self._head(origin) | {"logs": self.logs, "output": self.output, "error": self.error}
        if self.started_s is not None:
            body["started_at"] = iso(self.started_s)
        if self.completed_s is not None:
            body["completed_at"] = iso(self.completed_s)
            body["metrics"] = self.metrics
        return made_odd(body, self.oddities)

    def to_created_json(self, origin: str) -> Json:
        """The reply to a create: in recorded traffic it has no output, times or metrics of the run."""
        created = self._head(origin) | {"logs": "", "error": None, "status": "starting"}
        return made_odd(created, self.oddities)

    def to_listed_json(self, origin: str) -> Json:
        """Lists leave out the logs."""
        return {key: value for key, value in self.to_json(origin).items() if key != "logs"}

    def _head(self, origin: str) -> Json:
        head: Json = {
            "id": self.id,
            "model": self.model.full_name,
            "version": self.version,
            "input": self.input,
            "data_removed": self.data_removed,
            "status": self.status,
            "source": "api",
            "created_at": iso(self.created_s),
            "urls": {
                "get": f"{origin}/v1/predictions/{self.id}",
                "cancel": f"{origin}/v1/predictions/{self.id}/cancel",
                "web": f"https://replicate.com/p/{self.id}",
            },
        }
        if self.deadline_s is not None:
            head["deadline"] = iso(self.deadline_s)
        if self.deployment is not None:
            head["deployment"] = self.deployment
        return head
