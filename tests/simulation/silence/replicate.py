from __future__ import annotations

import heapq
import random
from datetime import datetime, timedelta
from itertools import count

from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import CreatePrediction, CreateTraining
from tests.fakes import Calls, FakeClock, FakeOutputs, FakeProvider
from tests.simulation.provider import RETENTION


class SteadyReplicate(FakeProvider):
    """A Replicate in good health, that nobody hears from unless he asks."""

    def __init__(
        self,
        calls: Calls,
        chance: random.Random,
        run_s: dict[str, tuple[float, float]],
        *,
        clock: FakeClock,
        outputs: FakeOutputs,
    ) -> None:
        super().__init__(calls, clock=clock, outputs=outputs)
        self._time = clock
        self._chance = chance
        self._run_s = run_s
        self._number = count()
        self._to_come: list[tuple[datetime, int, str]] = []

    def let_time_pass(self) -> None:
        while self._to_come and self._to_come[0][0] <= self._time.now():
            _, _, id_ = heapq.heappop(self._to_come)
            match self.predictions[id_].status:
                case PredictionStatus.STARTING:
                    self.start(id_)
                    run_s = self._chance.uniform(*self._run_of(self.requests[id_]))
                    self._later(id_, run_s)
                case PredictionStatus.PROCESSING:
                    self.succeed(id_)
                    self._later(id_, RETENTION.total_seconds())
                case _:
                    self.forget_output(id_)

    def next_event(self) -> datetime:
        return self._to_come[0][0] if self._to_come else datetime.max.replace(tzinfo=self._time.now().tzinfo)

    def _run_of(self, request: CreatePrediction) -> tuple[float, float]:
        return next(run_s for model, run_s in self._run_s.items() if model in request.version)

    def _created(self, request: CreatePrediction | CreateTraining) -> Prediction:
        prediction = super()._created(request)
        self._later(prediction.id, 0.3)
        return prediction

    def _later(self, prediction_id: str, seconds: float) -> None:
        when = self._time.now() + timedelta(seconds=seconds)
        heapq.heappush(self._to_come, (when, next(self._number), prediction_id))
