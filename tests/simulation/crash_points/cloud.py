"""The use cases on the real adapters: AWS in process (moto), and the stand-in for Replicate."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import httpx
import pytest
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from local.replicate import deliveries, pages
from local.replicate.app import create_app
from local.replicate.clock import Clock as StandInClock
from local.replicate.drawing.render import render
from local.replicate.lifecycle import Lifecycle
from local.replicate.prediction import Prediction as Judged
from local.replicate.stand_in import Settings as StandInSettings
from local.replicate.stand_in import StandIn
from revela.adapters.dynamodb.tables import Tables
from revela.adapters.replicate.webhooks import reduced_prediction
from revela.adapters.webhook_proofs import WebhookProofs
from revela.adapters.webhook_reports import WebhookReports
from revela.bootstrap.wiring import aws_client
from revela.domain.errors import Transient
from revela.domain.job import Job
from revela.domain.prediction import Prediction
from revela.ports import SHOWN, ModelRef, ProviderReport, Ref
from revela.settings import Settings
from revela.usecases import moving, reconcile_jobs
from revela.usecases.hear_webhook import DoorPorts, HearWebhook, hear_webhook
from tests.contract.aws import NAMES, REGION, aws, deploy_tables
from tests.fakes import FakePorts, load_catalog, load_prompt_policy
from tests.fakes.clock import START
from tests.fakes.entropy import FakeEntropy
from tests.fakes.telemetry import FakeTelemetry
from tests.simulation.crash_points import own_models
from tests.simulation.crash_points.breaker import Breaker, Killed
from tests.simulation.crash_points.choke_points import Callers, ChokedTransport, aws_choked
from tests.simulation.crash_points.port_calls import Site, watched
from tests.simulation.crash_points.rekognition import is_famous, rekognition
from tests.simulation.crash_points.stored import items, stored
from tests.simulation.crash_points.troubled_provider import TroubledProvider
from tests.simulation.crash_points.wiring import Process, RememberedPictures, Surroundings
from tests.simulation.crash_points.witness import Witness, is_judges

REPLICATE, API = "https://replicate.test", "https://api.test"
BUCKET = "generations"
START_QUEUES = ("GenerationQueue", "TrainingQueue")
FINISH_QUEUES = ("GenerationWebhookQueue", "TrainingWebhookQueue")
TOKEN_SECRET, WEBHOOK_SECRET = "replicate-token", "webhook-secret"
TOKEN, SIGNING_SECRET = "r8_under_test", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HEAR_TIMEOUT = timedelta(seconds=10)
# Not at a full hour: then the schedule looks after the webhook's secret as well.
BEGIN = START + timedelta(minutes=7)
JUDGE_PATIENCE = timedelta(minutes=30)
# One more suspends the account.
STRIKES_PER_DAY = 2
SERVICES = ("s3", "sqs", "secretsmanager", "dynamodb")
# In what steps time passes while an answer is held, in seconds.
HOLDING_STEP_S = 0.25

P = ParamSpec("P")
R = TypeVar("R")


class Cloud:
    """One deployment for many histories: `begin` empties it.

    `callers`: adapters that called out. `port_calls`: use cases that called ports.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._rows: list[Job] = []
        self._rows_seen = self._messages_seen = 0
        self.callers: Callers = set()
        self.port_calls: set[Site] = set()
        # The product's own clients, but not the process's: those live as long as the tests do.
        self.clients = {name: aws_client.__wrapped__(name, REGION) for name in SERVICES}
        self.clients["rekognition"] = rekognition(REGION, lambda picture: self.witness.saw_allowed(picture))
        self.clients["s3"].create_bucket(Bucket=BUCKET)
        self.queue_urls = [
            self.clients["sqs"].create_queue(QueueName=name)["QueueUrl"]
            for name in (*START_QUEUES, *FINISH_QUEUES)
        ]
        for secret_id, text in ((TOKEN_SECRET, TOKEN), (WEBHOOK_SECRET, "{}")):
            self.clients["secretsmanager"].create_secret(Name=secret_id, SecretString=text)
        self.loop = asyncio.new_event_loop()
        self.time = _WorldTime()
        self.stand_in = StandIn(
            StandInSettings(REPLICATE, TOKEN, SIGNING_SECRET),
            clock=StandInClock(real_time=self.time),
            transport=httpx.MockTransport(self._knock),
        )
        self.api = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(self.stand_in)))
        self.witness = Witness(self.stand_in.lifecycle)
        self.provider = TroubledProvider(self._asked, self.witness.judge_of)
        self.breaker = Breaker(self.time)
        self.telemetry = FakeTelemetry()
        self.around = self._surroundings()
        self._foreign: set[str] = set()

    def begin(self, breaker: Callable[[Cloud], Breaker]) -> None:
        """Empty everything and start anew, at the same time, with the same ids to come."""
        self.breaker = Breaker(self.time)
        self.time.now_s = BEGIN.timestamp()
        self.stand_in.reset()
        self.witness = Witness(self.stand_in.lifecycle)
        self.provider = TroubledProvider(self._asked, self.witness.judge_of)
        self.api.headers["Authorization"] = f"Bearer {TOKEN}"
        for table in get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][REGION].tables.values():
            table.items.clear()
            if table.stream_shard is not None:
                table.stream_shard.items.clear()  # moto copies it whole at each transaction
        self._empty_bucket()
        for url in self.queue_urls:
            list(self._received(url))
        self._rows_seen = self._messages_seen = 0
        self._foreign.clear()
        first = json.dumps({"url_token_key": "k1"})
        self.clients["secretsmanager"].put_secret_value(SecretId=WEBHOOK_SECRET, SecretString=first)
        self.telemetry = FakeTelemetry()
        self.around = self._surroundings()
        self.breaker = breaker(self)

    # Installation

    def now(self) -> datetime:
        return self.time.now()

    def new_process(self) -> Process:
        return watched(Process(self.around), self._note)

    def pass_time(self, by: timedelta) -> None:
        self.time.now_s += by.total_seconds()
        self.run(self._settled())

    def take_sent(self) -> tuple[list[Ref], list[ProviderReport]]:
        looked_at, self._messages_seen = self._messages_seen, len(self.breaker.seen)
        if not self.breaker.saw("sqs.", since=looked_at):
            return [], []
        sent = [list(map(json.loads, self._received(url))) for url in self.queue_urls]
        starts, finishes = [*sent[0], *sent[1]], [*sent[2], *sent[3]]
        return [Ref(body["user_id"], body["id"]) for body in starts], [
            ProviderReport(
                Ref(body["user_id"], body["id"]),
                body["attempt"],
                Prediction.model_validate(body["prediction"]),
            )
            for body in finishes
        ]

    def rows(self) -> Iterable[Job]:
        looked_at, self._rows_seen = self._rows_seen, len(self.breaker.seen)
        if not looked_at or self.breaker.saw("dynamodb.", since=looked_at):
            held = stored(self.tables, {}).store
            self._rows = [*held.generations.values(), *held.trainings.values()]
        return self._rows

    def put_model(self) -> ModelRef:
        return own_models.put_model(self.new_process(), self.now())

    def put_trained_model(self) -> ModelRef:
        return own_models.put_trained_model(self.new_process(), self.now(), self.stand_in.registry)

    def models(self) -> Iterable[ModelRef]:
        keys = [(item["user_id"]["S"], item["id"]["S"]) for item in items(NAMES.models)]
        return [ModelRef(user_id, id_) for user_id, id_ in keys if "#" not in id_]

    def stored(self) -> FakePorts:
        return stored(self.tables, self._objects())

    def predictions(self) -> Mapping[str, bool]:
        return {
            job.id: job.is_over
            for job in self.stand_in.lifecycle.newest_first()
            if job.id not in self._foreign and not is_judges(job.model)
        }

    def prediction_status(self, id_: str) -> str:
        found = self.stand_in.lifecycle.find(id_)
        assert found is not None
        return found.status

    def slow_down_provider(self) -> None:
        self.order(slow_predictions={"count": "all", "queue_s": 4, "predict_s": 40})

    def fail_next_prediction(self, error: str) -> None:
        self.order(fail_predictions={"count": 1, "error": error})

    def lose_webhooks(self) -> None:
        self.order(lose_webhooks="all")

    def order(self, **orders: object) -> None:
        """Tell the stand-in to misbehave, as its `/_control` takes it."""
        reply = self.run(self.api.post(f"{REPLICATE}/_control", json=orders))
        assert reply.status_code == 200, reply.text

    def judge_images_by(self, judge: str) -> None:
        """Install it with another judge of images, as the template's parameter names it."""
        self.around = replace(self.around, settings=self._surroundings(judge).settings)

    def leave_row_of_another_version(self, like: Ref) -> None:
        """Store a job that is due and that this version of the code cannot read."""
        dynamodb = self.clients["dynamodb"]
        key = {"user_id": {"S": like.user_id}, "id": {"S": like.id}}
        item = dynamodb.get_item(TableName=NAMES.generations, Key=key)["Item"]
        foreign = {"id": {"S": "job_1"}, "state": {"S": "archived"}, "due_at": item["created_at"]}
        dynamodb.put_item(TableName=NAMES.generations, Item=item | foreign)

    def slow_down_judges(self) -> None:
        self.provider.ask_judges_twice()

    def let_another_application_predict(self) -> None:
        body = {"version": "black-forest-labs/flux-schnell", "input": {"prompt": "not ours"}}
        reply = self.run(self.api.post(f"{REPLICATE}/v1/predictions", json=body))
        self._foreign.add(reply.json()["id"])

    # The world outside

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.api.aclose())
        self.run(self.stand_in.close())
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()

    async def _settled(self) -> None:
        while True:
            self.stand_in.scheduler.run_due()
            if not self.stand_in.tasks.under_way:
                return
            await self.stand_in.tasks.settled()

    def _knock(self, request: httpx.Request) -> httpx.Response:
        """Let a webhook arrive at the door; API Gateway answers for a function that died."""
        ports = Process(self.around)
        request.read()
        heard = HearWebhook(
            headers=dict(request.headers), query=request.url.query.decode(), body=request.content
        )
        try:
            with self.breaker.process("hear", self.now() + HEAR_TIMEOUT):
                verdict = hear_webhook(
                    heard,
                    ports=watched(
                        DoorPorts(
                            proofs=WebhookProofs(ports.webhook_secrets),
                            reports=WebhookReports(ports.client("sqs"), ports.settings.queues),
                            reduced=reduced_prediction,
                            clock=ports.clock,
                            telemetry=ports.telemetry,
                        ),
                        self._note,
                    ),
                )
        except (Killed, Transient):
            return httpx.Response(502)
        return httpx.Response(int(verdict))

    def saw(self, _service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        """Have the witness look at what was written to the bucket."""
        if operation not in ("PutObject", "CopyObject"):
            return
        key = str(parameters["Key"])
        if not key.startswith(SHOWN):
            return
        data = self.clients["s3"].get_object(Bucket=BUCKET, Key=key)["Body"].read()
        if key.startswith("photos/"):
            assert not is_famous(data), f"{key} shows somebody famous"
        elif "/generations/" in key:
            self.witness.saw_write(key, data, None if ".thumbnail." in key else _rendering(data))

    async def hold(self, prediction: Judged, seconds: int) -> bool:
        """Let time pass for everybody while Replicate holds its answer for what the judge says."""
        until_s = self.time.now_s + seconds
        while not prediction.ready.is_set() and self.time.now_s < until_s:
            self.time.now_s = min(self.time.now_s + HOLDING_STEP_S, until_s)
            await self._settled()
        return prediction.output is not None or prediction.is_over

    def _sent_to_replicate(self, request: httpx.Request) -> httpx.Response:
        if (request.method, request.url.path) == ("POST", "/v1/predictions"):
            self.witness.saw_create(request)
        return self.provider(request)

    def _asked(self, request: httpx.Request) -> httpx.Response:
        sent = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = self.run(self.api.send(sent))
        body = httpx.ByteStream(answer.content)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=body)

    def _note(self, site: Site) -> None:
        if self.breaker.in_process:
            self.port_calls.add(site)

    def _received(self, url: str) -> Iterator[str]:
        sqs = self.clients["sqs"]
        full = True
        while full:
            got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            for message in got:
                yield message["Body"]
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            full = len(got) == 10

    def _objects(self) -> dict[str, bytes]:
        s3 = self.clients["s3"]
        found = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {o["Key"]: s3.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read() for o in found}

    def _empty_bucket(self) -> None:
        s3 = self.clients["s3"]
        if found := s3.list_objects_v2(Bucket=BUCKET).get("Contents"):
            keys = [{"Key": one["Key"]} for one in found]
            s3.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})

    def _surroundings(self, image_judge: str = "replicate") -> Surroundings:
        environ = {
            "AWS_REGION": REGION,
            "BUCKET": BUCKET,
            "GENERATION_QUEUE_URL": self.queue_urls[0],
            "TRAINING_QUEUE_URL": self.queue_urls[1],
            "GENERATION_WEBHOOK_QUEUE_URL": self.queue_urls[2],
            "TRAINING_WEBHOOK_QUEUE_URL": self.queue_urls[3],
            "REPLICATE_TOKEN_SECRET_ID": TOKEN_SECRET,
            "WEBHOOK_SECRET_ID": WEBHOOK_SECRET,
            "REPLICATE_API_BASE_URL": f"{REPLICATE}/v1",
            "REPLICATE_WEBHOOK_URL": API,
            "REPLICATE_OUTPUT_ORIGINS": REPLICATE,
            "IMAGE_JUDGE": image_judge,
            "JUDGE_PATIENCE_MINUTES": str(JUDGE_PATIENCE // timedelta(minutes=1)),
            "STRIKES_PER_DAY": str(STRIKES_PER_DAY),
        }
        return Surroundings(
            settings=Settings(environ),
            tables=self.tables,
            clients=self.clients,
            clock=self.time,
            entropy=FakeEntropy(),
            telemetry=self.telemetry,
            pictures=_PICTURES,
            catalog=load_catalog(),
            prompt_policy=load_prompt_policy(),
            transport=ChokedTransport(
                lambda: self.breaker,
                self.callers,
                self._sent_to_replicate,
                lambda request: self.witness.judge_of(request),
            ),
        )


@contextmanager
def opened() -> Iterator[Cloud]:
    """Deploy; nothing in it waits for real, and every picture is drawn once."""
    with aws(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliveries, "render", cache(render))
        # A listing of two predictions is one of several pages.
        patch.setattr(pages, "PAGE_SIZE", 1)
        deployed = Cloud(deploy_tables())
        patch.setattr(moving, "hand_over", _named(moving.hand_over, deployed))
        patch.setattr(reconcile_jobs, "hand_over", moving.hand_over)
        patch.setattr(Lifecycle, "wait_for_output", lambda _, *held: deployed.hold(*held))
        choked = aws_choked(lambda: deployed.breaker, deployed.callers, deployed.saw)
        with choked, closing(deployed):
            yield deployed


_PICTURES = RememberedPictures()


def _rendering(picture: bytes) -> bytes:
    with tempfile.NamedTemporaryFile() as file:
        file.write(picture)
        file.flush()
        return _PICTURES.rendering(Path(file.name))


def _named(function: Callable[P, R], on: Cloud) -> Callable[P, R]:
    """Let calls within a hand-over be labelled as its own, whoever began it."""

    def named(*args: P.args, **kwargs: P.kwargs) -> R:
        with on.breaker.part("hand over"):
            return function(*args, **kwargs)

    return named


class _WorldTime:
    """What the product and the stand-in take for the world's time; it moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = BEGIN.timestamp()

    def __call__(self) -> float:
        return self.now_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s, UTC)

    def sleep_until(self, when: datetime) -> None:
        self.now_s = max(self.now_s, when.timestamp())
