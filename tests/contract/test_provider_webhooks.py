"""Webhooks of the stand-in at our door: a second reading of Replicate's documents must open it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from revela.adapters.replicate.webhooks import reduced_prediction
from revela.adapters.secrets import WebhookSecret
from revela.adapters.webhook_proofs import WebhookProofs
from revela.adapters.webhook_urls import SignedWebhookUrls
from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import CreatePrediction, Ref
from revela.usecases.hear_webhook import DoorPorts, HearWebhook, Verdict, hear_webhook
from tests.contract.providers import StandInScene, stand_in_scene
from tests.contract.replicate_stand_in import SECRET
from tests.fakes.clock import FakeClock
from tests.fakes.telemetry import FakeTelemetry
from tests.unit.adapters.secrets_manager import SecretsManager

REF = Ref("auth0|ana maria", "gen_01K4YVZ5M0QH8W3D9RJ2T6XBCE")


class Door:
    """A door that knows what the provider's API says its secret is."""

    def __init__(self, scene: StandInScene) -> None:
        self._scene = scene
        self._secret = WebhookSecret(SecretsManager(json.dumps({"url_token_key": "k1"})).secret())
        self._secret.remember_replicate_secret(scene.provider.webhook_secret())
        self.urls = SignedWebhookUrls("https://api.revela.test", self._secret.url_token_key)
        self.heard: list[Mapping[str, Any]] = []

    def send(self, user_id: str, report: Mapping[str, Any]) -> None:
        assert user_id == REF.user_id
        self.heard.append(report)

    def hear(self, request: httpx.Request) -> Verdict:
        ports = DoorPorts(
            proofs=WebhookProofs(self._secret),
            reports=self,
            reduced=reduced_prediction,
            clock=FakeClock(self._scene.now()),
            telemetry=FakeTelemetry(),
        )
        came = HearWebhook(dict(request.headers), request.url.query.decode(), request.content)
        return hear_webhook(came, ports=ports)


@pytest.fixture
def scene() -> Iterator[StandInScene]:
    with stand_in_scene() as scene:
        yield scene


def create(scene: StandInScene, door: Door) -> Prediction:
    return scene.provider.create_prediction(
        CreatePrediction(
            version="black-forest-labs/flux-schnell",
            input={"prompt": "um farol à noite 📷"},
            webhook_url=door.urls.for_job(REF, 2),
            cancel_after_s=300,
        )
    )


def test_the_documented_secret_is_the_one_in_use(scene: StandInScene) -> None:
    assert scene.provider.webhook_secret() == SECRET


def test_what_the_webhooks_say_is_what_the_api_says(scene: StandInScene) -> None:
    door = Door(scene)
    created = create(scene, door)
    scene.starts(created.id)
    running = scene.provider.get_prediction(created.id)
    scene.succeeds(created.id)
    ended = scene.provider.get_prediction(created.id)

    verdicts = [door.hear(request) for request in scene.stand_in.network.requests]

    assert verdicts == [Verdict.HEARD] * 2
    reported = [Prediction.model_validate_json(json.dumps(report["prediction"])) for report in door.heard]
    without = {"input": None, "version": None}
    assert reported == [running.model_copy(update=without), ended.model_copy(update=without)]
    assert [(r["user_id"], r["id"], r["attempt"]) for r in door.heard] == [(REF.user_id, REF.id, 2)] * 2


def test_a_webhook_repeated_after_a_minute_is_signed_anew_and_heard(scene: StandInScene) -> None:
    door = Door(scene)
    scene.stand_in.network.answers += [200, 503, 503, 503]
    created = create(scene, door)
    scene.starts(created.id)
    scene.succeeds(created.id)
    scene.passes(120)

    requests = scene.stand_in.network.requests
    last = requests[-1]

    assert len(requests) == 5
    assert door.hear(last) is Verdict.HEARD
    assert door.heard[0]["prediction"]["status"] == PredictionStatus.SUCCEEDED


def test_a_webhook_of_one_job_does_not_open_the_door_of_another(scene: StandInScene) -> None:
    door = Door(scene)
    created = create(scene, door)
    scene.starts(created.id)
    (request,) = scene.stand_in.network.requests
    other = httpx.URL(str(request.url).replace("attempt=2", "attempt=3"))

    moved = httpx.Request("POST", other, headers=request.headers, content=request.content)

    assert door.hear(moved) is Verdict.UNPROVEN
    assert door.hear(request) is Verdict.HEARD
