"""Secrets: read seldom, taken up soon when they change, and clear about what is wrong with them."""

from __future__ import annotations

import json

import boto3
import pytest
from moto import mock_aws

from revela.adapters.secrets import CachedSecret, ReplicateToken, WebhookKeys, WebhookSecret
from revela.domain.errors import ProviderUnauthorized, ProviderUnavailable, Transient
from tests.unit.adapters.secrets_manager import SecretsManager

OLDEST, OLD, NEW = "whsec_b2xkZXN0", "whsec_b2xk", "whsec_bmV3"


def test_a_secret_is_read_once_a_minute() -> None:
    manager = SecretsManager("one")
    secret = manager.secret()

    assert [secret.read() for _ in range(3)] == ["one"] * 3
    manager.text = "two"
    manager.seconds += 59.9
    assert secret.read() == "one"
    manager.seconds += 0.1
    assert secret.read() == "two"
    assert manager.reads == 2


def test_a_refresh_reads_at_once_but_only_once_a_minute() -> None:
    manager = SecretsManager("one")
    secret = manager.secret()
    secret.read()

    manager.text = "two"
    assert secret.refresh() == "two"
    manager.text = "three"
    manager.seconds += 30
    assert [secret.refresh() for _ in range(100)] == ["two"] * 100
    assert manager.reads == 2
    manager.seconds += 30
    assert secret.refresh() == "three"


def test_what_is_known_is_kept_while_secrets_manager_does_not_answer() -> None:
    manager = SecretsManager("one")
    secret = manager.secret()
    secret.read()
    manager.out_of_order = True
    manager.seconds += 60

    assert [secret.read(), secret.refresh(), secret.read()] == ["one"] * 3
    assert manager.reads == 3
    manager.out_of_order = False
    manager.text = "two"
    manager.seconds += 60
    assert secret.read() == "two"


@pytest.mark.parametrize("text", ["one", None])
def test_what_was_never_read_is_an_error_that_may_pass(text: str | None) -> None:
    manager = SecretsManager(text)
    manager.out_of_order = text is not None

    with pytest.raises(Transient):
        manager.secret().read()
    manager.out_of_order, manager.text = False, "one"
    assert manager.secret().read() == "one"


# The API token


@pytest.mark.parametrize("stored", ["r8_abc123", " r8_abc123\n"])
def test_the_token_is_the_whole_secret(stored: str) -> None:
    assert ReplicateToken(SecretsManager(stored).secret())() == "r8_abc123"


@pytest.mark.parametrize("stored", ["unset", "", " ", "\n", "r8_a\r\nX-Evil: 1", "r8_a b", "r8_ü", "r8_\x00"])
def test_what_is_no_token_is_never_sent(stored: str) -> None:
    with pytest.raises(ProviderUnauthorized) as raised:
        ReplicateToken(SecretsManager(stored).secret())()

    assert "r8_" not in str(raised.value)


def test_a_token_that_cannot_be_read_means_that_nothing_was_sent() -> None:
    manager = SecretsManager("r8_abc123")
    manager.out_of_order = True

    with pytest.raises(ProviderUnavailable):
        ReplicateToken(manager.secret())()


def test_a_token_stored_later_is_taken_up_within_a_minute() -> None:
    manager = SecretsManager("unset")
    token = ReplicateToken(manager.secret())
    with pytest.raises(ProviderUnauthorized):
        token()
    manager.text = "r8_abc123"
    manager.seconds += 60

    assert token() == "r8_abc123"


# The webhook secret


def webhook_secret(**stored: object) -> tuple[SecretsManager, WebhookSecret]:
    manager = SecretsManager(json.dumps(stored))
    return manager, WebhookSecret(manager.secret())


def test_the_keys_are_newest_first() -> None:
    _, secret = webhook_secret(replicate=[NEW, OLD], url_token_key="k2", url_token_key_previous="k1")

    assert secret.keys() == WebhookKeys(replicate=(NEW, OLD), url_token=("k2", "k1"))
    assert secret.url_token_key() == "k2"


def test_a_new_stack_has_a_key_for_urls_and_no_secret_of_replicates() -> None:
    _, secret = webhook_secret(replicate=[], url_token_key="k1")

    assert secret.keys() == WebhookKeys(replicate=(), url_token=("k1",))
    assert not secret.knows_replicate_secret()


@pytest.mark.parametrize("replicate", [None, "whsec_x", {"a": 1}, [None, 7, "", []]])
def test_what_is_no_list_of_secrets_holds_none(replicate: object) -> None:
    _, secret = webhook_secret(replicate=replicate, url_token_key=7)

    assert secret.keys() == WebhookKeys(replicate=(), url_token=())
    with pytest.raises(Transient, match="url_token_key"):
        secret.url_token_key()


@pytest.mark.parametrize("text", ["", "unset", "[]", "null"])
def test_a_broken_secret_is_loud(text: str) -> None:
    with pytest.raises(Transient, match="not"):
        WebhookSecret(SecretsManager(text).secret()).keys()


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        ([], [NEW]),
        ([OLD], [NEW, OLD]),
        ([OLD, OLDEST], [NEW, OLD]),
        ([OLD, NEW], [NEW, OLD]),
    ],
)
def test_a_new_secret_is_remembered_beside_the_one_before(known: list[str], kept: list[str]) -> None:
    manager, secret = webhook_secret(replicate=known, url_token_key="k2", url_token_key_previous="k1")

    assert secret.remember_replicate_secret(NEW)

    assert json.loads(manager.text or "") == {
        "replicate": kept,
        "url_token_key": "k2",
        "url_token_key_previous": "k1",
    }
    assert secret.keys().replicate == tuple(kept)
    assert secret.knows_replicate_secret()


def test_a_secret_that_is_known_is_not_written_again() -> None:
    manager, secret = webhook_secret(replicate=[NEW, OLD], url_token_key="k1")

    assert not secret.remember_replicate_secret(NEW)
    assert manager.writes == 0


def test_remembering_goes_by_what_is_stored_not_by_what_was_read_before() -> None:
    manager, secret = webhook_secret(replicate=[], url_token_key="k1")
    secret.keys()
    manager.text = json.dumps({"replicate": [], "url_token_key": "k2"})

    secret.remember_replicate_secret(NEW)

    assert json.loads(manager.text)["url_token_key"] == "k2"


def test_a_secret_that_cannot_be_written_is_an_error_that_may_pass() -> None:
    manager, secret = webhook_secret(replicate=[], url_token_key="k1")
    manager.read_only = True

    with pytest.raises(Transient, match="written"):
        secret.remember_replicate_secret(NEW)


@mock_aws
def test_it_speaks_with_secrets_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    client = boto3.client("secretsmanager", region_name="us-east-1")
    secret_id = client.create_secret(
        Name="webhooks", SecretString=json.dumps({"replicate": [], "url_token_key": "k1"})
    )["ARN"]

    assert WebhookSecret(CachedSecret(client, secret_id)).remember_replicate_secret(NEW)
    assert WebhookSecret(CachedSecret(client, secret_id)).keys() == WebhookKeys((NEW,), ("k1",))
    with pytest.raises(Transient):
        CachedSecret(client, "nobody").read()
