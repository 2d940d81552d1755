"""The product's own wiring, with virtual time, ids that repeat, and sockets replaced by our transports."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from revela.adapters.dynamodb.changes import DynamoChanges
from revela.adapters.dynamodb.generations import DynamoGenerations
from revela.adapters.dynamodb.tables import Tables
from revela.adapters.pictures import PillowPictures
from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.outputs import ReplicateOutputs
from revela.adapters.secrets import CachedSecret, ReplicateToken
from revela.bootstrap.wiring import Wiring
from revela.domain.catalog import Catalog
from revela.domain.prompt_policy import PromptPolicy
from revela.ports import (
    Changes,
    Clock,
    Entropy,
    Generations,
    Outputs,
    Picture,
    Pictures,
    Provenance,
    Telemetry,
    Thumbnail,
)
from revela.settings import Settings


@dataclass(frozen=True)
class Surroundings:
    """What outlives a process: connections hold no state that matters, and are costly to make."""

    settings: Settings
    tables: Tables
    clients: Mapping[str, Any]
    clock: Clock
    entropy: Entropy
    telemetry: Telemetry
    pictures: Pictures
    catalog: Catalog
    prompt_policy: PromptPolicy
    transport: httpx.BaseTransport


class Process(Wiring):
    """The ports of one process: it reads secrets anew, as one does that just started."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around.settings)
        self._around = around

    @cached_property
    def clock(self) -> Clock:
        return self._around.clock

    @cached_property
    def entropy(self) -> Entropy:
        return self._around.entropy

    @cached_property
    def telemetry(self) -> Telemetry:
        return self._around.telemetry

    @cached_property
    def pictures(self) -> Pictures:
        return self._around.pictures

    @cached_property
    def catalog(self) -> Catalog:
        return self._around.catalog

    @cached_property
    def prompt_policy(self) -> PromptPolicy:
        return self._around.prompt_policy

    @cached_property
    def tables(self) -> Tables:
        return self._around.tables

    @cached_property
    def generations(self) -> Generations:
        return DynamoGenerations(self.tables, pause=_go_on)

    @cached_property
    def changes(self) -> Changes:
        return DynamoChanges(self.tables, pause=_go_on)

    @cached_property
    def outputs(self) -> Outputs:
        return ReplicateOutputs(
            origins=self.settings.replicate.output_origins,
            clock=self.clock,
            entropy=self.entropy,
            total_max=timedelta(seconds=20),
            transport=self._around.transport,
        )

    @cached_property
    def replicate_client(self) -> ReplicateClient:
        secret = CachedSecret(self.client("secretsmanager"), self.settings.replicate_token_secret_id)
        return ReplicateClient(
            base_url=self.settings.replicate.api_base_url,
            token=ReplicateToken(secret),
            clock=self.clock,
            entropy=self.entropy,
            telemetry=self.telemetry,
            transport=self._around.transport,
        )

    def client(self, service: str) -> Any:
        return self._around.clients[service]


class RememberedPictures:
    """Pillow's answers, asked once for the same bytes: histories draw the same few pictures again."""

    def __init__(self) -> None:
        self._pillow = PillowPictures()
        self._inspected: dict[bytes, Picture] = {}
        self._marked: dict[tuple[bytes, Provenance], bytes] = {}
        self._thumbnails: dict[tuple[bytes, Provenance], Thumbnail] = {}
        self._renderings: dict[bytes, bytes] = {}

    def inspect(self, path: Path) -> Picture:
        key = _digest(path)
        if key not in self._inspected:
            self._inspected[key] = self._pillow.inspect(path)
        return self._inspected[key]

    def mark(self, path: Path, provenance: Provenance) -> None:
        key = _digest(path), provenance
        if key in self._marked:
            path.write_bytes(self._marked[key])
            return
        self._pillow.mark(path, provenance)
        self._marked[key] = path.read_bytes()

    def thumbnail(self, path: Path, provenance: Provenance) -> Thumbnail:
        key = _digest(path), provenance
        if key not in self._thumbnails:
            self._thumbnails[key] = self._pillow.thumbnail(path, provenance)
        return self._thumbnails[key]

    def rendering(self, path: Path) -> bytes:
        key = _digest(path)
        if key not in self._renderings:
            self._renderings[key] = self._pillow.rendering(path)
        return self._renderings[key]


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _go_on(_seconds: float) -> None:
    """Contention of one process does not pass by waiting: nobody else runs meanwhile."""
