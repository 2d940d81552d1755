"""In-memory ports: what use cases are tested on. No threads, no real time, no randomness of their own."""

from tests.fakes.calls import Calls
from tests.fakes.clock import FakeClock
from tests.fakes.commands import FakeCommands
from tests.fakes.entropy import FakeEntropy
from tests.fakes.events import FakeEvents
from tests.fakes.objects import FakeObjects
from tests.fakes.outputs import FakeOutputs
from tests.fakes.pace import FakePace
from tests.fakes.pictures import FakePictures, picture_bytes
from tests.fakes.ports import FakePorts, load_catalog, load_prompt_policy
from tests.fakes.provider import FakeProvider
from tests.fakes.store import FakeAccounts, FakeChanges, FakeGenerations, Store
from tests.fakes.telemetry import FakeTelemetry
from tests.fakes.webhook_urls import FakeWebhookUrls

__all__ = [
    "Calls",
    "FakeAccounts",
    "FakeChanges",
    "FakeClock",
    "FakeCommands",
    "FakeEntropy",
    "FakeEvents",
    "FakeGenerations",
    "FakeObjects",
    "FakeOutputs",
    "FakePace",
    "FakePictures",
    "FakePorts",
    "FakeProvider",
    "FakeTelemetry",
    "FakeWebhookUrls",
    "Store",
    "load_catalog",
    "load_prompt_policy",
    "picture_bytes",
]
