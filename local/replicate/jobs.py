"""What predictions and trainings have in common: starting -> processing -> succeeded | failed | canceled.

Every stage is an action of the scheduler and stamps the time at which it was due. A stage that finds its
job over does nothing.
"""

import base64
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Generic, Protocol, TypeVar

from local.replicate import webhooks
from local.replicate.clock import Action, Clock, Scheduler
from local.replicate.counters import Counters
from local.replicate.deliveries import Deliveries
from local.replicate.faults import Fate, Faults
from local.replicate.file_inputs import MAX_BYTES, FileInputs
from local.replicate.models.model import Json, RunFailed
from local.replicate.prediction import Status
from local.replicate.progress import progress_line
from local.replicate.tasks import Tasks

RETENTION_S = 3600  # of what is kept for a job, after its completion

logger = logging.getLogger(__name__)


class Job(webhooks.Job, Protocol):
    """A prediction or a training, as its stages write it."""

    status: Status
    error: str | None
    logs: str
    metrics: Json
    started_s: float | None
    completed_s: float | None

    @property
    def created_s(self) -> float: ...
    @property
    def is_over(self) -> bool: ...


J = TypeVar("J", bound=Job)


@dataclass(frozen=True)
class Course:
    """How a run goes when nothing was ordered otherwise."""

    steps: int
    setup_s: float  # before the first step
    step_s: float
    log_lines: int  # of progress at the most; no step has two
    line: Callable[[int, int, float], str] = progress_line


@dataclass(kw_only=True, eq=False, repr=False)
class Jobs(ABC, Generic[J]):
    """All jobs of one kind. A kind says which files they read, how they run, and what ends with them."""

    file_max_bytes: ClassVar[int] = MAX_BYTES

    clock: Clock
    scheduler: Scheduler
    tasks: Tasks
    faults: Faults
    counters: Counters
    deliveries: Deliveries
    webhooks: webhooks.Webhooks
    file_inputs: FileInputs
    _jobs: dict[str, J] = field(init=False, default_factory=dict)
    _created: int = field(init=False, default=0)

    def find(self, job_id: str) -> J | None:
        return self._jobs.get(job_id)

    def newest_first(self) -> Sequence[J]:
        return list(reversed(self._jobs.values()))

    def cancel(self, job: J) -> None:
        """By its owner, before or while it runs; what is over stays as it is."""
        self.counters.cancels += 1
        self._end(job, "canceled", self.clock.now_s())

    def clear(self) -> None:
        self._jobs.clear()

    @abstractmethod
    def _files(self, job: J) -> Mapping[str, str]:
        """URLs of the files to fetch before it runs, by parameter name."""

    @abstractmethod
    def _run(self, job: J, files: Mapping[str, bytes], fate: Fate, at_s: float) -> None:
        """Schedules the run, commonly by `_follow`. Raises RunFailed where it breaks off at once."""

    def _remove_data(self, job: J) -> None:
        self.webhooks.forget(job.id)

    def _may_be_dropped(self, job: J) -> bool:
        return job.is_over

    def _next_number(self) -> int:
        self._created += 1
        return self._created

    def _admit(self, job: J, fate: Fate, *, queue_s: float, kept: int) -> None:
        """Lines it up to start; of more than `kept` jobs the oldest go."""
        self._jobs[job.id] = job
        while len(self._jobs) > kept:
            oldest = next(iter(self._jobs.values()))
            if not self._may_be_dropped(oldest):
                break
            del self._jobs[oldest.id]
        starts_s = job.created_s + (fate.slowness.queue_s if fate.slowness else queue_s)
        self.scheduler.at(starts_s, partial(self._start, job, fate))

    def _start(self, job: J, fate: Fate, at_s: float) -> None:
        if job.is_over:
            return
        if fate.is_aborted:
            self._end(job, "aborted", at_s)
            return
        job.status, job.started_s = "processing", at_s
        self.webhooks.notify(job, "start", at_s)
        urls = self._files(job)
        if not urls:
            self._run_with({}, job, fate, at_s)
            return

        async def fetch_and_run() -> None:
            try:
                files = await self.file_inputs.fetch(urls, max_bytes=self.file_max_bytes)
            except RunFailed as error:
                self._end(job, "failed", self.clock.now_s(), str(error))
            else:
                self._run_with(files, job, fate, self.clock.now_s())

        self.tasks.spawn(fetch_and_run())

    def _run_with(self, files: Mapping[str, bytes], job: J, fate: Fate, at_s: float) -> None:
        if job.is_over:
            return
        try:
            self._run(job, files, fate, at_s)
        except RunFailed as error:
            self._end(job, "failed", at_s, str(error))

    def _follow(self, course: Course, job: J, fate: Fate, at_s: float, then: Action) -> None:
        """Schedules the progress of a run and `then`, or what was ordered to become of it halfway."""
        steps, setup_s, step_s = course.steps, course.setup_s, course.step_s
        if fate.slowness is not None:
            setup_s, step_s = 0.0, fate.slowness.predict_s / steps
        if fate.failure is not None:
            then = partial(self._end, job, "failed", error=fate.failure.error)
        first_s = at_s + setup_s
        last = steps if fate.failure is None and not fate.hangs else steps // 2
        lines = range(1, course.log_lines + 1)
        for step in sorted({last * line // course.log_lines for line in lines} - {0}):
            text = course.line(step, steps, step * step_s)
            self.scheduler.at(first_s + step * step_s, partial(self._log, job, text))
        if not fate.hangs:
            self.scheduler.at(first_s + last * step_s, then)

    def _end(self, job: J, status: Status, at_s: float, error: str | None = None) -> None:
        if job.is_over:
            return
        job.status, job.error, job.completed_s = status, error, at_s
        if job.started_s is not None:
            job.metrics["predict_time"] = round(at_s - job.started_s, 6)
        job.metrics["total_time"] = round(at_s - job.created_s, 6)
        self.webhooks.notify(job, "completed", at_s)
        self.scheduler.at(at_s + RETENTION_S, lambda _: self._remove_data(job))
        logger.info("%s %s %s", type(job).__name__.lower(), job.id, status)

    def _log(self, job: J, text: str, at_s: float) -> None:
        if job.is_over or not text:
            return
        job.logs += text
        self.webhooks.notify(job, "logs", at_s)


def new_id() -> str:
    """26 characters, as Replicate's ids of both kinds are."""
    return base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]
