"""A training's life: starting -> processing -> succeeded | failed | canceled.

Like a prediction it goes by the scheduler; at its end the destination has one version more.
"""

import base64
import hashlib
import io
import json
import logging
import secrets
import struct
import tarfile
from collections.abc import Sequence
from functools import partial

from local.replicate.clock import Clock, Scheduler
from local.replicate.counters import Counters
from local.replicate.deliveries import Deliveries, Weights
from local.replicate.faults import Fate, Faults
from local.replicate.file_inputs import ARCHIVE_MAX_BYTES, FileInputs
from local.replicate.models.model import Model, RunFailed, Trainer
from local.replicate.prediction import Status, Webhook
from local.replicate.progress import progress_line
from local.replicate.registry import Registry
from local.replicate.tasks import Tasks
from local.replicate.training import Training
from local.replicate.webhooks import Webhooks

LOG_LINES = 20  # of progress, however many steps
KEPT_TRAININGS = 5_000  # beyond it the oldest that are over are dropped

logger = logging.getLogger(__name__)


class Trainings:
    def __init__(
        self,
        *,
        clock: Clock,
        scheduler: Scheduler,
        tasks: Tasks,
        faults: Faults,
        counters: Counters,
        deliveries: Deliveries,
        webhooks: Webhooks,
        registry: Registry,
        file_inputs: FileInputs,
    ) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._tasks = tasks
        self._faults = faults
        self._counters = counters
        self._deliveries = deliveries
        self._webhooks = webhooks
        self._registry = registry
        self._file_inputs = file_inputs
        self._trainings: dict[str, Training] = {}
        self._created = 0

    def create(
        self,
        trainer: Model,
        version: str,
        destination: str,
        given: dict[str, object],
        webhook: Webhook | None,
    ) -> Training:
        """`trainer` has a `Trainer`, and the destination is there."""
        now_s = self._clock.now_s()
        self._created += 1
        self._counters.trainings += 1
        training = Training(
            number=self._created,
            id=base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26],
            trainer=trainer,
            version=version,
            destination=destination,
            input=dict(given),
            created_s=now_s,
            webhook=webhook,
        )
        self._trainings[training.id] = training
        self._drop_oldest()
        fate, how = self._faults.training_fate(), _trainer(training)
        queue_s = fate.slowness.queue_s if fate.slowness else how.queue_s
        self._scheduler.at(now_s + queue_s, partial(self._start, training, fate))
        return training

    def find(self, training_id: str) -> Training | None:
        return self._trainings.get(training_id)

    def newest_first(self) -> Sequence[Training]:
        return list(reversed(self._trainings.values()))

    def cancel(self, training: Training) -> None:
        self._counters.cancels += 1
        self._end(training, "canceled", self._clock.now_s())

    def uses(self, version_id: str) -> bool:
        """Whether a version is the base of a training that is under way."""
        return any(t.version == version_id and not t.is_over for t in self._trainings.values())

    def delete_weights(self, version_id: str) -> None:
        for training in self._trainings.values():
            if training.output is not None and training.output["version"].endswith(f":{version_id}"):
                self._deliveries.delete([training.output["weights"]])

    def clear(self) -> None:
        self._trainings.clear()

    def _start(self, training: Training, fate: Fate, at_s: float) -> None:
        if training.is_over:
            return
        training.status, training.started_s = "processing", at_s
        self._webhooks.notify(training, "start", at_s)
        urls = {p.name: training.input[p.name] for p in _trainer(training).parameters if p.is_file}

        async def fetch_and_run() -> None:
            try:
                files = await self._file_inputs.fetch(urls, max_bytes=ARCHIVE_MAX_BYTES)
            except RunFailed as error:
                self._end(training, "failed", self._clock.now_s(), str(error))
            else:
                sizes = {name: len(data) for name, data in files.items()}
                self._run(training, fate, sizes, self._clock.now_s())

        self._tasks.spawn(fetch_and_run())

    def _run(self, training: Training, fate: Fate, sizes: dict[str, int], at_s: float) -> None:
        if training.is_over:
            return
        how = _trainer(training)
        values = how.complete(training.input)
        steps: int = values[how.steps]
        step_s = fate.slowness.predict_s / steps if fate.slowness else how.step_s
        setup_s = 0.0 if fate.slowness else how.setup_s
        opening = "".join(f"Read {name}: {size} bytes\n" for name, size in sizes.items())
        self._log(training, f"{opening}Trigger word: {values[how.trigger]}\n", at_s)
        last = steps if fate.failure is None else steps // 2
        for step in sorted({last * line // LOG_LINES for line in range(1, LOG_LINES + 1)} - {0}):
            text = progress_line(step, steps, step * step_s)
            self._scheduler.at(at_s + setup_s + step * step_s, partial(self._log, training, text))
        ends_s = at_s + setup_s + last * step_s
        if fate.failure is not None:
            failed = partial(self._end, training, "failed", error=fate.failure.error)
            self._scheduler.at(ends_s, failed)
        else:
            self._scheduler.at(ends_s, partial(self._succeed, training))

    def _succeed(self, training: Training, at_s: float) -> None:
        if training.is_over:
            return
        version = hashlib.sha256(training.id.encode()).hexdigest()
        trained = _trainer(training).trained
        if not self._registry.add_version(training.destination, version, trained, at_s):
            self._end(training, "failed", at_s, "The training's destination does not exist any more")
            return
        training.output = {
            "version": f"{training.destination}:{version}",
            "weights": self._deliveries.publish(Weights(_archive(training.id))),
        }
        self._webhooks.notify(training, "output", at_s)
        self._end(training, "succeeded", at_s)

    def _end(self, training: Training, status: Status, at_s: float, error: str | None = None) -> None:
        if training.is_over:
            return
        training.status, training.error, training.completed_s = status, error, at_s
        if training.started_s is not None:
            training.metrics["predict_time"] = round(at_s - training.started_s, 6)
        training.metrics["total_time"] = round(at_s - training.created_s, 6)
        self._webhooks.notify(training, "completed", at_s)
        self._scheduler.at(at_s + 3600, lambda _: self._webhooks.forget(training.id))
        logger.info("training %s %s", training.id, status)

    def _log(self, training: Training, text: str, at_s: float) -> None:
        if training.is_over:
            return
        training.logs += text
        self._webhooks.notify(training, "logs", at_s)

    def _drop_oldest(self) -> None:
        while len(self._trainings) > KEPT_TRAININGS:
            oldest = next(iter(self._trainings.values()))
            if not oldest.is_over:
                return
            del self._trainings[oldest.id]


def _trainer(training: Training) -> Trainer:
    assert training.trainer.trainer is not None
    return training.trainer.trainer


def _archive(seed: str) -> bytes:
    """A tar with a file of weights in it, small but well-formed."""
    header = json.dumps({"lora": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + hashlib.sha256(seed.encode()).digest()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo("output/flux_train_replicate/lora.safetensors")
        member.size = len(weights)
        tar.addfile(member, io.BytesIO(weights))
    return file.getvalue()
