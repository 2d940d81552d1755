"""The two providers that the same cases run over: the fake, and our client to Replicate's API.

The API is the stand-in's, in this process, at a time that stands still until a test moves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.provider import ReplicateProvider
from revela.domain.errors import ProviderThrottled
from revela.ports import Provider
from tests.contract.replicate_stand_in import ORIGIN, TOKEN, InProcess, in_process
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.fakes.provider import FakeProvider
from tests.fakes.telemetry import FakeTelemetry


class Scene(Protocol):
    """A provider, and what happens at its end."""

    provider: Provider

    def now(self) -> datetime: ...

    def a_second_passes(self) -> None: ...

    def starts(self, prediction_id: str) -> None: ...

    def succeeds(self, prediction_id: str) -> None: ...

    def fails_next(self, error: str | None) -> None:
        """The next prediction created will fail when it is told to succeed."""

    def next_waits(self) -> None:
        """The next prediction created does not start by itself for a minute."""

    def aborts(self, prediction_id: str) -> None:
        """Its deadline of five seconds passes while it waits."""

    def an_hour_passes(self) -> None: ...

    def throttles_next_create(self, retry_after_s: int) -> None: ...

    def throttles_next_training(self, retry_after_s: int) -> None: ...

    def loses_next_answer(self) -> None:
        """The next create happens, but its answer does not arrive."""

    def creates(self) -> int:
        """Return how many predictions were created."""


class FakeScene:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self._fake = FakeProvider(clock=self._clock)
        self.provider: Provider = self._fake
        self._error: tuple[str | None] | None = None

    def now(self) -> datetime:
        return self._clock.now()

    def a_second_passes(self) -> None:
        self._clock.advance(timedelta(seconds=1))

    def starts(self, prediction_id: str) -> None:
        self._fake.start(prediction_id)

    def succeeds(self, prediction_id: str) -> None:
        if self._error is None:
            self._fake.succeed(prediction_id)
        else:
            self._fake.fail(prediction_id, *self._error)

    def fails_next(self, error: str | None) -> None:
        self._error = (error,)

    def next_waits(self) -> None:
        """Nothing moves by itself here."""

    def aborts(self, prediction_id: str) -> None:
        self._fake.abort(prediction_id)

    def an_hour_passes(self) -> None:
        for prediction_id in self._fake.predictions:
            self._fake.forget_output(prediction_id)

    def throttles_next_create(self, retry_after_s: int) -> None:
        self._fake.refuse(ProviderThrottled("throttled", retry_after_s))

    def throttles_next_training(self, retry_after_s: int) -> None:
        self.throttles_next_create(retry_after_s)

    def loses_next_answer(self) -> None:
        self._fake.lose_answer()

    def creates(self) -> int:
        return len(self._fake.predictions)


class StandInScene:
    """`stand_in` lives in an event loop of its own, behind `portal`.

    Its predictions wait for a second and run for thirty.
    """

    def __init__(self, portal: BlockingPortal, stand_in: InProcess) -> None:
        self._portal = portal
        self.stand_in = stand_in
        self._lose_answer = False
        self.clock = FakeClock()
        self.client = ReplicateClient(
            base_url=f"{ORIGIN}/v1",
            token=lambda: TOKEN,
            clock=self.clock,
            entropy=FakeEntropy(),
            telemetry=FakeTelemetry(),
            transport=httpx.MockTransport(self._send),
        )
        self.provider: Provider = ReplicateProvider(self.client)
        self._order(slow_predictions={"count": "all", "queue_s": 1, "predict_s": 30})

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.stand_in.stand_in.clock.now_s(), UTC)

    def a_second_passes(self) -> None:
        self.passes(1)

    def starts(self, prediction_id: str) -> None:
        self.passes(1)

    def succeeds(self, prediction_id: str) -> None:
        self.passes(31)

    def fails_next(self, error: str | None) -> None:
        self._order(fail_predictions={"count": 1, "error": error})

    def aborts(self, prediction_id: str) -> None:
        self.passes(6)

    def next_waits(self) -> None:
        self._order(slow_predictions={"count": 1, "queue_s": 60, "predict_s": 1})

    def an_hour_passes(self) -> None:
        self.passes(3_700)

    def throttles_next_create(self, retry_after_s: int) -> None:
        self._order(throttle={"count": 1, "retry_after": retry_after_s})

    def throttles_next_training(self, retry_after_s: int) -> None:
        self._order(throttle={"count": 1, "retry_after": retry_after_s, "scope": "trainings"})

    def next_training_takes(self, seconds: int) -> None:
        self._order(slow_trainings={"count": 1, "queue_s": 1, "predict_s": seconds})

    def loses_next_answer(self) -> None:
        self._lose_answer = True

    def creates(self) -> int:
        return self.stand_in.stand_in.counters.creates

    def passes(self, seconds: float) -> None:
        self._portal.call(self.stand_in.pass_time, seconds)

    def _order(self, **orders: object) -> None:
        self._portal.call(lambda: self.stand_in.order(**orders))

    def _send(self, request: httpx.Request) -> httpx.Response:
        sent = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = self._portal.call(self.stand_in.api.send, sent)
        if self._lose_answer:
            self._lose_answer = False
            raise httpx.ReadError("connection reset by peer", request=request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@contextmanager
def stand_in_scene() -> Iterator[StandInScene]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(in_process()) as stand_in:
        yield StandInScene(portal, stand_in)
