from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from revela.adapters.replicate.signature import is_signed
from revela.adapters.replicate.webhooks import reduced_prediction
from revela.adapters.url_token import is_url_token
from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import ProviderReport, Ref
from revela.usecases.hear_webhook import DoorPorts, HearWebhook, Verdict, hear_webhook
from tests.fakes import Calls, FakePorts
from tests.fakes.calls import port_call
from tests.simulation.processes import Outcome, Processes
from tests.simulation.provider import SimulatedReplicate

URL_KEY = "the key of our webhook URLs"
# As template.yaml gives the function.
DOOR_TIMEOUT = timedelta(seconds=10)
# Replicate's documentation: several times with growing gaps, the last about a minute after the end.
RETRIES_S = (0, 5, 15, 35, 60)


@dataclass(frozen=True)
class Delivery:
    """One webhook on its way; `tried` times already, in vain."""

    prediction_id: str
    url: str
    body: bytes
    due_at: datetime
    ended_at: datetime | None
    tried: int = 0


@dataclass(frozen=True)
class Proofs:
    secret: str

    def is_signed(self, signatures: str, *, message_id: str, timestamp: str, body: bytes) -> bool:
        return is_signed([self.secret], signatures, message_id=message_id, timestamp=timestamp, body=body)

    def is_our_url(self, token: str, *, user_id: str, generation_id: str, attempt: int) -> bool:
        return is_url_token([URL_KEY], token, user_id=user_id, generation_id=generation_id, attempt=attempt)


class Reports:
    """The queue as the open door writes to it; `put` receives what a worker makes of the message."""

    def __init__(self, calls: Calls, put: Callable[[ProviderReport], None]) -> None:
        self.calls = calls
        self._put = put

    @port_call
    def send(self, user_id: str, report: Mapping[str, Any]) -> None:
        read = json.loads(json.dumps(report))
        prediction = Prediction.model_validate(read["prediction"])
        self._put(ProviderReport(Ref(read["user_id"], read["id"]), read["attempt"], prediction))


