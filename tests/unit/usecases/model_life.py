"""A personal model and its photos, taken from step to step as their user and the workers do."""

from __future__ import annotations

from typing import Any

from revela.domain.generation import Generation
from revela.domain.job import Job
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import ModelKind, Photo
from revela.domain.training import Training
from revela.ports import ModelRef, ProviderReport, Ref
from revela.usecases.accept_training import AcceptTraining, accept_training
from revela.usecases.check_photo import check_photo
from revela.usecases.create_model import CreateModel, create_model
from revela.usecases.finish_generation import finish_generation
from revela.usecases.finish_training import finish_training
from revela.usecases.request_photo_uploads import (
    PhotoUpload,
    RequestPhotoUploads,
    request_photo_uploads,
)
from revela.usecases.start_training import start_training
from tests.fakes import FakePorts
from tests.fakes.photo_files import photo_bytes
from tests.photos.findings import facts_of
from tests.unit.usecases.system import ANA, FINISH_TIMEOUT, System

ADDRESS = "203.0.113.7"
# Multiples of the golden ratio's bits differ in about half of their 64.
_SPREAD = 0x9E3779B97F4A7C15


def a_picture(number: int = 1, **changes: Any) -> bytes:
    """Return an upload that is accepted; pictures of different numbers do not look alike."""
    look = f"{number * _SPREAD % 2**64:016x}"
    return photo_bytes(facts_of(**{"perceptual_hash": look, "size_bytes": 400_000 + number} | changes))


def of(model: PersonalModel) -> ModelRef:
    return ModelRef(model.user_id, model.id)


def at(photo: Photo) -> Ref:
    return Ref(photo.user_id, photo.row_id)


def job(row: Job) -> Ref:
    return Ref(row.user_id, row.id)


class ModelLife:
    def __init__(self, ports: FakePorts) -> None:
        self.ports = ports
        self._pictures = 100

    def create(self, user_id: str = ANA, **changes: Any) -> PersonalModel:
        values: dict[str, Any] = {
            "name": "Ana",
            "kind": ModelKind.FACE,
            "class_word": "woman",
            "consent_version": "2026-01",
            "address": ADDRESS,
        }
        return create_model(CreateModel(user_id, **values | changes), ports=self.ports)

    def request(self, model: PersonalModel, *types: str) -> list[PhotoUpload]:
        command = RequestPhotoUploads(of(model), types or ("image/jpeg",))
        return request_photo_uploads(command, ports=self.ports)

    def upload(self, model: PersonalModel, data: bytes | None = None) -> Photo:
        """Have a photo requested and posted; its event is not delivered yet."""
        (asked,) = self.request(model)
        self.post(asked.photo, data)
        return asked.photo

    def post(self, photo: Photo, data: bytes | None = None) -> None:
        self._pictures += 1
        self.ports.objects.put_bytes(
            photo.upload_key, a_picture(self._pictures) if data is None else data, content_type="image/jpeg"
        )

    def check(self, photo: Photo) -> Photo:
        check_photo(at(photo), ports=self.ports)
        return self.photo(photo)

    def checked(self, model: PersonalModel, data: bytes | None = None) -> Photo:
        return self.check(self.upload(model, data))

    def with_photos(self, count: int = 5, **changes: Any) -> PersonalModel:
        model = self.create(**changes)
        for _ in range(count):
            self.checked(model)
        return self.model(model)

    def accept_training(self, model: PersonalModel, **requested: Any) -> Training:
        return accept_training(AcceptTraining(of(model), requested), ports=self.ports).training

    def start_training(self, row: Training) -> Training:
        """Take a training to the provider."""
        self.ports.commands.take_started()
        until = self.ports.clock.now() + FINISH_TIMEOUT
        start_training(job(row), ports=self.ports, until=until)
        return self.ports.store.trainings[job(row)]

    def finish_training(self, row: Training) -> Training:
        """Let the provider end it well, and hear of it."""
        ref = job(row)
        running = self.ports.store.trainings[ref]
        assert running.prediction_id is not None
        done = self.ports.provider.succeed(running.prediction_id)
        until = self.ports.clock.now() + 2 * FINISH_TIMEOUT
        finish_training(ProviderReport(ref, running.attempt, done), ports=self.ports, until=until)
        return self.ports.store.trainings[ref]

    def train(self, model: PersonalModel, **requested: Any) -> Training:
        return self.finish_training(self.start_training(self.accept_training(model, **requested)))

    def trained(self, **changes: Any) -> PersonalModel:
        model = self.with_photos(**changes)
        self.train(model)
        return self.model(model)

    def generate(self, model: PersonalModel, user_id: str = ANA, **requested: Any) -> Generation:
        fields: dict[str, Any] = {"model": model.id, "prompt": "by the sea", "num_outputs": 1} | requested
        return System(self.ports).accept(user_id, **fields)

    def deliver(self) -> None:
        """Deliver every message that waits, to the worker of its kind."""
        system, ports = System(self.ports), self.ports
        for ref in ports.commands.take_started():
            if ref.of_training:
                start_training(ref, ports=ports, until=ports.clock.now() + FINISH_TIMEOUT)
            else:
                assert not system.start(system.row(ref))
        for told in ports.commands.take_finished():
            finish = finish_training if told.ref.of_training else finish_generation
            finish(told, ports=ports, until=ports.clock.now() + 2 * FINISH_TIMEOUT)

    # What is there

    def model(self, model: PersonalModel) -> PersonalModel:
        return self.ports.store.models[model.user_id, model.id]

    def photo(self, photo: Photo) -> Photo:
        return self.ports.store.photos[photo.user_id, photo.row_id]

    def exists(self, model: PersonalModel) -> bool:
        return (model.user_id, model.id) in self.ports.store.models

    def files(self) -> set[str]:
        return set(self.ports.objects.stored)
