"""A prediction's life: starting -> processing -> succeeded | failed | canceled, or aborted before it runs.

Every stage is an action of the scheduler and stamps the time at which it was due. A stage that finds its
prediction over does nothing.
"""

import base64
import logging
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from local.replicate.clock import Clock, Scheduler
from local.replicate.counters import Counters
from local.replicate.deliveries import Deliveries
from local.replicate.faults import Fate, Faults, Slowness
from local.replicate.file_inputs import FileInputs
from local.replicate.models.model import Input, Model, Pace, Run, RunFailed
from local.replicate.prediction import STATUSES, Prediction, Status, Webhook
from local.replicate.progress import progress_line
from local.replicate.tasks import Tasks
from local.replicate.webhooks import Webhooks

RETENTION_S = 3600  # inputs, outputs and logs of API predictions, after completion
RUN_LIMIT_S = 1800  # "Predictions time out after running for 30 minutes"; the error's wording is not recorded
KEPT_PREDICTIONS = 20_000  # beyond it the oldest whose data is removed are dropped altogether

logger = logging.getLogger(__name__)


class Lifecycle:
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
        file_inputs: FileInputs,
    ) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._tasks = tasks
        self._faults = faults
        self._counters = counters
        self._deliveries = deliveries
        self._webhooks = webhooks
        self._file_inputs = file_inputs
        self._predictions: dict[str, Prediction] = {}
        self._created = 0

    def create(
        self,
        model: Model,
        version: str,
        given: Input,
        *,
        cancel_after_s: float | None = None,
        webhook: Webhook | None = None,
        deployment: str | None = None,
    ) -> Prediction:
        now_s, fate = self._clock.now_s(), self._faults.prediction_fate()
        self._created += 1
        prediction = Prediction(
            number=self._created,
            id=base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26],
            model=model,
            version=version,
            input=dict(given),
            created_s=now_s,
            deadline_s=None if cancel_after_s is None else now_s + cancel_after_s,
            webhook=webhook,
            deployment=deployment,
            oddities=fate.oddities,
        )
        self._predictions[prediction.id] = prediction
        self._drop_oldest()
        self._counters.creates += 1
        self._counters.ignored_inputs.update(
            f"{model.full_name}.{name}" for name in model.unknown_names(given)
        )

        starts_s = now_s + (fate.slowness.queue_s if fate.slowness else model.pace.queue_s)
        self._scheduler.at(starts_s, partial(self._start, prediction, fate))
        if prediction.deadline_s is not None:
            self._scheduler.at(prediction.deadline_s, partial(self._reach_deadline, prediction))
        return prediction

    def find(self, prediction_id: str) -> Prediction | None:
        return self._predictions.get(prediction_id)

    def newest_first(self) -> Sequence[Prediction]:
        return list(reversed(self._predictions.values()))

    def cancel(self, prediction: Prediction) -> None:
        """By its owner, before or while it runs; what is over stays as it is."""
        self._counters.cancels += 1
        self._end(prediction, "canceled", self._clock.now_s())

    async def wait_for_output(self, prediction: Prediction, seconds: int) -> bool:
        """False when the seconds, of the stand-in's clock, passed first."""
        self._scheduler.at(self._clock.now_s() + seconds, lambda _: prediction.ready.set())
        await prediction.ready.wait()
        return prediction.output is not None or prediction.is_over

    def count_by_status(self) -> dict[str, int]:
        found = Counter(p.status for p in self._predictions.values())
        return {status: found[status] for status in STATUSES}

    def clear(self) -> None:
        for prediction in self._predictions.values():
            prediction.ready.set()  # nobody is left waiting for it
        self._predictions.clear()

    def delete_version(self, version_id: str) -> None:
        """Predictions and outputs go with the version that made them."""
        gone = [p for p in self._predictions.values() if p.version == version_id]
        for prediction in gone:
            self._deliveries.delete(prediction.output or [])
            self._webhooks.forget(prediction.id)
            del self._predictions[prediction.id]

    def _start(self, prediction: Prediction, fate: Fate, at_s: float) -> None:
        if prediction.is_over:
            return
        if fate.is_aborted:
            self._end(prediction, "aborted", at_s)
            return
        prediction.status, prediction.started_s = "processing", at_s
        self._webhooks.notify(prediction, "start", at_s)
        self._scheduler.at(at_s + RUN_LIMIT_S, partial(self._time_out, prediction))
        urls = prediction.model.file_inputs(prediction.input)
        if not urls:
            self._run(prediction, {}, fate, at_s)
            return

        async def fetch_and_run() -> None:
            try:
                files = await self._file_inputs.fetch(urls)
            except RunFailed as error:
                self._end(prediction, "failed", self._clock.now_s(), str(error))
            else:
                self._run(prediction, files, fate, self._clock.now_s())

        self._tasks.spawn(fetch_and_run())

    def _run(self, prediction: Prediction, files: Mapping[str, bytes], fate: Fate, at_s: float) -> None:
        """Schedules the progress of the run and its end."""
        if prediction.is_over:
            return
        seed = prediction.input.get("seed", secrets.randbelow(2**16))
        try:
            run = prediction.model.plan(prediction.model, prediction.input, int(seed), files)
        except RunFailed as error:
            self._end(prediction, "failed", at_s, str(error))
            return
        if fate.fewer is not None:
            run = run.with_fewer(fate.fewer.images)
        setup_s, step_s = _durations(prediction.model.pace, run, fate.slowness)
        self._log(prediction, run.opening_log + progress_line(0, run.steps, 0.0), at_s)
        last_step = run.steps if fate.failure is None else run.steps // 2
        for step in range(1, last_step + 1):
            line = progress_line(step, run.steps, step * step_s)
            self._scheduler.at(at_s + setup_s + step * step_s, partial(self._log, prediction, line))
        ends_s = at_s + setup_s + last_step * step_s
        if fate.failure is not None:
            failed = partial(self._end, prediction, "failed", error=fate.failure.error)
            self._scheduler.at(ends_s, failed)
        else:
            self._scheduler.at(ends_s, partial(self._put_out, prediction, run))

    def _put_out(self, prediction: Prediction, run: Run, at_s: float) -> None:
        """Outputs come before the end: recorded sync replies are `processing` with their output filled in."""
        if prediction.is_over:
            return
        self._log(prediction, run.closing_log, at_s)
        prediction.output = [self._deliveries.publish(picture) for picture in run.pictures]
        prediction.metrics = dict(run.metrics)
        prediction.ready.set()
        self._webhooks.notify(prediction, "output", at_s)
        self._scheduler.at(at_s + prediction.model.pace.upload_s, partial(self._end, prediction, "succeeded"))

    def _reach_deadline(self, prediction: Prediction, at_s: float) -> None:
        self._end(prediction, "aborted" if prediction.started_s is None else "canceled", at_s)

    def _time_out(self, prediction: Prediction, at_s: float) -> None:
        self._end(prediction, "failed", at_s, "Prediction timed out after running for 30 minutes")

    def _end(self, prediction: Prediction, status: Status, at_s: float, error: str | None = None) -> None:
        if prediction.is_over:
            return
        prediction.status, prediction.error, prediction.completed_s = status, error, at_s
        if status != "succeeded":
            self._deliveries.delete(prediction.output or [])
            prediction.output, prediction.metrics = None, {}
        if prediction.started_s is not None:
            prediction.metrics["predict_time"] = round(at_s - prediction.started_s, 6)
        prediction.metrics["total_time"] = round(at_s - prediction.created_s, 6)
        prediction.ready.set()
        self._webhooks.notify(prediction, "completed", at_s)
        self._scheduler.at(at_s + RETENTION_S, lambda _: self._remove_data(prediction))
        logger.info("prediction %s %s", prediction.id, status)

    def _remove_data(self, prediction: Prediction) -> None:
        self._deliveries.delete(prediction.output or [])
        self._webhooks.forget(prediction.id)
        prediction.data_removed = True
        prediction.input, prediction.output, prediction.logs = {}, None, ""

    def _log(self, prediction: Prediction, text: str, at_s: float) -> None:
        if prediction.is_over or not text:
            return
        prediction.logs += text
        self._webhooks.notify(prediction, "logs", at_s)

    def _drop_oldest(self) -> None:
        while len(self._predictions) > KEPT_PREDICTIONS:
            oldest = next(iter(self._predictions.values()))
            if not oldest.data_removed:
                return
            del self._predictions[oldest.id]


def _durations(pace: Pace, run: Run, slowness: Slowness | None) -> tuple[float, float]:
    """Seconds before the first step, and of each step."""
    if slowness is not None:
        return 0.0, slowness.predict_s / run.steps
    return pace.setup_s, pace.step_s * run.images
