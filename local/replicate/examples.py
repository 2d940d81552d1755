"""Example predictions of models: made once, never charged, their images always there."""

from local.replicate.clock import Clock
from local.replicate.deliveries import Deliveries
from local.replicate.models.model import Model
from local.replicate.prediction import Prediction


class Examples:
    def __init__(self, clock: Clock, deliveries: Deliveries) -> None:
        self._clock = clock
        self._deliveries = deliveries
        self._made: dict[str, Prediction] = {}

    def of(self, model: Model, version: str) -> Prediction:
        """The example of a model that has an input for one."""
        if model.full_name not in self._made:
            now_s = self._clock.now_s()
            run = model.plan(model, model.example, int(model.example["seed"]), {})
            self._made[model.full_name] = Prediction(
                number=0,
                id=f"example{len(self._made):019d}",
                model=model,
                version=version,
                input=dict(model.example),
                created_s=now_s,
                status="succeeded",
                started_s=now_s,
                completed_s=now_s,
                logs=run.opening_log + run.closing_log,
                output=[self._deliveries.publish(picture) for picture in run.pictures],
                metrics=dict(run.metrics),
            )
        return self._made[model.full_name]

    def clear(self) -> None:
        self._made.clear()
