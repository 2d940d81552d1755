"""The same histories on the in-memory ports, where a call costs microseconds; calls are only killed here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from revela.domain.job import Job
from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import CreatePrediction, ModelRef, ProviderReport, Ref
from tests.fakes import FakePorts
from tests.simulation.crash_points.breaker import Breaker, Fault, Killed

STARTS_AFTER, ENDS_AFTER = timedelta(seconds=2), timedelta(seconds=6)
SLOWLY_ENDS_AFTER = timedelta(seconds=44)
# As Replicate repeats what ends a prediction, counted from its end.
REPEATS = tuple(timedelta(seconds=s) for s in (1, 3, 7, 15, 31, 63))
HEAR_TIMEOUT = timedelta(seconds=10)


@dataclass(frozen=True)
class _Webhook:
    due_at: datetime
    told: ProviderReport
    repeats: tuple[datetime, ...]


class Memory:
    """One installation in memory, whose provider moves with time and sends webhooks."""

    def __init__(self, breaks: Mapping[int, Fault]) -> None:
        self.ports = FakePorts()
        self.breaker = Breaker(self.ports.clock, breaks)
        self.ports.calls.before, self.ports.calls.after = self._before, self._after
        self._dies = False
        self._webhooks: list[_Webhook] = []
        self._loses_webhooks = False
        self._ends_after = ENDS_AFTER
        self._errors: list[str] = []
        self._foreign: set[str] = set()

    # Installation

    def now(self) -> datetime:
        return self.ports.clock.now()

    def new_process(self) -> FakePorts:
        self._dies = False
        return self.ports

    def pass_time(self, by: timedelta) -> None:
        self.ports.clock.advance(by)
        self.ports.prompt_judge.decide()
        self.ports.image_judge.decide()
        for prediction in list(self.ports.provider.predictions.values()):
            self._go_on(prediction)
        due = [webhook for webhook in self._webhooks if webhook.due_at <= self.now()]
        self._webhooks = [webhook for webhook in self._webhooks if webhook.due_at > self.now()]
        for webhook in due:
            self._knock(webhook)

    def take_sent(self) -> tuple[list[Ref], list[ProviderReport]]:
        return self.ports.commands.take_started(), self.ports.commands.take_finished()

    def rows(self) -> Iterable[Job]:
        return self.ports.store.generations.values()

    def put_model(self) -> ModelRef:
        raise NotImplementedError("pairs of kills are played of generations alone")

    def put_trained_model(self) -> ModelRef:
        raise NotImplementedError("pairs of kills are played of the catalog's models alone")

    def models(self) -> Iterable[ModelRef]:
        return ()

    def stored(self) -> FakePorts:
        return self.ports

    def predictions(self) -> Mapping[str, bool]:
        made = self.ports.provider.predictions.values()
        return {p.id: p.status.terminal for p in made if p.id not in self._foreign}

    def slow_down_provider(self) -> None:
        self._ends_after = SLOWLY_ENDS_AFTER

    def fail_next_prediction(self, error: str) -> None:
        self._errors.append(error)

    def lose_webhooks(self) -> None:
        self._loses_webhooks = True

    def slow_down_judges(self) -> None:
        self.ports.prompt_judge.slow = self.ports.image_judge.slow = True

    def let_another_application_predict(self) -> None:
        request = CreatePrediction("owner/other", {"prompt": "not ours"}, None, 60)
        foreign = self.ports.provider.create_prediction(request)
        self._foreign.add(foreign.id)
        self.ports.provider.succeed(foreign.id)

    # Below

    def _before(self, name: str) -> None:
        if not self.breaker.in_process:
            return
        if self._dies:
            raise Killed  # the call that it was to die after has failed
        self._dies = self.breaker.enter(name) is Fault.KILLED_AFTER

    def _after(self, _name: str) -> None:
        if self._dies and self.breaker.in_process:
            raise Killed

    def _go_on(self, prediction: Prediction) -> None:
        assert prediction.created_at is not None
        age = self.now() - prediction.created_at
        provider = self.ports.provider
        if prediction.status is PredictionStatus.STARTING and age >= STARTS_AFTER:
            self._announce(provider.start(prediction.id), ())
        elif prediction.status is PredictionStatus.PROCESSING and age >= self._ends_after:
            error = self._errors.pop(0) if self._errors else None
            ended = provider.fail(prediction.id, error) if error else provider.succeed(prediction.id)
            self._announce(ended, REPEATS)

    def _announce(self, prediction: Prediction, repeats: Iterable[timedelta]) -> None:
        url = self.ports.provider.requests[prediction.id].webhook_url
        if self._loses_webhooks or url is None:
            return
        query = parse_qs(urlsplit(url).query)
        told = ProviderReport(Ref(query["user"][0], query["id"][0]), int(query["attempt"][0]), prediction)
        again = tuple(self.now() + after for after in repeats)
        self._webhooks.append(_Webhook(self.now(), told, again))

    def _knock(self, webhook: _Webhook) -> None:
        """Let a webhook arrive at the door; one whose receiver died is repeated, if its kind is."""
        self._dies = False
        try:
            with self.breaker.process("hear", self.now() + HEAR_TIMEOUT):
                self.ports.commands.finish([webhook.told])
        except Killed:
            if webhook.repeats:
                due_at, *later = webhook.repeats
                self._webhooks.append(_Webhook(due_at, webhook.told, tuple(later)))
