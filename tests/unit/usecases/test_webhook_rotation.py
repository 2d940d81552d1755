"""Keys that change while webhooks keep coming: whoever proves themselves by a key in use is heard.

Doors are processes that keep what they read for a minute; a forger knocks at each of them all the time, so
that none may look for a new key just then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from revela.adapters.replicate.signature import signature
from revela.adapters.replicate.webhooks import reduced_prediction
from revela.adapters.secrets import WebhookSecret
from revela.adapters.webhook_proofs import WebhookProofs
from revela.adapters.webhook_urls import SignedWebhookUrls
from revela.domain.errors import ProviderTransient, Transient
from revela.ports import Ref
from revela.usecases.hear_webhook import DoorPorts, HearWebhook, Verdict, hear_webhook
from revela.usecases.reconcile_jobs import reconcile_jobs
from tests.fakes import FakePorts
from tests.fakes.clock import START, FakeClock
from tests.fakes.telemetry import FakeTelemetry
from tests.unit.adapters.secrets_manager import SecretsManager
from tests.unit.usecases.webhook_cases import BODY, GENERATION, OTHER_SECRET, USER, webhook

FIRST, SECOND, THIRD = "whsec_Zmlyc3Q=", "whsec_c2Vjb25k", "whsec_dGhpcmQ="
MESSAGE_ID, TIMESTAMP = "msg_1", str(int(START.timestamp()))
MINUTE_S, DAY_S = 60, 86_400
# The moments at which webhooks by every key in use are sent to every door.
SECONDS_OF_OUR_KEY = [*range(400), *range(DAY_S, DAY_S + 400)]
MINUTES_OF_REPLICATES = range(300)


@dataclass
class Door:
    """One process of the webhook's function."""

    secret: WebhookSecret
    telemetry: FakeTelemetry = field(default_factory=FakeTelemetry)

    def send(self, user_id: str, report: Mapping[str, Any]) -> None:
        pass

    def hears(self, *secrets: str, query: str) -> bool:
        """Tell whether a webhook is let in that carries a signature by each of the secrets."""
        made = (
            signature(secret, message_id=MESSAGE_ID, timestamp=TIMESTAMP, body=BODY) for secret in secrets
        )
        headers = {
            "webhook-id": MESSAGE_ID,
            "webhook-timestamp": TIMESTAMP,
            "webhook-signature": " ".join(f"v1,{one}" for one in made),
        }
        return self._hear(HearWebhook(headers, query, BODY)) is Verdict.HEARD

    def is_bothered(self) -> None:
        assert self._hear(webhook(secret=OTHER_SECRET)) is Verdict.UNPROVEN

    def _hear(self, request: HearWebhook) -> Verdict:
        ports = DoorPorts(
            proofs=WebhookProofs(self.secret),
            reports=self,
            reduced=reduced_prediction,
            clock=FakeClock(),
            telemetry=self.telemetry,
        )
        return hear_webhook(request, ports=ports)


class Installation:
    """Doors and workers over one secret; time is the processes' own."""

    def __init__(self, replicate: list[str], **url_keys: str) -> None:
        self.manager = SecretsManager(json.dumps({"replicate": replicate, **url_keys}))
        self.old_door = Door(self.process())
        self.old_worker = self.process()

    def process(self) -> WebhookSecret:
        return WebhookSecret(self.manager.secret())

    @property
    def stored(self) -> dict[str, Any]:
        stored: dict[str, Any] = json.loads(str(self.manager.text))
        return stored

    def put(self, **changed: str | None) -> None:
        """Store what an operator changes; None removes a key."""
        kept = {name: value for name, value in (self.stored | changed).items() if value is not None}
        self.manager.text = json.dumps(kept)

    def urls_made_now(self) -> set[str]:
        """Return the queries that a worker of long ago and a new one put into their webhook URLs."""
        return {query_by(worker) for worker in (self.old_worker, self.process())}

    def doors(self) -> list[Door]:
        return [self.old_door, Door(self.process())]


def query_by(worker: WebhookSecret) -> str:
    url = SignedWebhookUrls("https://api.revela.test", worker.url_token_key).for_job(Ref(USER, GENERATION), 2)
    assert url is not None
    return url.partition("?")[2]


# Our own key: signs the token in webhook URLs


def test_a_rotation_of_the_url_key_refuses_no_webhook_at_any_second() -> None:
    here = Installation([FIRST], url_token_key="one")
    steps: dict[int, dict[str, str | None]] = {
        100: {"url_token_key_previous": "two"},  # known to doors before anybody signs with it
        200: {"url_token_key": "two", "url_token_key_previous": "one"},
        DAY_S + 300: {"url_token_key_previous": None},
    }
    in_flight: dict[str, int] = {}
    heard = set()
    for second in SECONDS_OF_OUR_KEY:
        here.manager.seconds = 1_000.0 + second
        here.put(**steps.get(second, {}))
        for door in here.doors():
            door.is_bothered()
        for query in here.urls_made_now():
            in_flight[query] = second
        for query, made_at in in_flight.items():
            # A prediction of ours lives for minutes; a day is what operators are told to wait.
            if second - made_at < DAY_S:
                assert all(door.hears(FIRST, query=query) for door in here.doors()), second
                heard.add(query)

    assert len(heard) == 2
    old, new = sorted(in_flight, key=lambda query: in_flight[query])
    assert not any(door.hears(FIRST, query=old) for door in here.doors())
    assert all(door.hears(FIRST, query=new) for door in here.doors())


