from __future__ import annotations

import base64

import pytest

from local.provider import Provider


def test_nothing_said_means_the_stand_in() -> None:
    assert Provider.of_environment({}) is None


def test_a_token_alone_means_the_real_replicate_by_polling() -> None:
    provider = Provider.of_environment({"REPLICATE_API_TOKEN": "r8_x"})
    assert provider is not None
    assert provider.api_url == "https://api.replicate.com/v1"
    assert provider.output_origins == "https://replicate.delivery"
    assert provider.webhook_url == "none"
    assert not provider.is_stand_in


def test_a_public_url_turns_webhooks_on() -> None:
    environ = {"REPLICATE_API_TOKEN": "r8_x", "REPLICATE_WEBHOOK_URL": "https://tunnel.example"}
    provider = Provider.of_environment(environ)
    assert provider is not None
    assert provider.webhook_url == "https://tunnel.example"


def test_any_server_that_speaks_the_api_can_be_named() -> None:
    environ = {
        "REPLICATE_API_BASE_URL": "http://127.0.0.1:9/v1",
        "REPLICATE_OUTPUT_ORIGINS": "http://127.0.0.1:9",
    }
    provider = Provider.of_environment(environ)
    assert provider is not None
    assert (provider.api_url, provider.output_origins) == ("http://127.0.0.1:9/v1", "http://127.0.0.1:9")
    assert provider.token not in ("", "unset")  # which the functions take for no token at all


def test_the_stand_in_calls_the_stacks_own_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPLICATE_WEBHOOK_URL", raising=False)
    provider = Provider.stand_in(4000)
    assert provider.api_url == "http://127.0.0.1:4000/v1"
    assert provider.webhook_url == ""
    assert provider.webhook_secret is not None
    assert len(base64.b64decode(provider.webhook_secret.removeprefix("whsec_"))) == 24


def test_two_stand_ins_share_no_secret() -> None:
    one, other = Provider.stand_in(4000), Provider.stand_in(4000)
    assert one.token != other.token
    assert one.webhook_secret != other.webhook_secret
