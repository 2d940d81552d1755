from __future__ import annotations

import random
from datetime import timedelta
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
from revela.ports import FinishGeneration, Ref
from tests.fakes import FakePorts
from tests.simulation.queue import Queue

RETENTION = timedelta(hours=1)
FAILURES = (None, "E8367", "E1001", "E6716", "E8765", "NSFW content detected.", "boom", "(E004)")


class ProviderActor:
    """What goes on at the provider, and which of its webhooks arrive."""

    def __init__(self, ports: FakePorts, chance: random.Random, webhooks: Queue[FinishGeneration]) -> None:
        self.webhook_lost = 0.3
        self._ports = ports
        self._fake = ports.provider
        self._chance = chance
        self._webhooks = webhooks
        self._announced: dict[str, PredictionStatus] = {}
        self._ailing: dict[str, bytes] = {}

    @property
    def live(self) -> list[Prediction]:
        return [p for p in self._fake.predictions.values() if not p.status.terminal]

    def move_one(self) -> None:
        """Let one prediction go on, well or badly."""
        if not self.live:
            return
        prediction = self._chance.choice(self.live)
        if prediction.status is PredictionStatus.STARTING and self._chance.random() < 0.6:
            self._fake.start(prediction.id)
            return
        end = self._chance.choices(("succeed", "fail", "abort", "cancel"), (75, 15, 5, 5))[0]
        match end:
            case "succeed":
                self._succeed(prediction)
            case "fail":
                self._fake.fail(prediction.id, self._chance.choice(FAILURES))
            case "abort":
                self._fake.abort(prediction.id)
            case "cancel":
                self._fake.end_canceled(prediction.id)

    def finish_all(self) -> None:
        for prediction in self.live:
            self._fake.succeed(prediction.id)

    def prepare_trouble(self) -> None:
        """Announce a fault of a create, a read, or obedience."""
        match self._chance.randrange(7):
            case 0:
                self._fake.lose_answer()
            case 1:
                self._fake.delay_create()
            case 2:
                self._fake.refuse(ProviderTransient("connection reset"))
            case 3:
                self._fake.refuse(self._refusal())
            case 4:
                self._fake.arrive()
            case 5:
                error = self._chance.choice((ProviderTransient("502"), ProviderThrottled("slow down", 1)))
                self._fake.failures.append(error)
            case _:
                self._fake.obeys_cancel = not self._fake.obeys_cancel

    def heal(self) -> None:
        """End what ails the delivery of outputs."""
        self._ports.outputs.files.update(self._ailing)
        self._ailing.clear()

    def forgive(self) -> None:
        """End every trouble that was announced or goes on."""
        self.webhook_lost = 0.0
        self._fake.failures.clear()
        self._fake.forget_scripts()
        self._fake.arrive()
        self._fake.obeys_cancel = True
        self.heal()

    def let_time_pass(self) -> None:
        """Do what the provider does by its clock: Cancel-After, and deleting outputs after an hour."""
        now = self._ports.clock.now()
        for prediction in list(self._fake.predictions.values()):
            assert prediction.created_at is not None
            limit = timedelta(seconds=self._fake.requests[prediction.id].cancel_after_s)
            if not prediction.status.terminal and now - prediction.created_at > limit:
                if prediction.status is PredictionStatus.STARTING:
                    self._fake.abort(prediction.id)
                elif self._fake.obeys_cancel:
                    self._fake.end_canceled(prediction.id)
            elif (
                prediction.completed_at
                and now - prediction.completed_at > RETENTION
                and not prediction.data_removed
            ):
                self._fake.forget_output(prediction.id)

    def announce(self) -> None:
        """Send a webhook for everything that changed since, unless it is lost on its way."""
        for prediction in self._fake.predictions.values():
            before = self._announced.get(prediction.id, PredictionStatus.STARTING)
            self._announced[prediction.id] = prediction.status
            url = self._fake.requests[prediction.id].webhook_url
            if prediction.status is before or url is None or self._chance.random() < self.webhook_lost:
                continue
            query = parse_qs(urlsplit(url).query)
            ref = Ref(query["user"][0], query["id"][0])
            self._webhooks.put(FinishGeneration(ref, int(query["attempt"][0]), prediction))

    def _succeed(self, prediction: Prediction) -> None:
        done = self._fake.succeed(prediction.id)
        files = self._ports.outputs.files
        match self._chance.randrange(10):
            case 0:
                self._change_output(done, done.output[:1])
            case 1:
                self._change_output(done, ())
            case 2:
                files[done.output[-1]] = self._chance.choice((b"junk", OutputUnusable("too_large")))
            case 3:
                url = done.output[0]
                made = files[url]
                assert isinstance(made, bytes)
                self._ailing[url] = made
                files[url] = ProviderTransient("the delivery is away")

    def _change_output(self, prediction: Prediction, output: tuple[str, ...]) -> None:
        self._fake.predictions[prediction.id] = prediction.model_copy(update={"output": output})

    def _refusal(self) -> Exception:
        return self._chance.choice(
            (
                ProviderThrottled("slow down", 5),
                ProviderThrottled("slow down"),
                ProviderUnavailable("503"),
                OutOfCredit("top up"),
                ProviderUnauthorized("whose token?"),
                ProviderRejected("no", ("input.prompt",)),
                ProviderNotFound("no such model"),
            )
        )
