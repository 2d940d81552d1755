"""Calls the real handlers of the workers with the files of events/, as Lambda does."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from revela.domain.generation import Generation
from revela.ports import ModelRef, Ref
from tests.fakes import FakeEntropy, FakePorts
from tests.unit.usecases.system import System

EVENTS = Path(__file__).parents[3] / "events"
WORKERS = (
    *("start_generation", "finish_generation", "check_photo", "start_training", "finish_training"),
    "reconcile_jobs",
)
# Who and what the samples are about.
JOB = Ref("ana", "gen_01K4YVZ5M0QH8W3D9RJ2T6XBCE")
MODEL = ModelRef("ana", "mdl_01K4YVZ0A7P3N5R8T2V4X6Z9BD")
TRAINING = Ref("ana", f"{MODEL.id}#trn_01K4YW1G6C2E4H7K9M3P5R8T0V")
PHOTO = Ref("ana", f"{MODEL.id}#pho_01K4YVZ2Q5S8T1W4Y7A0C3E6GK")
PREDICTION_ID = "gm3qorzdhgbfurvjtvhg6dckhu"

Handler = Callable[[dict[str, Any], Any], Any]


class SampleEntropy(FakeEntropy):
    """Gives the first of each kind of row the id that the samples name."""

    def __init__(self) -> None:
        super().__init__()
        named = [JOB.id, MODEL.id, *(ref.id.partition("#")[2] for ref in (TRAINING, PHOTO))]
        self._first = {id_.partition("_")[0]: id_ for id_ in named}

    def new_id(self, prefix: str, *, now: datetime) -> str:
        return self._first.pop(prefix, None) or super().new_id(prefix, now=now)


@dataclass
class WorkerPorts(FakePorts):
    entropy: FakeEntropy = field(default_factory=SampleEntropy)

    def accept(self) -> Generation:
        """Return the job of the samples, queued: two images with FLUX.1 [dev]."""
        row = System(self).accept(JOB.user_id, model="flux-dev", num_outputs=2)
        self.commands.take_started()
        return row

    @property
    def job(self) -> Generation:
        return self.store.generations[JOB]


@dataclass(frozen=True)
class Context:
    function_name: str
    remaining_s: int
    memory_limit_in_mb: int = 512
    aws_request_id: str = "5c6f0a3e-3b1e-4c4e-9f59-2f2f8ad0a001"

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:us-east-1:123456789012:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_s * 1000


def sample(name: str) -> dict[str, Any]:
    """Return an event by its path below events/, without .json."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return event


def samples(folder: str) -> list[str]:
    return sorted(f"{folder}/{path.stem}" for path in (EVENTS / folder).glob("*.json"))


def invoke(handler: Handler, event: dict[str, Any], *, remaining_s: int = 60) -> Any:
    with warnings.catch_warnings():
        # The fakes count for themselves, so that Powertools has nothing to flush.
        warnings.filterwarnings("ignore", "No application metrics to publish")
        return handler(event, Context(handler.__module__.partition(".")[0], remaining_s))


def deliver(handler: Handler, event: dict[str, Any], *, remaining_s: int = 60) -> list[str]:
    """Return the ids of the messages that SQS is to deliver again."""
    answer = invoke(handler, event, remaining_s=remaining_s)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def message_ids(event: dict[str, Any]) -> list[str]:
    return [record["messageId"] for record in event["Records"]]
