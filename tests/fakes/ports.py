from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path

import revela
from revela.adapters.archives import ZipArchives
from revela.domain.catalog import Catalog
from revela.domain.prompt_policy import PromptPolicy
from revela.ports import Policies
from tests.fakes.calls import Calls
from tests.fakes.clock import FakeClock
from tests.fakes.commands import FakeCommands
from tests.fakes.entropy import FakeEntropy
from tests.fakes.events import FakeEvents
from tests.fakes.faces import FakeCelebrities, FakeFaces
from tests.fakes.health import FakeHealth
from tests.fakes.judges import FakeImageJudge, FakeJudgements, FakePromptJudge
from tests.fakes.objects import FakeObjects
from tests.fakes.outputs import FakeOutputs
from tests.fakes.pace import FakePace
from tests.fakes.photo_files import FakePhotoFiles
from tests.fakes.pictures import FakePictures
from tests.fakes.provider import FakeProvider
from tests.fakes.store import (
    FakeAccounts,
    FakeChanges,
    FakeGenerations,
    FakeModels,
    FakePhotos,
    FakeTrainings,
    Store,
)
from tests.fakes.telemetry import FakeTelemetry
from tests.fakes.webhook_secrets import FakeWebhookSecrets
from tests.fakes.webhook_urls import FakeWebhookUrls


@cache
def load_catalog() -> Catalog:
    """Return the catalog that is shipped."""
    return Catalog.model_validate_json(
        (Path(revela.__file__).parent / "data" / "catalog.json").read_text("utf-8")
    )


@cache
def load_prompt_policy() -> PromptPolicy:
    """Return the prompt policy that is shipped."""
    return PromptPolicy.model_validate_json(
        (Path(revela.__file__).parent / "data" / "prompt_policy.json").read_text("utf-8")
    )


# As template.yaml sets them by default.
POLICIES = Policies(
    photos_kept=timedelta(days=90),
    copies_weights=False,
    blocked_kept=timedelta(days=7),
    judge_patience=timedelta(days=1),
    strikes_per_day=10,
)


@dataclass
class FakePorts:
    """Satisfies `revela.ports.Ports`; all fakes share one clock, one store and one observer of calls."""

    calls: Calls = field(default_factory=Calls)
    clock: FakeClock = field(default_factory=FakeClock)
    entropy: FakeEntropy = field(default_factory=FakeEntropy)
    telemetry: FakeTelemetry = field(default_factory=FakeTelemetry)
    webhook_secrets: FakeWebhookSecrets = field(default_factory=FakeWebhookSecrets)
    webhook_urls: FakeWebhookUrls = field(default_factory=FakeWebhookUrls)
    catalog: Catalog = field(default_factory=load_catalog)
    prompt_policy: PromptPolicy = field(default_factory=load_prompt_policy)
    store: Store = field(default_factory=Store)
    policies: Policies = field(default_factory=lambda: POLICIES)

    def __post_init__(self) -> None:
        self.generations = FakeGenerations(self.store, self.calls)
        self.trainings = FakeTrainings(self.store, self.calls)
        self.models = FakeModels(self.store, self.calls)
        self.photos = FakePhotos(self.store, self.calls)
        self.accounts = FakeAccounts(self.store, self.calls)
        self.changes = FakeChanges(self.store, self.calls)
        self.outputs = FakeOutputs(self.calls)
        self.provider = FakeProvider(self.calls, clock=self.clock, outputs=self.outputs)
        self.pictures = FakePictures(self.calls)
        self.objects = FakeObjects(self.calls, clock=self.clock)
        self.archives = ZipArchives(self.objects)
        self.weights = self.outputs
        self.photo_files = FakePhotoFiles(self.calls)
        self.faces = FakeFaces(self.calls)
        self.celebrities = FakeCelebrities(self.calls)
        self.prompt_judge = FakePromptJudge(self.calls)
        self.image_judge = FakeImageJudge(self.calls)
        self.known_judgements = FakeJudgements(self.calls)
        self.commands = FakeCommands(self.calls)
        self.events = FakeEvents(self.calls)
        self.pace = FakePace(self.calls)
        self.health = FakeHealth(self.calls)
