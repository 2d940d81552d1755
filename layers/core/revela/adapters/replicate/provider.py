"""The Provider port over Replicate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from revela.adapters.replicate.account import account
from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.files import Files
from revela.adapters.replicate.models import Models
from revela.adapters.replicate.predictions import PredictionBody, Predictions
from revela.adapters.replicate.trainings import TrainingBody, Trainings
from revela.adapters.replicate.versions import Versions
from revela.adapters.replicate.webhook_secret import webhook_secret
from revela.domain.errors import ProviderNotFound, ProviderRejected
from revela.domain.prediction import Prediction
from revela.ports import CreatePrediction, CreateTraining, UploadedFile

# Replicate wants some at a model's creation; a fine-tune runs on what its trainer says.
HARDWARE = "gpu-t4"


class ReplicateProvider:
    def __init__(self, client: ReplicateClient) -> None:
        self._client = client
        self._predictions = Predictions(client)
        self._trainings = Trainings(client)
        self._models = Models(client)
        self._versions = Versions(client)
        self._files = Files(client)
        self._destinations: set[str] = set()
        self._account_name: str | None = None

    def create_prediction(self, request: CreatePrediction) -> Prediction:
        return _prediction(
            self._predictions.create(
                version=request.version,
                model_input=request.input,
                webhook_url=request.webhook_url,
                cancel_after_s=request.cancel_after_s,
                wait_s=request.wait_s,
            )
        )

    def get_prediction(self, prediction_id: str) -> Prediction:
        return _prediction(self._predictions.get(prediction_id))

    def cancel_prediction(self, prediction_id: str) -> Prediction:
        try:
            return _prediction(self._predictions.cancel(prediction_id))
        except ProviderRejected:
            # How Replicate answers for a prediction that has ended is not documented: look what it is.
            return self.get_prediction(prediction_id)

    def list_predictions(
        self, *, created_after: datetime, created_before: datetime | None = None
    ) -> Iterator[Sequence[Prediction]]:
        pages = self._predictions.pages(created_after=created_after, created_before=created_before)
        return _since(created_after, ([_prediction(body) for body in page] for page in pages))

    def create_training(self, request: CreateTraining) -> Prediction:
        model, _, version = request.trainer.partition(":")
        owner, _, name = model.partition("/")
        try:
            created = self._trainings.create(
                owner=owner,
                name=name,
                version=version,
                destination=request.destination,
                training_input=request.input,
                webhook_url=request.webhook_url,
            )
        except ProviderNotFound:
            # The destination may have been deleted by hand since it was looked at: look again next time.
            self._destinations.discard(request.destination)
            raise
        return _trained(created)

    def get_training(self, training_id: str) -> Prediction:
        return _trained(self._trainings.get(training_id))

    def cancel_training(self, training_id: str) -> Prediction:
        try:
            return _trained(self._trainings.cancel(training_id))
        except ProviderRejected:
            return self.get_training(training_id)

    def list_trainings(
        self, *, created_after: datetime, created_before: datetime | None = None
    ) -> Iterator[Sequence[Prediction]]:
        # Replicate lists trainings from the newest on, whatever one asks for.
        pages = ([_trained(body) for body in page] for page in self._trainings.pages())
        for page in _since(created_after, pages):
            yield [
                p for p in page if not (created_before and p.created_at and p.created_at >= created_before)
            ]

    def ensure_destination(self, destination: str) -> None:
        if destination in self._destinations:
            return
        owner, _, name = destination.partition("/")
        try:
            self._models.get(owner, name)
        except ProviderNotFound:
            try:
                self._models.create(owner=owner, name=name, visibility="private", hardware=HARDWARE)
            except ProviderRejected:
                # Somebody else has made it meanwhile, or it is not ours to make.
                self._models.get(owner, name)
        self._destinations.add(destination)

    def delete_version(self, provider_version: str) -> None:
        model, _, version = provider_version.partition(":")
        owner, _, name = model.partition("/")
        with suppress(ProviderNotFound):
            self._versions.delete(owner, name, version)

    def upload(self, path: Path, *, filename: str, content_type: str) -> UploadedFile:
        with path.open("rb") as content:
            body = self._files.create(content, filename=filename, content_type=content_type)
        return UploadedFile(body.id, body.urls.get)

    def delete_file(self, file_id: str) -> None:
        with suppress(ProviderNotFound):
            self._files.delete(file_id)

    def account_name(self) -> str:
        if self._account_name is None:
            self._account_name = account(self._client).username
        return self._account_name

    def webhook_secret(self) -> str:
        return webhook_secret(self._client)


def _prediction(body: PredictionBody) -> Prediction:
    return Prediction.model_validate(body.model_dump(exclude={"logs"}))


def _trained(body: TrainingBody) -> Prediction:
    output = body.output
    return Prediction.model_validate(
        body.model_dump(exclude={"output", "model"})
        | {
            "trained_version": output.version if output else None,
            "weights_url": output.weights if output else None,
        }
    )


def _since(start: datetime, pages: Iterable[list[Prediction]]) -> Iterator[Sequence[Prediction]]:
    """Yield pages, newest first, without what is older than `start`."""
    for predictions in pages:
        fresh = [p for p in predictions if p.created_at is None or p.created_at >= start]
        if fresh:
            yield fresh
        if len(fresh) < len(predictions):
            return
