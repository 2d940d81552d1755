"""Between the domain's models and the tables' items. A field that is None is absent from its item."""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from revela.adapters.dynamodb.tables import (
    AccountRow,
    EntryRow,
    GenerationRow,
    JobRow,
    ModelRow,
    PhotoRow,
    Tables,
    TrainingRow,
)
from revela.domain.account import Account
from revela.domain.generation import Generation
from revela.domain.job import Job
from revela.domain.ledger import LedgerEntry
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import Photo
from revela.domain.policy import DUE_SHARDS
from revela.domain.training import Training

_JOB_DOCUMENTS = {"params", "held_from", "failure"}
_GENERATION_DOCUMENTS = {*_JOB_DOCUMENTS, "doubts", "quarantined", "outputs", "blocked", "own", "appeal"}
_TRAINING_DOCUMENTS = {*_JOB_DOCUMENTS, "photos"}
_MODEL_DOCUMENTS = {"consent", "versions"}
_PHOTO_DOCUMENTS = {"facts", "verdict"}
_ACCOUNT_DOCUMENTS = {"grants", "day", "suspension"}


def job_row(tables: Tables, job: Job, *, write_id: str) -> JobRow:
    training = isinstance(job, Training)
    values = _values(job, _TRAINING_DOCUMENTS if training else _GENERATION_DOCUMENTS)
    kind = tables.training if training else tables.generation
    return kind(write_id=write_id, **values, **_due(job.due_at, job.id))


def generation_of(row: GenerationRow) -> Generation:
    return Generation.model_validate(row.attribute_values)


def training_of(row: TrainingRow) -> Training:
    return Training.model_validate(row.attribute_values)


def model_row(tables: Tables, model: PersonalModel, *, write_id: str) -> ModelRow:
    return tables.model(write_id=write_id, **_values(model, _MODEL_DOCUMENTS), **_due(model.due_at, model.id))


def model_of(row: ModelRow) -> PersonalModel:
    return PersonalModel.model_validate(row.attribute_values)


def photo_row(tables: Tables, photo: Photo, *, write_id: str) -> PhotoRow:
    values = _values(photo, _PHOTO_DOCUMENTS) | _due(photo.due_at, photo.row_id)
    del values["model_id"]
    return tables.photo(write_id=write_id, **values | {"id": photo.row_id})


def photo_of(row: PhotoRow) -> Photo:
    model_id, _, id_ = row.id.partition("#")
    return Photo.model_validate(row.attribute_values | {"id": id_, "model_id": model_id})


def job_of_json(text: str) -> Job:
    """Return a job that was kept as JSON text."""
    kept = from_json(text)
    return (Training if "#trn_" in kept["id"] else Generation).model_validate(kept)


def account_row(tables: Tables, account: Account, *, write_id: str) -> AccountRow:
    return tables.account(write_id=write_id, **_values(account, _ACCOUNT_DOCUMENTS))


def account_of(row: AccountRow) -> Account:
    return Account.model_validate(row.attribute_values)


def entry_id(number: int) -> str:
    return f"entry#{number:012d}"


def entry_row(tables: Tables, entry: LedgerEntry, *, write_id: str) -> EntryRow:
    return tables.entry(write_id=write_id, id=entry_id(entry.number), **_values(entry, set()))


def entry_of(row: EntryRow) -> LedgerEntry:
    return LedgerEntry.model_validate(row.attribute_values)


def _due(due_at: datetime | None, id_: str) -> dict[str, Any]:
    """A row is in the index as long as it is due."""
    return {} if due_at is None else {"due_shard": due_shard(id_)}


def due_shard(id_: str) -> int:
    """Spread what is due over partitions of the index; the same id is always found in the same one."""
    return zlib.crc32(id_.encode()) % DUE_SHARDS


def _values(model: BaseModel, documents: set[str]) -> dict[str, Any]:
    """Return the fields that are set: times as they are, documents as JSON values."""
    plain = model.model_dump(exclude_none=True, exclude=documents)
    return plain | model.model_dump(mode="json", exclude_none=True, include=documents)
