"""A message that fails is delivered again, and its cause is in the log without what it quotes."""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import dataclass
from typing import Any

import pytest

from finish_generation import handler
from revela import bootstrap
from revela.settings import BadSettings


@dataclass(frozen=True)
class Context:
    function_name: str = "finish_generation"
    memory_limit_in_mb: int = 1769
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:finish_generation"
    aws_request_id: str = "5c6f0a3e-3b1e-4c4e-9f59-2f2f8ad0a002"

    def get_remaining_time_in_millis(self) -> int:
        return 120_000


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    written = io.StringIO()
    monkeypatch.setattr(handler.logger.registered_handler, "stream", written)
    return written


def deliver(body: dict[str, Any]) -> list[str]:
    """Return the ids of the messages to be delivered again."""
    record = {"messageId": "m-1", "body": json.dumps(body), "eventSource": "aws:sqs"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No application metrics to publish")
        answer = handler.handler({"Records": [record]}, Context())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def finish(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(bootstrap, "finish_generation", lambda: finish)


MESSAGE = {"user_id": "ana", "id": "gen_1", "attempt": 1, "prediction": {"id": "p1", "status": "failed"}}


def test_a_fault_is_told_by_kind_and_place_and_not_by_what_it_quotes(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    failing(monkeypatch, ValueError("PRIVATE-WORDS"))

    assert deliver(MESSAGE) == ["m-1"]
    (line,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["level"] == "ERROR"]
    assert (line["errors"], line["generation_id"], line["attempt"]) == (["builtins.ValueError"], "gen_1", 1)
    assert (line["message_id"], line["stack"][-1].rpartition(" ")[2]) == ("m-1", "finish")
    assert "PRIVATE" not in log.getvalue()


def test_a_fault_of_the_settings_is_told_in_full(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
    failing(monkeypatch, BadSettings("BUCKET is not set"))

    assert deliver(MESSAGE) == ["m-1"]
    assert "BadSettings: BUCKET is not set" in log.getvalue()


def test_an_unreadable_message_is_told_without_its_text(log: io.StringIO) -> None:
    assert deliver({"user_id": "ana@PRIVATE", "id": 1}) == ["m-1"]
    assert "ValidationError" in log.getvalue()
    assert "PRIVATE" not in log.getvalue()
