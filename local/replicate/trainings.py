"""Trainings: what their life has beside that of every job.

At its end the destination has one version more.
"""

import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from local.replicate.deliveries import Weights
from local.replicate.drawing.identity import Identity
from local.replicate.faults import Fate
from local.replicate.file_inputs import ARCHIVE_MAX_BYTES
from local.replicate.jobs import Course, Jobs, new_id
from local.replicate.models.model import Model, RunFailed, Trainer
from local.replicate.photo_set import UnreadablePhotos, read_photo_set
from local.replicate.prediction import Webhook
from local.replicate.registry import Registry
from local.replicate.training import Training
from local.replicate.training_logs import padding

LOG_LINES = 50  # of progress, however many steps
KEPT_TRAININGS = 5_000  # beyond it the oldest that are over are dropped


@dataclass(kw_only=True, eq=False, repr=False)
class Trainings(Jobs[Training]):
    file_max_bytes: ClassVar[int] = ARCHIVE_MAX_BYTES

    registry: Registry

    def create(
        self,
        trainer: Model,
        version: str,
        destination: str,
        given: dict[str, object],
        webhook: Webhook | None,
    ) -> Training:
        """`trainer` has a `Trainer`, and the destination is there."""
        training = Training(
            number=self._next_number(),
            id=new_id(),
            trainer=trainer,
            version=version,
            destination=destination,
            input=dict(given),
            created_s=self.clock.now_s(),
            webhook=webhook,
        )
        self.counters.trainings += 1
        fate = self.faults.training_fate()
        self._admit(training, fate, queue_s=_trainer(training).queue_s, kept=KEPT_TRAININGS)
        return training

    def uses(self, version_id: str) -> bool:
        """Whether a version is the base of a training that is under way."""
        return any(t.version == version_id and not t.is_over for t in self._jobs.values())

    def delete_weights(self, version_id: str) -> None:
        for training in self._jobs.values():
            if training.output is not None and training.output["version"].endswith(f":{version_id}"):
                self.deliveries.delete([training.output["weights"]])

    def _files(self, training: Training) -> Mapping[str, str]:
        return {p.name: training.input[p.name] for p in _trainer(training).parameters if p.is_file}

    def _run(self, training: Training, files: Mapping[str, bytes], fate: Fate, at_s: float) -> None:
        how = _trainer(training)
        values = how.complete(training.input)
        try:
            photos = read_photo_set(files["input_images"], takes_tar=how.takes_tar)
        except UnreadablePhotos as error:
            raise RunFailed(str(error)) from error
        padded = padding(fate.long_logs.size_bytes) if fate.long_logs else ""
        self._log(training, how.logs.opening(photos, values) + padded, at_s)
        course = Course(
            steps=values[how.steps],
            setup_s=how.setup_s,
            step_s=how.step_s,
            log_lines=LOG_LINES,
            line=how.logs.step,
        )
        identity = photos.identity(values[how.trigger])
        self._follow(course, training, fate, at_s, then=partial(self._succeed, training, identity))

    def _succeed(self, training: Training, identity: Identity, at_s: float) -> None:
        if training.is_over:
            return
        self._log(training, _trainer(training).logs.closing(), at_s)
        version = hashlib.sha256(training.id.encode()).hexdigest()
        trained = _trainer(training).trained
        if not self.registry.add_version(training.destination, version, trained, identity, at_s):
            self._end(training, "failed", at_s, "The training's destination does not exist any more")
            return
        training.output = {
            "version": f"{training.destination}:{version}",
            "weights": self.deliveries.publish(Weights(_archive(training.id))),
        }
        self.webhooks.notify(training, "output", at_s)
        self._end(training, "succeeded", at_s)


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
