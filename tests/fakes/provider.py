from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from revela.domain.errors import ProviderNotFound, ProviderTransient
from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import Clock, CreatePrediction, CreateTraining, UploadedFile
from tests.fakes.calls import Calls, port_call
from tests.fakes.clock import FakeClock
from tests.fakes.outputs import FakeOutputs
from tests.fakes.pictures import picture_bytes

_UNANSWERED, _LATER = "created, but nobody hears of it", "created later"
PREDICT_TIME_S = 2.5
_CONTENT_TYPES = {"webp": "image/webp", "jpg": "image/jpeg", "png": "image/png"}


@dataclass(frozen=True)
class _AtOnce:
    output: tuple[str, ...]
    status: PredictionStatus


class FakeProvider:
    """A provider where nothing moves by itself: `start`, `succeed`, `fail`, `abort` and `end_canceled` do.

    What `refuse`, `lose_answer` and `answer_at_once` announced happens to the next creates, in that
    order; what is in `failures` is raised by the next reads and cancels. What a prediction succeeded
    with is served by `outputs`.
    """

    def __init__(
        self, calls: Calls | None = None, *, clock: Clock | None = None, outputs: FakeOutputs | None = None
    ) -> None:
        self.calls = calls or Calls()
        self.outputs = outputs or FakeOutputs()
        self.requests: dict[str, CreatePrediction] = {}
        self.predictions: dict[str, Prediction] = {}
        self.training_requests: dict[str, CreateTraining] = {}
        self.trainings: dict[str, Prediction] = {}
        self.uploads: dict[str, bytes] = {}
        self.destinations: set[str] = set()
        self.deleted_versions: list[str] = []
        self.canceled: list[str] = []
        self.failures: deque[Exception] = deque()
        self.obeys_cancel = True
        self.page_size = 100
        self.secret = "whsec_" + "c2VjcmV0" * 4
        self._clock = clock or FakeClock()
        self._creates: deque[Exception | str | _AtOnce] = deque()
        self._delayed: list[CreatePrediction | CreateTraining] = []

    # What a test scripts

    def refuse(self, error: Exception) -> None:
        """A create to come is answered with `error`, and nothing is created."""
        self._creates.append(error)

    def lose_answer(self) -> None:
        """A create to come succeeds, but nobody hears of it."""
        self._creates.append(_UNANSWERED)

    def answer_at_once(
        self, output: Sequence[str], status: PredictionStatus = PredictionStatus.SUCCEEDED
    ) -> None:
        """A create to come is answered with its output, if it lets the answer be held."""
        self._creates.append(_AtOnce(tuple(output), status))

    def delay_create(self) -> None:
        """A create to come is not answered, and takes effect only when `arrive` is called."""
        self._creates.append(_LATER)

    def arrive(self) -> list[Prediction]:
        """Let the creates that were delayed take effect now."""
        arrived, self._delayed = [self._created(request) for request in self._delayed], []
        return arrived

    def forget_scripts(self) -> None:
        """Answer every create to come as it should be."""
        self._creates.clear()

    def start(self, prediction_id: str) -> Prediction:
        return self._move(prediction_id, PredictionStatus.PROCESSING, started_at=self._clock.now())

    def succeed(self, prediction_id: str, output: Sequence[str] | None = None) -> Prediction:
        """End well: with the URLs given, or as many images as were asked for; a training with a version."""
        if prediction_id in self.trainings:
            request = self.training_requests[prediction_id]
            weights = f"https://replicate.delivery/{prediction_id}/trained_model.tar"
            self.outputs.files[weights] = f"weights of {prediction_id}".encode()
            return self._end(
                prediction_id,
                PredictionStatus.SUCCEEDED,
                trained_version=f"{request.destination}:{int(prediction_id.removeprefix('training')):064x}",
                weights_url=weights,
                predict_time_s=1200.0,
            )
        if output is None:
            output = self._render(prediction_id)
        return self._end(
            prediction_id, PredictionStatus.SUCCEEDED, output=tuple(output), predict_time_s=PREDICT_TIME_S
        )

    def fail(self, prediction_id: str, error: str | None = "boom") -> Prediction:
        return self._end(prediction_id, PredictionStatus.FAILED, error=error)

    def abort(self, prediction_id: str) -> Prediction:
        return self._end(prediction_id, PredictionStatus.ABORTED)

    def end_canceled(self, prediction_id: str) -> Prediction:
        return self._end(prediction_id, PredictionStatus.CANCELED)

    def forget_output(self, prediction_id: str) -> Prediction:
        """Do what the provider does an hour after the end: inputs and outputs are deleted."""
        for url in self.predictions[prediction_id].output:
            self.outputs.files.pop(url, None)
        return self._change(prediction_id, output=(), input=None, data_removed=True)

    # The port

    @port_call
    def create_prediction(self, request: CreatePrediction) -> Prediction:
        return self._create(request)

    @port_call
    def create_training(self, request: CreateTraining) -> Prediction:
        if request.destination not in self.destinations:
            raise ProviderNotFound("The specified training destination does not exist")
        return self._create(request)

    @port_call
    def get_prediction(self, prediction_id: str) -> Prediction:
        self._may_fail()
        return self._known(prediction_id)

    @port_call
    def cancel_prediction(self, prediction_id: str) -> Prediction:
        return self._canceled(prediction_id)

    def _canceled(self, prediction_id: str) -> Prediction:
        self._may_fail()
        prediction = self._known(prediction_id)
        self.canceled.append(prediction_id)
        if self.obeys_cancel and not prediction.status.terminal:
            return self.end_canceled(prediction_id)
        return prediction

    @port_call
    def get_training(self, training_id: str) -> Prediction:
        self._may_fail()
        return self._known(training_id)

    @port_call
    def cancel_training(self, training_id: str) -> Prediction:
        return self._canceled(training_id)

    def list_predictions(
        self, *, created_after: datetime, created_before: datetime | None = None
    ) -> Iterator[Sequence[Prediction]]:
        return self._list(self.predictions, created_after, created_before)

    def list_trainings(
        self, *, created_after: datetime, created_before: datetime | None = None
    ) -> Iterator[Sequence[Prediction]]:
        return self._list(self.trainings, created_after, created_before)

    def _list(
        self, known: Mapping[str, Prediction], created_after: datetime, created_before: datetime | None
    ) -> Iterator[Sequence[Prediction]]:
        newest_first = [
            p.model_copy(update={"logs": None})
            for p in list(known.values())[::-1]
            if created_before is None or (p.created_at is not None and p.created_at < created_before)
        ]
        for start in range(0, max(1, len(newest_first)), self.page_size):
            page = self._page(newest_first, start)
            fresh = [p for p in page if p.created_at is not None and p.created_at >= created_after]
            if fresh:
                yield fresh
            if len(fresh) < len(page):
                return

    @port_call
    def webhook_secret(self) -> str:
        self._may_fail()
        return self.secret

    @port_call
    def ensure_destination(self, destination: str) -> None:
        self._may_fail()
        self.destinations.add(destination)

    @port_call
    def delete_version(self, provider_version: str) -> None:
        self._may_fail()
        self.deleted_versions.append(provider_version)

    @port_call
    def upload(self, path: Path, *, filename: str, content_type: str) -> UploadedFile:
        self._may_fail()
        id_ = f"file{len(self.uploads) + 1:04d}"
        self.uploads[id_] = path.read_bytes()
        return UploadedFile(id_, f"https://api.replicate.com/v1/files/{id_}")

    @port_call
    def delete_file(self, file_id: str) -> None:
        self._may_fail()
        self.uploads[file_id] = b""

    @port_call
    def account_name(self) -> str:
        self._may_fail()
        return "revela"

    # Below

    def _create(self, request: CreatePrediction | CreateTraining) -> Prediction:
        if not self._creates:
            return self._created(request)
        scripted = self._creates.popleft()
        if isinstance(scripted, Exception):
            raise scripted
        if isinstance(scripted, _AtOnce):
            created = self._created(request)
            assert isinstance(request, CreatePrediction)
            return self._held(created.id, scripted) if request.wait_s else created
        if scripted == _LATER:
            self._delayed.append(request)
        else:
            self._created(request)
        raise ProviderTransient("connection reset after the request was sent")

    def _created(self, request: CreatePrediction | CreateTraining) -> Prediction:
        if isinstance(request, CreateTraining):
            training_id = f"training{len(self.training_requests) + 1:04d}"
            self.training_requests[training_id] = request
            self.trainings[training_id] = Prediction(
                id=training_id,
                status=PredictionStatus.STARTING,
                created_at=self._clock.now(),
                input=dict(request.input),
                version=request.trainer,
            )
            return self.trainings[training_id]
        prediction_id = f"prediction{len(self.requests) + 1:04d}"
        self.requests[prediction_id] = request
        self.predictions[prediction_id] = Prediction(
            id=prediction_id,
            status=PredictionStatus.STARTING,
            created_at=self._clock.now(),
            input=dict(request.input),
            version=request.version,
        )
        return self.predictions[prediction_id]

    def _held(self, prediction_id: str, scripted: _AtOnce) -> Prediction:
        if scripted.status.terminal:
            return self._end(
                prediction_id, scripted.status, output=scripted.output, predict_time_s=PREDICT_TIME_S
            )
        return self._move(prediction_id, scripted.status, output=scripted.output)

    @port_call
    def _page(self, predictions: Sequence[Prediction], start: int) -> Sequence[Prediction]:
        self._may_fail()
        return predictions[start : start + self.page_size]

    def _may_fail(self) -> None:
        if self.failures:
            raise self.failures.popleft()

    def _known(self, prediction_id: str) -> Prediction:
        shelf = self._shelf(prediction_id)
        if prediction_id not in shelf:
            raise ProviderNotFound(prediction_id)
        return shelf[prediction_id]

    def _shelf(self, prediction_id: str) -> dict[str, Prediction]:
        return self.trainings if prediction_id in self.trainings else self.predictions

    def _end(self, prediction_id: str, status: PredictionStatus, **values: Any) -> Prediction:
        return self._move(prediction_id, status, completed_at=self._clock.now(), **values)

    def _move(self, prediction_id: str, status: PredictionStatus, **values: Any) -> Prediction:
        before = self._shelf(prediction_id)[prediction_id]
        if before.status.terminal:
            raise AssertionError(f"{prediction_id} has already ended: {before.status}")
        return self._change(prediction_id, status=status, **values)

    def _change(self, prediction_id: str, **values: Any) -> Prediction:
        shelf = self._shelf(prediction_id)
        shelf[prediction_id] = shelf[prediction_id].model_copy(update=values)
        return shelf[prediction_id]

    def _render(self, prediction_id: str) -> list[str]:
        asked = self.requests[prediction_id].input
        extension = str(asked.get("output_format", "png"))
        width, height = int(asked.get("width", 1024)), int(asked.get("height", 1024))
        urls = []
        for number in range(int(asked.get("num_outputs", 1))):
            url = f"https://replicate.delivery/{prediction_id}/out-{number}.{extension}"
            self.outputs.files[url] = picture_bytes(
                _CONTENT_TYPES[extension], width, height, f"{prediction_id}-{number}"
            )
            urls.append(url)
        return urls
