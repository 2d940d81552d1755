"""Webhooks: signed, filtered, throttled, retried, as Replicate's documents say.

- Without a filter, new outputs and the end are sent; `start` and `completed` always, `output` and `logs` at
  most every 500 ms.
- Only the message of a terminal state is retried, on connection failure, 4xx and 5xx, with exponential
  back-off, the last time about a minute after completion. Redirects are not followed, nor retried.
- `aborted` sends nothing: the documents name succeeded, failed and canceled only.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import math
import secrets
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal, Protocol

import httpx

from local.replicate.clock import Clock, Scheduler
from local.replicate.counters import Counters
from local.replicate.faults import Faults
from local.replicate.loopback import reachable
from local.replicate.models.model import Json
from local.replicate.prediction import Status, Webhook
from local.replicate.tasks import Tasks

Event = Literal["start", "output", "logs", "completed"]

DEFAULT_EVENTS = frozenset({"output", "completed"})
THROTTLE_S = 0.5
RETRIES_AFTER_COMPLETION_S = (1, 3, 7, 15, 31, 63)
REORDER_S = 5.0  # how long an overtaken message waits for the one that overtakes it
ANSWER_TIMEOUT_S = 10.0  # real seconds; the documents say "a few"

logger = logging.getLogger(__name__)


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header of one attempt."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class Job(Protocol):
    """A prediction or a training."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> Status: ...
    @property
    def webhook(self) -> Webhook | None: ...
    def to_json(self, origin: str) -> Json: ...


@dataclass(frozen=True)
class _Message:
    id: str
    url: str
    event: Event
    job_id: str
    body: bytes


class Webhooks:
    def __init__(
        self,
        *,
        origin: str,
        secret: str,
        client: httpx.AsyncClient,
        clock: Clock,
        scheduler: Scheduler,
        tasks: Tasks,
        faults: Faults,
        counters: Counters,
    ) -> None:
        self.secret = secret
        self._origin = origin
        self._client = client
        self._clock = clock
        self._scheduler = scheduler
        self._tasks = tasks
        self._faults = faults
        self._counters = counters
        self.clear()

    def notify(self, job: Job, event: Event, at_s: float) -> None:
        """Sends what the job is now, if its owner wants to hear of the event."""
        webhook = job.webhook
        if webhook is None or event not in webhook.events or job.status == "aborted":
            return
        if event in {"output", "logs"}:
            if at_s - self._last_sent_s.get(job.id, -math.inf) < THROTTLE_S:
                return
            self._last_sent_s[job.id] = at_s
        message = _Message(
            id=f"msg_{secrets.token_urlsafe(18)}",
            url=webhook.url,
            event=event,
            job_id=job.id,
            body=json.dumps(job.to_json(self._origin)).encode(),
        )
        if self._faults.lose_webhooks.take():
            self._counters.webhooks_lost += 1
            logger.info("webhook %s of %s lost on order", event, job.id)
            return
        if (delay := self._faults.delay_webhooks.take()) is not None:
            self._scheduler.at(at_s + delay.seconds, lambda due_s: self._send(message, due_s))
        elif job.id not in self._overtaken and self._faults.reorder_webhooks.take():
            self._overtaken[job.id] = message
            self._scheduler.at(at_s + REORDER_S, lambda due_s: self._release(job.id, due_s))
        else:
            self._send(message, at_s)
            self._release(job.id, at_s)

    def forget(self, job_id: str) -> None:
        self._last_sent_s.pop(job_id, None)
        self._turns.pop(job_id, None)

    def clear(self) -> None:
        self._last_sent_s: dict[str, float] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._overtaken: dict[str, _Message] = {}

    def _send(self, message: _Message, at_s: float) -> None:
        copies = 2 if self._faults.double_webhooks.take() else 1
        for _ in range(copies):
            self._tasks.spawn(self._send_in_order(message, at_s))

    def _release(self, job_id: str, at_s: float) -> None:
        message = self._overtaken.pop(job_id, None)
        if message is not None:
            self._send(message, at_s)

    async def _send_in_order(self, message: _Message, at_s: float) -> None:
        """First attempts of one job do not overtake each other, even when the clock jumps."""
        async with self._turns[message.job_id]:
            arrived = await self._attempt(message)
        if message.event == "completed" and not arrived:
            self._retry(message, at_s, attempt=0)

    def _retry(self, message: _Message, completed_s: float, attempt: int) -> None:
        if attempt == len(RETRIES_AFTER_COMPLETION_S):
            logger.warning("webhook %s of %s given up", message.event, message.job_id)
            return

        async def again() -> None:
            if not await self._attempt(message):
                self._retry(message, completed_s, attempt + 1)

        due_s = completed_s + RETRIES_AFTER_COMPLETION_S[attempt]
        self._scheduler.at(due_s, lambda _: self._tasks.spawn(again()))

    async def _attempt(self, message: _Message) -> bool:
        """True when nothing is left to do for the message."""
        timestamp = int(self._clock.now_s())
        address, host = reachable(message.url)
        headers = {
            "content-type": "application/json",
            "user-agent": "Replicate/1",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self.secret, message.id, timestamp, message.body),
        }
        try:
            response = await self._client.post(
                address, content=message.body, headers=headers | host, timeout=ANSWER_TIMEOUT_S
            )
        except httpx.HTTPError as error:
            answer: int | str = type(error).__name__
        else:
            answer = response.status_code
        went_well = isinstance(answer, int) and answer < 300
        self._counters.webhooks_sent += went_well
        self._counters.webhooks_failed += not went_well
        logger.info("webhook %s of %s: %s", message.event, message.job_id, answer)
        return isinstance(answer, int) and answer < 400
