"""Predictions: what their life has beside that of every job. They may be aborted before they run.

Outputs, inputs and logs are removed an hour after the end, as Replicate does with predictions of its API.
"""

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from local.replicate.faults import Fate
from local.replicate.jobs import Course, Jobs, new_id
from local.replicate.models.model import Input, Model, Run
from local.replicate.prediction import STATUSES, Prediction, Status, Webhook
from local.replicate.progress import progress_line

RUN_LIMIT_S = 1800  # "Predictions time out after running for 30 minutes"; the error's wording is not recorded
KEPT_PREDICTIONS = 20_000  # beyond it the oldest whose data is removed are dropped altogether


@dataclass(kw_only=True, eq=False, repr=False)
class Lifecycle(Jobs[Prediction]):
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
        now_s, fate = self.clock.now_s(), self.faults.prediction_fate(model)
        prediction = Prediction(
            number=self._next_number(),
            id=new_id(),
            model=model,
            version=version,
            input=dict(given),
            created_s=now_s,
            deadline_s=None if cancel_after_s is None else now_s + cancel_after_s,
            webhook=webhook,
            deployment=deployment,
            oddities=fate.oddities,
        )
        self.counters.creates += 1
        self.counters.ignored_inputs.update(
            f"{model.full_name}.{name}" for name in model.unknown_names(given)
        )
        self._admit(prediction, fate, queue_s=model.pace.queue_s, kept=KEPT_PREDICTIONS)
        if prediction.deadline_s is not None:
            self.scheduler.at(prediction.deadline_s, partial(self._reach_deadline, prediction))
        return prediction

    async def wait_for_output(self, prediction: Prediction, seconds: int) -> bool:
        """False when the seconds, of the stand-in's clock, passed first."""
        self.scheduler.at(self.clock.now_s() + seconds, lambda _: prediction.ready.set())
        await prediction.ready.wait()
        return prediction.output is not None or prediction.is_over

    def count_by_status(self) -> dict[str, int]:
        found = Counter(p.status for p in self._jobs.values())
        return {status: found[status] for status in STATUSES}

    def clear(self) -> None:
        for prediction in self._jobs.values():
            prediction.ready.set()  # nobody is left waiting for it
        super().clear()

    def delete_version(self, version_id: str) -> None:
        """Predictions and outputs go with the version that made them."""
        gone = [p for p in self._jobs.values() if p.version == version_id]
        for prediction in gone:
            self.deliveries.delete(prediction.output_files)
            self.webhooks.forget(prediction.id)
            del self._jobs[prediction.id]

    def _files(self, prediction: Prediction) -> Mapping[str, str]:
        return prediction.model.file_inputs(prediction.input)

    def _start(self, prediction: Prediction, fate: Fate, at_s: float) -> None:
        self.scheduler.at(at_s + RUN_LIMIT_S, partial(self._time_out, prediction))
        super()._start(prediction, fate, at_s)

    def _run(self, prediction: Prediction, files: Mapping[str, bytes], fate: Fate, at_s: float) -> None:
        model = prediction.model
        seed = model.complete(prediction.input).get("seed")
        seed = secrets.randbelow(2**16) if seed is None else seed
        run = model.plan(model, prediction.input, seed, files)
        if fate.fewer is not None:
            run = run.with_fewer(fate.fewer.images)
        self._log(prediction, run.opening_log + progress_line(0, run.steps, 0.0), at_s)
        course = Course(
            steps=run.steps,
            setup_s=model.pace.setup_s,
            step_s=model.pace.step_s * run.batch,
            log_lines=run.steps,
        )
        self._follow(course, prediction, fate, at_s, then=partial(self._put_out, prediction, run))

    def _put_out(self, prediction: Prediction, run: Run, at_s: float) -> None:
        """Outputs come before the end: recorded sync replies are `processing` with their output filled in."""
        if prediction.is_over:
            return
        self._log(prediction, run.closing_log, at_s)
        files = [self.deliveries.publish(picture) for picture in run.pictures]
        prediction.output = files if run.text is None else run.text
        prediction.metrics = dict(run.metrics)
        prediction.ready.set()
        self.webhooks.notify(prediction, "output", at_s)
        self.scheduler.at(at_s + prediction.model.pace.upload_s, partial(self._end, prediction, "succeeded"))

    def _reach_deadline(self, prediction: Prediction, at_s: float) -> None:
        self._end(prediction, "aborted" if prediction.started_s is None else "canceled", at_s)

    def _time_out(self, prediction: Prediction, at_s: float) -> None:
        self._end(prediction, "failed", at_s, "Prediction timed out after running for 30 minutes")

    def _end(self, prediction: Prediction, status: Status, at_s: float, error: str | None = None) -> None:
        if prediction.is_over:
            return
        if status != "succeeded":
            self.deliveries.delete(prediction.output_files)
            prediction.output, prediction.metrics = None, {}
        prediction.ready.set()
        super()._end(prediction, status, at_s, error)

    def _remove_data(self, prediction: Prediction) -> None:
        super()._remove_data(prediction)
        self.deliveries.delete(prediction.output_files)
        prediction.data_removed = True
        prediction.input, prediction.output, prediction.logs = {}, None, ""

    def _may_be_dropped(self, prediction: Prediction) -> bool:
        return prediction.data_removed