def test_a_key_in_use_is_heard_at_once_when_nobody_bothers_the_doors() -> None:
    here = Installation([FIRST], url_token_key="one")
    (old,) = here.urls_made_now()
    assert here.old_door.hears(FIRST, query=old)

    here.put(url_token_key="two", url_token_key_previous="one")

    (new,) = {query_by(here.process())}
    assert new != old
    assert all(door.hears(FIRST, query=query) for door in here.doors() for query in (old, new))


def test_after_the_next_rotation_the_first_key_opens_no_door() -> None:
    here = Installation([FIRST], url_token_key="two", url_token_key_previous="one")
    first = query_by(WebhookSecret(SecretsManager(json.dumps({"url_token_key": "one"})).secret()))
    assert here.old_door.hears(FIRST, query=first)

    here.put(url_token_key="three", url_token_key_previous="two")
    here.manager.seconds += MINUTE_S

    assert not any(door.hears(FIRST, query=first) for door in here.doors())


# Replicate's secret: signs the webhooks; reconcile_jobs keeps it


@dataclass
class Kept:
    """What `reconcile_jobs` does about the secret each minute, against the installation's real secret."""

    here: Installation
    ports: FakePorts = field(default_factory=FakePorts)

    def __post_init__(self) -> None:
        self.ports.webhook_secrets = self.here.process()  # type: ignore[assignment]  # the real one, for once

    def minute(self) -> None:
        now = self.ports.clock.now()
        reconcile_jobs(ports=self.ports, until=now + timedelta(seconds=55))
        self.ports.clock.advance(timedelta(minutes=1))
        self.here.manager.seconds += MINUTE_S

    def hour(self) -> None:
        for _ in range(60):
            self.minute()


def test_a_rotation_of_replicates_secret_refuses_no_webhook_at_any_minute() -> None:
    """While Replicate changes its secret it signs with both, as Standard Webhooks has it."""
    here = Installation([FIRST], url_token_key="one")
    kept, (query,) = Kept(here), here.urls_made_now()
    kept.ports.provider.secret = FIRST
    signed_by: dict[int, list[tuple[str, ...]]] = {
        0: [(FIRST,)],
        90: [(FIRST,), (FIRST, SECOND), (SECOND, FIRST)],
        # An hour after the change everybody knows the second one; late repetitions bear the first alone.
        151: [(FIRST,), (SECOND,), (FIRST, SECOND)],
        200: [(SECOND,)],
    }
    for minute in MINUTES_OF_REPLICATES:
        if minute == 90:
            kept.ports.provider.secret = SECOND
        kept.minute()
        for door in here.doors():
            door.is_bothered()
            for secrets in signed_by[max(start for start in signed_by if start <= minute)]:
                assert door.hears(*secrets, query=query), (minute, secrets)

    assert here.stored["replicate"] == [SECOND, FIRST]


def test_after_the_next_rotation_replicates_first_secret_opens_no_door() -> None:
    here = Installation([SECOND, FIRST], url_token_key="one")
    kept, (query,) = Kept(here), here.urls_made_now()
    assert here.old_door.hears(FIRST, query=query)
    kept.ports.provider.secret = THIRD

    kept.hour()

    assert here.stored["replicate"] == [THIRD, SECOND]
    for door in here.doors():
        assert not door.hears(FIRST, query=query)
        assert door.hears(SECOND, query=query)
        assert door.hears(THIRD, query=query)


def test_a_new_installation_learns_the_secret_with_its_first_run() -> None:
    here = Installation([], url_token_key="one")
    kept, (query,) = Kept(here), here.urls_made_now()
    kept.ports.clock.advance(timedelta(minutes=17))
    kept.ports.provider.secret = FIRST
    assert not here.old_door.hears(FIRST, query=query)

    kept.minute()

    assert all(door.hears(FIRST, query=query) for door in here.doors())
    assert kept.ports.telemetry.events("info") == ["webhook_secret_stored"]


def test_a_secret_that_is_known_is_asked_for_once_an_hour_and_written_once() -> None:
    here = Installation([FIRST], url_token_key="one")
    kept = Kept(here)
    kept.ports.provider.secret = FIRST

    for _ in range(3):
        kept.hour()

    assert kept.ports.calls.names.count("FakeProvider.webhook_secret") == 3
    assert here.manager.writes == 0


def test_both_keys_survive_each_others_rotation() -> None:
    here = Installation([FIRST], url_token_key="two", url_token_key_previous="one")
    kept = Kept(here)
    kept.ports.provider.secret = SECOND

    kept.hour()

    assert here.stored == {
        "replicate": [SECOND, FIRST],
        "url_token_key": "two",
        "url_token_key_previous": "one",
    }


@pytest.mark.parametrize("error", [ProviderTransient("502"), Transient("the secret is away")])
def test_a_secret_that_cannot_be_kept_now_is_kept_an_hour_later(error: Exception) -> None:
    here = Installation([FIRST], url_token_key="one")
    kept = Kept(here)
    kept.ports.provider.secret = SECOND
    if isinstance(error, ProviderTransient):
        kept.ports.provider.failures.append(error)
    else:
        here.manager.read_only = True

    kept.hour()
    assert here.stored["replicate"] == [FIRST]
    here.manager.read_only = False
    kept.hour()

    assert here.stored["replicate"] == [SECOND, FIRST]
