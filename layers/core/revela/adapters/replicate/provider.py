"""The Provider port over Replicate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.predictions import PredictionBody, Predictions
from revela.adapters.replicate.webhook_secret import webhook_secret
from revela.domain.errors import ProviderRejected
from revela.domain.prediction import Prediction
from revela.ports import CreatePrediction


class ReplicateProvider:
    def __init__(self, client: ReplicateClient) -> None:
        self._client = client
        self._predictions = Predictions(client)

    def create_prediction(self, request: CreatePrediction) -> Prediction:
        return _prediction(
            self._predictions.create(
                version=request.version,
                model_input=request.input,
                webhook_url=request.webhook_url,
                cancel_after_s=request.cancel_after_s,
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
        for page in self._predictions.pages(created_after=created_after, created_before=created_before):
            predictions = [_prediction(body) for body in page]
            fresh = [p for p in predictions if p.created_at is None or p.created_at >= created_after]
            if fresh:
                yield fresh
            if len(fresh) < len(predictions):
                return

    def webhook_secret(self) -> str:
        return webhook_secret(self._client)


def _prediction(body: PredictionBody) -> Prediction:
    return Prediction.model_validate(body.model_dump())
