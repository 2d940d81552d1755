"""The ports of models, photos and trainings, over dictionaries or over DynamoDB's adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from revela.adapters.dynamodb.changes import DynamoChanges
from revela.adapters.dynamodb.generations import DynamoGenerations
from revela.adapters.dynamodb.models import DynamoModels, DynamoPhotos
from revela.adapters.dynamodb.trainings import DynamoTrainings
from revela.domain.account import Portion
from revela.domain.change import Change, JobWrite, ModelWrite, PhotoWrite
from revela.domain.job import Job, State
from revela.domain.personal_model import Consent, PersonalModel
from revela.domain.photo import ModelKind, Photo, PhotoState
from revela.domain.training import Training, TrainingPhoto
from revela.ports import Changes, Generations, ModelRef, Models, Photos, Trainings
from tests.contract.aws import aws, deploy_tables
from tests.fakes import FakeChanges, FakeGenerations, Store
from tests.fakes.clock import START
from tests.fakes.store import FakeModels, FakePhotos, FakeTrainings


@dataclass
class ModelPorts:
    models: Models
    photos: Photos
    trainings: Trainings
    generations: Generations
    changes: Changes

    def write(self, *rows: PersonalModel | Photo | Job) -> None:
        """Store new rows."""
        for row in rows:
            match row:
                case PersonalModel():
                    change = Change(now=START, model=ModelWrite(None, row))
                case Photo():
                    change = Change(now=START, photos=(PhotoWrite(None, row),))
                case _:
                    change = Change(now=START, job=JobWrite(None, row))
            self.changes.commit(change)

    def model(self, id_: str = "mdl_1") -> PersonalModel:
        found = self.models.get(ModelRef("ana", id_))
        assert found is not None
        return found


@contextmanager
def opened(kind: str) -> Iterator[ModelPorts]:
    if kind == "memory":
        store = Store()
        yield ModelPorts(
            FakeModels(store),
            FakePhotos(store),
            FakeTrainings(store),
            FakeGenerations(store),
            FakeChanges(store),
        )
        return
    with aws():
        tables = deploy_tables()
        yield ModelPorts(
            DynamoModels(tables),
            DynamoPhotos(tables),
            DynamoTrainings(tables),
            DynamoGenerations(tables),
            DynamoChanges(tables),
        )


def a_model(id_: str = "mdl_1", **changes: Any) -> PersonalModel:
    values: dict[str, Any] = {
        "user_id": "ana",
        "id": id_,
        "account_id": "acc_1",
        "name": "Ana",
        "kind": ModelKind.FACE,
        "class_word": "woman",
        "trigger_word": "ZQANA",
        "consent": Consent(accepted_at=START, text_version="2026-01", address_hash="0" * 64),
        "created_at": START,
        "updated_at": START,
    }
    return PersonalModel(**values | changes)


def a_photo(id_: str = "pho_1", model_id: str = "mdl_1", **changes: Any) -> Photo:
    values: dict[str, Any] = {
        "user_id": "ana",
        "model_id": model_id,
        "id": id_,
        "state": PhotoState.AWAITING_UPLOAD,
        "declared_type": "image/jpeg",
        "created_at": START,
        "updated_at": START,
        "due_at": START + timedelta(minutes=35),
    }
    return Photo(**values | changes)


def a_training(id_: str = "trn_1", model_id: str = "mdl_1", **changes: Any) -> Training:
    values: dict[str, Any] = {
        "user_id": "ana",
        "id": f"{model_id}#{id_}",
        "account_id": "acc_1",
        "state": State.QUEUED,
        "model_id": model_id,
        "trainer": "flux-lora",
        "fine_tune": "flux-dev-fine-tune",
        "provider_version": "ostris/flux-dev-lora-trainer:" + "a" * 64,
        "params": {"steps": 1000},
        "kind": ModelKind.FACE,
        "trigger_word": "ZQANA",
        "class_word": "woman",
        "photos": (TrainingPhoto(id="pho_1", key="photos/ana/mdl_1/pho_1/x.jpg", sha256="0" * 64),),
        "held_from": (Portion(grant_id="plan:essential", credits=250),),
        "credits_held": 250,
        "price_version": "2026-1",
        "created_at": START,
        "updated_at": START,
        "due_at": START + timedelta(minutes=1),
    }
    return Training(**values | changes)
