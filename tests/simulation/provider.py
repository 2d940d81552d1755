from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from revela.domain.errors import (
    OutOfCredit,
    OutputUnusable,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnauthorized,
    ProviderUnavailable,
)
from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import CreatePrediction, CreateTraining
from tests.fakes import Calls, FakeClock, FakeOutputs, FakeProvider
from tests.fakes.calls import port_call
from tests.simulation.skew import SkewedClock

# Replicate's documentation: what was made is deleted an hour after the end.
RETENTION = timedelta(hours=1)
# Little credit: so many creates a minute, one at once.
LOW_CREDIT_GAP = timedelta(seconds=10)
TRAINING_TAKES_S = (600.0, 1800.0)
FAILURES = (None, "", "E8367", "E1001", "E6716", "E8765", "NSFW content detected.", "boom", "(E004)", "E9243")
# There are few of them in one history, and all their ends are to be seen.
TRAININGS_FAIL_MORE = 4
TRAINING_FAILURES = (
    *(None, "NSFW content detected.", "cannot identify image file", "input_images must be a zip file"),
    *("CUDA out of memory", "no file named config.json", "Failed to create trained image", "E8765", "boom"),
)
# What is to be seen in an image, as the fake judge reads it off its bytes.
HARMS = ("nudity", "violence", "self_harm")
# A create that nobody answers may still take effect within so long.
LATE_CREATE_MAX_S = 600.0
# How long a change may take to show in the listing; far less than a worker's lease.
LISTING_LATE_MAX = timedelta(seconds=60)


class Weather(Enum):
    """What ails the whole provider for a while."""

    FAIR = auto()
    SLOW = auto()  # 429: six creates a minute
    POOR = auto()  # 402
    LOCKED = auto()  # 401 and 403
    FAILING = auto()  # 5xx, for creates and reads
    MODEL_AWAY = auto()  # 404 for one model
    PICKY = auto()  # 422


class End(Enum):
    WELL = auto()
    FEWER = auto()
    NOTHING = auto()
    SPOILT = auto()
    FAILED = auto()
    STUCK = auto()
    NEVER_STARTED = auto()


class Fate(NamedTuple):
    """What will become of a prediction, decided when it is created."""

    starts_at: datetime
    ends_at: datetime
    end: End
    obeys_cancel: bool


@dataclass(frozen=True)
class _Ailing:
    data: bytes
    until: datetime


