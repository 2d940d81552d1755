"""The stand-in for Replicate under test: in this process with a clock of the test's own, or as a server."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from local.replicate.app import create_app
from local.replicate.clock import Clock
from local.replicate.stand_in import Settings, StandIn
from tests.contract.replicate_openapi import check_reply

ROOT = Path(__file__).parents[2]
ORIGIN = "http://replicate.test"
TOKEN = "r8_under_test"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the published test vector's
JSON_TYPES = ("application/json", "application/problem+json")
WEBHOOK = "https://hooks.example.com/generation?id=7"


class Time:
    """Real time, standing still until told otherwise."""

    def __init__(self) -> None:
        self.now_s = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Network:
    """What the stand-in reaches: files by URL, and webhook receivers, who answer `answers`, then 200."""

    requests: list[httpx.Request] = field(default_factory=list)
    answers: list[int | type[httpx.TransportError]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            url = str(request.url)
            return httpx.Response(200, content=self.files[url]) if url in self.files else httpx.Response(404)
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, int):
            return httpx.Response(answer, headers={"location": "https://elsewhere.example.com"})
        raise answer("on order", request=request)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def statuses(self) -> list[str]:
        return [body["status"] for body in self.bodies]


@dataclass
class InProcess:
    """`api` is a client of it with a good token; every reply of /v1 is held against the OpenAPI document."""

    stand_in: StandIn
    api: httpx.AsyncClient
    time: Time
    network: Network

    async def pass_time(self, seconds: float) -> None:
        """Everything that falls due in the seconds has happened, webhooks included, when this returns."""
        self.time.now_s += seconds
        await self.settle()

    async def settle(self) -> None:
        while True:
            self.stand_in.scheduler.run_due()
            if not self.stand_in.tasks.under_way:
                return
            await self.stand_in.tasks.settled()

    async def create(
        self,
        model: str = "black-forest-labs/flux-schnell",
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        body = {"version": model, "input": {"prompt": "a lighthouse"}} | fields
        reply = await self.api.post("/v1/predictions", json=body, headers=headers)
        assert reply.status_code == 201, reply.text
        return self.dict_of(reply)

    async def get(self, prediction: dict[str, Any]) -> dict[str, Any]:
        reply = await self.api.get(f"/v1/predictions/{prediction['id']}")
        assert reply.status_code == 200, reply.text
        return self.dict_of(reply)

    async def finished(self, model: str, given: dict[str, Any]) -> dict[str, Any]:
        """A prediction that was given all the time it takes."""
        prediction = await self.create(model, input=given)
        await self.pass_time(1)  # the run begins, and with it the fetching of its files
        await self.pass_time(60)
        return await self.get(prediction)

    async def order(self, **orders: Any) -> dict[str, Any]:
        reply = await self.api.post("/_control", json=orders)
        assert reply.status_code == 200, reply.text
        await self.settle()
        return self.dict_of(reply)

    async def counters(self) -> dict[str, Any]:
        counters: dict[str, Any] = (await self.api.get("/_control")).json()["counters"]
        return counters

    @staticmethod
    def dict_of(reply: httpx.Response) -> dict[str, Any]:
        body = reply.json()
        assert isinstance(body, dict)
        return body


@contextlib.asynccontextmanager
async def in_process() -> AsyncIterator[InProcess]:
    time, network = Time(), Network()
    stand_in = StandIn(
        Settings(ORIGIN, TOKEN, SECRET),
        clock=Clock(real_time=time),
        transport=httpx.MockTransport(network),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(stand_in)),
        base_url=ORIGIN,
        headers={"Authorization": f"Bearer {TOKEN}"},
        event_hooks={"response": [_check]},
    ) as api:
        yield InProcess(stand_in, api, time, network)
    await stand_in.close()
    await asyncio.sleep(0)  # cancelled work ends


@contextlib.contextmanager
def server(*arguments: str) -> Iterator[str]:
    """The origin of a stand-in that runs as a process of its own until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local.replicate", *_OPTIONS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        announced = process.stdout.readline()
        if "http://" not in announced:
            raise AssertionError(f"it did not start: {process.communicate(timeout=10)[1]}")
        yield announced.split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=10)


_OPTIONS = ("--token", TOKEN, "--webhook-secret", SECRET, "--log-file", os.devnull)


async def _check(reply: httpx.Response) -> None:
    request = reply.request
    if request.url.path.startswith("/v1/"):
        await reply.aread()
        is_json = reply.headers.get("content-type", "").partition(";")[0] in JSON_TYPES
        body = reply.json() if is_json else reply.content
        check_reply(request.method, request.url.path, reply.status_code, body)