class Webhooks:
    """Replicate's side of the webhooks, and our door, which is the real one.

    `lost`: how likely a request does not arrive; `closed_until`: none does before.
    """

    def __init__(
        self,
        ports: FakePorts,
        chance: random.Random,
        provider: SimulatedReplicate,
        processes: Processes,
        put: Callable[[ProviderReport], None],
    ) -> None:
        self.lost = 0.0
        self.doubled = 0.0
        self.closed_until = ports.clock.now()
        self.counts: Counter[str] = Counter()
        self._clock = ports.clock
        self._chance = chance
        self._provider = provider
        self._processes = processes
        self._reports = Reports(ports.calls, put)
        self._announced: dict[str, PredictionStatus] = {}
        self._on_their_way: list[Delivery] = []

    def __len__(self) -> int:
        return len(self._on_their_way)

    def announce(self) -> None:
        """Write a webhook for everything that changed since."""
        for prediction in self._everything():
            before = self._announced.get(prediction.id, PredictionStatus.STARTING)
            self._announced[prediction.id] = prediction.status
            url = self._provider.webhook_url_of(prediction.id)
            if prediction.status is before or url is None:
                continue
            # Whether `aborted` has a webhook is not documented.
            if prediction.status is PredictionStatus.ABORTED and self._chance.random() < 0.5:
                continue
            late = timedelta(seconds=self._chance.choice((0, 0, 1, 3, 20)) * self._chance.random())
            now = self._clock.now()
            ended_at = prediction.completed_at if prediction.status.terminal else None
            self._on_their_way.append(Delivery(prediction.id, url, _body(prediction), now + late, ended_at))
            self.counts["written"] += 1

    def deliver(self) -> None:
        """Knock with everything that is due."""
        now = self._clock.now()
        due = [delivery for delivery in self._on_their_way if delivery.due_at <= now]
        self._on_their_way = [delivery for delivery in self._on_their_way if delivery.due_at > now]
        for delivery in due:
            if now < self.closed_until or self._chance.random() < self.lost:
                self._again(delivery)
                continue
            self._knock(delivery)
            if self._chance.random() < self.doubled:
                self.counts["doubled"] += 1
                self._knock(replace(delivery, ended_at=None))

    def forge(self) -> None:
        """Knock with what Replicate never said, or long ago, or to another address."""
        if not self._provider.predictions:
            return
        prediction = self._chance.choice(self._everything())
        url = self._provider.webhook_url_of(prediction.id)
        if url is None:
            return
        lie = prediction.model_copy(
            update={"status": PredictionStatus.SUCCEEDED, "output": ("https://replicate.delivery/lie.png",)}
        )
        match self._chance.randrange(3):
            case 0:
                request = self._request(url, _body(lie), secret="whsec_" + "AAAA" * 8)
            case 1:
                request = self._request(f"{url}x", _body(lie))
            case _:
                request = self._request(url, _body(lie), age=timedelta(minutes=6))

        def then(outcome: Outcome[Verdict]) -> None:
            assert outcome.result in (None, Verdict.UNPROVEN), "a forged webhook was believed"

        self.counts["forged"] += 1
        self._enter(request, then)

    def _everything(self) -> list[Prediction]:
        return [*self._provider.predictions.values(), *self._provider.trainings.values()]

    def _knock(self, delivery: Delivery) -> None:
        def then(outcome: Outcome[Verdict]) -> None:
            if outcome.result is None:
                self._again(delivery)
                return
            assert outcome.result is Verdict.HEARD, "Replicate's own webhook was refused"
            self.counts["heard"] += 1

        self._enter(self._request(delivery.url, delivery.body), then)

    def _enter(self, request: HearWebhook, then: Callable[[Outcome[Verdict]], None]) -> None:
        def work(ports: FakePorts, _until: datetime) -> Verdict:
            door = DoorPorts(
                Proofs(self._provider.secret), self._reports, reduced_prediction, ports.clock, ports.telemetry
            )
            return hear_webhook(request, ports=door)

        self._processes.spawn("door", work, timeout=DOOR_TIMEOUT, then=then, may_have_twin=False)

    def _again(self, delivery: Delivery) -> None:
        """Intermediate webhooks are never repeated; what ends a prediction is, for about a minute."""
        tried = delivery.tried + 1
        if delivery.ended_at is None or tried == len(RETRIES_S):
            self.counts["lost"] += 1
            return
        due_at = max(delivery.ended_at, self._clock.now()) + timedelta(
            seconds=RETRIES_S[tried] - RETRIES_S[tried - 1]
        )
        self._on_their_way.append(replace(delivery, due_at=due_at, tried=tried))

    def _request(
        self, url: str, body: bytes, *, secret: str | None = None, age: timedelta = timedelta(0)
    ) -> HearWebhook:
        message_id = f"msg_{hashlib.sha256(body).hexdigest()[:16]}"
        timestamp = str(int((self._clock.now() + self._provider.skew - age).timestamp()))
        key = base64.b64decode((secret or self._provider.secret).removeprefix("whsec_"))
        signed = f"{message_id}.{timestamp}.".encode() + body
        signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{signature}",
        }
        return HearWebhook(headers, urlsplit(url).query, body)


def _body(prediction: Prediction) -> bytes:
    """Return the prediction as Replicate's JSON; this is what GET would answer at this moment."""
    body = prediction.model_dump(mode="json", exclude={"predict_time_s"})
    body["metrics"] = {} if prediction.predict_time_s is None else {"predict_time": prediction.predict_time_s}
    output: object = list(prediction.output) or None
    if prediction.trained_version is not None:
        output = {"version": prediction.trained_version, "weights": prediction.weights_url}
    body |= {"output": output, "logs": "", "model": "replicate/internal"}
    return json.dumps(body).encode()