class SimulatedReplicate(FakeProvider):
    """A Replicate whose predictions go on by its clock, each to its fate, under a changing weather.

    `trouble` is how likely a fate is a bad one, `harmful` how likely an image is one that nobody should see.
    `made` keeps every good image by URL, `rendered` the URLs of each prediction, for longer than the provider
    does. `repeated` names jobs for which another prediction was created, and the first, which was running or
    had good images.
    """

    def __init__(
        self,
        calls: Calls,
        chance: random.Random,
        *,
        clock: FakeClock,
        skew: timedelta,
        outputs: FakeOutputs,
    ) -> None:
        super().__init__(calls, clock=SkewedClock(clock, skew), outputs=outputs)
        self.skew = skew
        self.trouble = 0.0
        self.harmful = 0.0
        self.weather = Weather.FAIR
        self.weather_until = clock.now()
        self.listing_late = timedelta(0)
        self.made: dict[str, bytes] = {}
        self.rendered: dict[str, list[str]] = {}
        self.repeated: list[tuple[str, str]] = []
        self.spells: Counter[str] = Counter()
        # Told of what goes with a version before it is gone.
        self.on_deletion: Callable[[Prediction], None] = lambda _: None
        self._hurried = False
        self._time = clock
        self._chance = chance
        self._fates: dict[str, Fate] = {}
        self._late: list[tuple[datetime, CreatePrediction | CreateTraining]] = []
        self._jobs: dict[str, list[str]] = {}
        self._ailing: dict[str, _Ailing] = {}
        self._last_create = clock.now() - RETENTION
        self._before: dict[str, tuple[datetime, Prediction]] = {}

    # What happens by itself

    def let_time_pass(self) -> None:
        """Do all that is due by now, but for the deletions of `forget_one`."""
        now = self._time.now()
        if self.weather_until <= now:
            self.weather = Weather.FAIR
        for late in [late for late in self._late if late[0] <= now]:
            self._late.remove(late)
            self._created(late[1])
        for url in [url for url, ailing in self._ailing.items() if ailing.until <= now]:
            self.outputs.files[url] = self._ailing.pop(url).data
        for prediction in self._running():
            self._go_on(prediction, now)

    def overdue_for_deletion(self) -> list[Prediction]:
        now = self._time.now()
        return [
            p
            for p in self.predictions.values()
            if p.completed_at is not None and not p.data_removed and now - p.completed_at > RETENTION
        ]

    def change_weather(self) -> None:
        self.weather = self._chance.choice(list(Weather)[1:])
        longest_s = self._chance.choices((30, 120, 600, 1800), (40, 30, 20, 10))[0]
        self.weather_until = self._time.now() + timedelta(seconds=self._chance.uniform(1, longest_s))
        self.spells[self.weather.name.lower()] += 1
        self.listing_late = LISTING_LATE_MAX * self._chance.choice((0.0, 0.1, 1.0))

    def run_out_of_credit(self, duration: timedelta) -> None:
        """Refuse every create for so long."""
        self.weather, self.weather_until = Weather.POOR, self._time.now() + duration
        self.spells[self.weather.name.lower()] += 1

    def clear_up(self) -> None:
        """End every trouble, announced or going on; what runs ends soon, and mostly well."""
        now = self._time.now()
        self.trouble, self.weather, self.listing_late = 0.0, Weather.FAIR, timedelta(0)
        self._late.clear()
        for url, ailing in self._ailing.items():
            self.outputs.files[url] = ailing.data
        self._ailing.clear()
        for prediction in self._running():
            fated = self._fates[prediction.id].end
            # Few trainings end before: how these were to fail is seen now.
            kept = prediction.id in self.trainings and fated in (End.FAILED, End.NOTHING, End.SPOILT)
            end = fated if kept else End.WELL
            self._fates[prediction.id] = Fate(now, now + timedelta(seconds=10), end, True)
        self._hurried = True

    def webhook_url_of(self, prediction_id: str) -> str | None:
        return self._request_of(prediction_id).webhook_url

    # The port

    @port_call
    def delete_version(self, provider_version: str) -> None:
        self._may_fail()
        self.deleted_versions.append(provider_version)
        # Replicate's documentation: its predictions go with it, and what they made.
        for prediction in [p for p in self.predictions.values() if p.version == provider_version]:
            self.on_deletion(prediction)
            if prediction.status.terminal and not prediction.data_removed:
                self.forget_output(prediction.id)

    # Below

    def _create(self, request: CreatePrediction | CreateTraining) -> Prediction:
        runs = request.version if isinstance(request, CreatePrediction) else request.trainer
        now = self._time.now()
        left_s = max(1, round((self.weather_until - now).total_seconds()))
        match self.weather:
            case Weather.SLOW if now - self._last_create < LOW_CREDIT_GAP:
                said = self._chance.choice((None, min(left_s, 9)))
                raise ProviderThrottled("Your rate limit resets in ~9s", said)
            case Weather.POOR:
                raise OutOfCredit("Insufficient credit")
            case Weather.LOCKED:
                raise ProviderUnauthorized("Unauthenticated")
            case Weather.MODEL_AWAY if "schnell" in runs or "fast-flux" in runs:
                raise ProviderNotFound("The requested resource could not be found.")
            case Weather.PICKY if self._chance.random() < 0.5:
                raise ProviderRejected("Input validation failed", ("input.prompt",))
            case Weather.FAILING:
                self._fail_create(request)
        self._last_create = now
        return self._created_at_once(request)

    def _canceled(self, prediction_id: str) -> Prediction:
        self._may_fail()
        prediction = self._known(prediction_id)
        self.canceled.append(prediction_id)
        if self._fates[prediction_id].obeys_cancel and not prediction.status.terminal:
            return self.end_canceled(prediction_id)
        return prediction

    def _list(
        self, known: Mapping[str, Prediction], created_after: datetime, created_before: datetime | None
    ) -> Iterator[Sequence[Prediction]]:
        newest_first = [
            seen
            for p in list(known.values())[::-1]
            if (seen := self._as_listed(p))
            and (created_before is None or (p.created_at is not None and p.created_at < created_before))
        ]
        for start in range(0, max(1, len(newest_first)), self.page_size):
            page = self._page(newest_first, start)
            fresh = [p for p in page if p.created_at is not None and p.created_at >= created_after]
            if fresh:
                yield fresh
            if len(fresh) < len(page):
                return

    def _running(self) -> list[Prediction]:
        known = [*self.predictions.values(), *self.trainings.values()]
        return [prediction for prediction in known if not prediction.status.terminal]

    def _request_of(self, prediction_id: str) -> CreatePrediction | CreateTraining:
        if prediction_id in self.trainings:
            return self.training_requests[prediction_id]
        return self.requests[prediction_id]

    def _fail_create(self, request: CreatePrediction | CreateTraining) -> None:
        """Raise what a failing provider answers; 5xx on a create says nothing of whether it took effect."""
        match self._chance.randrange(4):
            case 0:
                self._created_at_once(request)
            case 1:
                late = timedelta(seconds=self._chance.uniform(0, LATE_CREATE_MAX_S))
                self._late.append((self._time.now() + late, request))
            case 2:
                raise ProviderUnavailable("503")
        raise ProviderTransient("502")

    def _created_at_once(self, request: CreatePrediction | CreateTraining) -> Prediction:
        prediction = self._created(request)
        if request.webhook_url is None:
            return prediction
        (job,) = parse_qs(urlsplit(request.webhook_url).query)["id"]
        others = self._jobs.setdefault(job, [])
        # One that took effect late could not be known when its job was given up.
        self.repeated += [(job, id_) for id_ in others if self._is_good(self._known(id_))]
        others.append(prediction.id)
        return prediction

    def _is_good(self, prediction: Prediction) -> bool:
        trained = prediction.trained_version is not None
        return not prediction.status.terminal or trained or any(u in self.made for u in prediction.output)

    def _created(self, request: CreatePrediction | CreateTraining) -> Prediction:
        prediction = super()._created(request)
        self._fates[prediction.id] = self._fate(of_training=isinstance(request, CreateTraining))
        return prediction

    def _fate(self, *, of_training: bool) -> Fate:
        now, chance = self._time.now(), self._chance
        end = End.WELL
        trouble = self.trouble * (TRAININGS_FAIL_MORE if of_training else 1)
        if chance.random() < trouble:
            end = chance.choice(list(End)[1:])
        # Some are over before their create is answered.
        queued_s, run_s = (
            (0.0, 0.0) if chance.random() < 0.2 else (chance.expovariate(0.2), chance.uniform(1, 40))
        )
        if of_training:
            run_s = 30.0 if self._hurried else chance.uniform(*TRAINING_TAKES_S)
        if end is End.STUCK:
            run_s = RETENTION.total_seconds()
        if end is End.NEVER_STARTED:
            queued_s = RETENTION.total_seconds()
        starts_at = now + timedelta(seconds=queued_s)
        obeys_cancel = chance.random() >= trouble
        return Fate(starts_at, starts_at + timedelta(seconds=run_s), end, obeys_cancel)

    def _go_on(self, prediction: Prediction, now: datetime) -> None:
        fate = self._fates[prediction.id]
        assert prediction.created_at is not None
        waits = prediction.status is PredictionStatus.STARTING
        request = self._request_of(prediction.id)
        # Trainings have no `Cancel-After`.
        limit = timedelta.max if isinstance(request, CreateTraining) else _allowed(request)
        if min(fate.starts_at if waits else fate.ends_at, now) - prediction.created_at > limit:
            # `Cancel-After`: `aborted` before it has started, `canceled` while it runs.
            self.abort(prediction.id) if waits else self.end_canceled(prediction.id)
        elif waits and fate.starts_at <= now:
            self.start(prediction.id)
            if fate.ends_at <= fate.starts_at:
                self._end_as(prediction.id, fate.end)
        elif not waits and fate.ends_at <= now:
            self._end_as(prediction.id, fate.end)

    def _end_as(self, prediction_id: str, end: End) -> None:
        if prediction_id in self.trainings:
            self._end_training_as(prediction_id, end)
            return
        if end is End.FAILED:
            self.fail(prediction_id, self._chance.choice(FAILURES))
            return
        urls = self._render(prediction_id)
        if end is End.FEWER:
            urls = urls[:1]
        if end is End.NOTHING:
            urls = []
        self.rendered[prediction_id] = list(urls)
        self.succeed(prediction_id, urls)
        files = self.outputs.files
        if end is End.SPOILT:
            files[urls.pop()] = self._chance.choice((b"junk", OutputUnusable("too_large")))
        for url in urls:
            data = files[url]
            assert isinstance(data, bytes)
            if self._chance.random() < self.harmful:
                data += f" harm:{self._chance.choice(HARMS)}".encode()
            self.made[url] = files[url] = data
            if self._chance.random() < self.trouble:
                away = timedelta(seconds=self._chance.uniform(1, 900))
                self._ailing[url] = _Ailing(data, self._time.now() + away)
                files[url] = ProviderTransient("the delivery is away")

    def _end_training_as(self, training_id: str, end: End) -> None:
        if end is End.FAILED:
            self.fail(training_id, self._chance.choice(TRAINING_FAILURES))
        elif end is End.NOTHING:
            self._end(training_id, PredictionStatus.SUCCEEDED)
        else:
            done = self.succeed(training_id)
            if end is End.SPOILT and done.weights_url is not None:
                self.outputs.files[done.weights_url] = OutputUnusable("too_large")

    def forget_output(self, prediction_id: str) -> Prediction:
        for url in self.predictions[prediction_id].output:
            self._ailing.pop(url, None)
        return super().forget_output(prediction_id)

    def _change(self, prediction_id: str, **values: object) -> Prediction:
        self._before[prediction_id] = (self._time.now(), self._known(prediction_id))
        return super()._change(prediction_id, **values)

    def _as_listed(self, prediction: Prediction) -> Prediction | None:
        """Return the prediction as the listing shows it, which may be late; None if it does not yet."""
        seen_at = self._time.now() - self.listing_late
        if prediction.created_at is not None and prediction.created_at > seen_at:
            return None
        changed_at, before = self._before.get(prediction.id, (seen_at, prediction))
        return before if changed_at > seen_at else prediction

    def _may_fail(self) -> None:
        if self.weather is Weather.LOCKED:
            raise ProviderUnauthorized("Unauthenticated")
        if self.weather is Weather.FAILING:
            raise ProviderTransient("502")


def _allowed(request: CreatePrediction) -> timedelta:
    return timedelta(seconds=request.cancel_after_s)
