"""The stand-in as a whole: its settings, its state, and how the parts hang together."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from local.replicate.clock import Clock, Scheduler, moment
from local.replicate.counters import Counters
from local.replicate.deliveries import Deliveries
from local.replicate.deployments import Deployments
from local.replicate.examples import Examples
from local.replicate.faults import Faults
from local.replicate.file_inputs import FileInputs
from local.replicate.lifecycle import Lifecycle
from local.replicate.rate_limits import CREATES_PER_MIN, OTHERS_PER_MIN, Bucket
from local.replicate.registry import Registry
from local.replicate.tasks import Tasks
from local.replicate.trainings import Trainings
from local.replicate.uploads import Uploads
from local.replicate.webhooks import Webhooks, new_secret

DEFAULT_TOKEN = "r8_stand_in"
DEFAULT_FILES_SECRET = "files_stand_in"


@dataclass(frozen=True)
class Settings:
    """`origin` is the scheme, host and port that clients reach the stand-in at; all URLs begin with it."""

    origin: str
    token: str = DEFAULT_TOKEN
    webhook_secret: str = field(default_factory=new_secret)
    files_secret: str = DEFAULT_FILES_SECRET


class StandIn:
    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport` carries webhooks and fetches inputs; the network by default."""
        self.settings = settings
        self.clock = clock or Clock()
        self.scheduler = Scheduler(self.clock)
        self.tasks = Tasks()
        self.counters = Counters()
        self.faults = Faults(self.clock.now_s)
        self.creates = Bucket(CREATES_PER_MIN, self.clock)
        self.others = Bucket(OTHERS_PER_MIN, self.clock)
        self.deliveries = Deliveries(settings.origin)
        self.registry = Registry(self.clock)
        self.examples = Examples(self.clock, self.deliveries)
        self.deployments = Deployments(self.clock)
        self.uploads = Uploads(
            origin=settings.origin,
            signing_secret=settings.files_secret,
            clock=self.clock,
            scheduler=self.scheduler,
        )
        # trust_env off: a proxy of the environment must not come between two services of one machine.
        self.client = httpx.AsyncClient(transport=transport, trust_env=False)
        self.webhooks = Webhooks(
            origin=settings.origin,
            secret=settings.webhook_secret,
            client=self.client,
            clock=self.clock,
            scheduler=self.scheduler,
            tasks=self.tasks,
            faults=self.faults,
            counters=self.counters,
        )
        file_inputs = FileInputs(self.client, self.uploads)
        self.lifecycle = Lifecycle(
            clock=self.clock,
            scheduler=self.scheduler,
            tasks=self.tasks,
            faults=self.faults,
            counters=self.counters,
            deliveries=self.deliveries,
            webhooks=self.webhooks,
            file_inputs=file_inputs,
        )
        self.trainings = Trainings(
            clock=self.clock,
            scheduler=self.scheduler,
            tasks=self.tasks,
            faults=self.faults,
            counters=self.counters,
            deliveries=self.deliveries,
            webhooks=self.webhooks,
            registry=self.registry,
            file_inputs=file_inputs,
        )

    def reset(self) -> None:
        """As newly started: nothing created, no orders, counters at zero, the clock back at real time."""
        self.tasks.cancel()
        self.scheduler.clear()
        self.clock.reset()
        self.creates.reset()
        self.others.reset()
        self.faults.clear()
        self.deliveries.clear()
        self.webhooks.clear()
        self.lifecycle.clear()
        self.trainings.clear()
        self.uploads.clear()
        self.deployments.clear()
        self.registry.clear()
        self.examples.clear()
        self.counters.clear()

    def to_json(self) -> dict[str, Any]:
        """What `GET /_control` shows."""
        return {
            "clock": {
                "now": moment(self.clock.now_s()).isoformat(),
                "offset_s": self.clock.offset_s,
                "scale": self.clock.scale,
            },
            "counters": self.counters.to_json() | {"predictions": self.lifecycle.count_by_status()},
            "orders": self.faults.to_json(),
        }

    async def close(self) -> None:
        self.tasks.cancel()
        self.uploads.clear()
        await self.client.aclose()
