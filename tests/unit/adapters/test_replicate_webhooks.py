"""A webhook's body, reduced to what a worker decides from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revela.adapters.replicate.webhooks import URL_MAX_CHARS, reduced_prediction
from revela.domain.prediction import Prediction

QUEUE_MESSAGE_MAX_BYTES = 256 * 1024


def reduced(**fields: Any) -> dict[str, Any] | None:
    return reduced_prediction(json.dumps({"id": "abc123", "status": "processing"} | fields).encode())


def test_logs_and_input_stay_outside() -> None:
    assert reduced(logs="secret", input={"prompt": "secret"}, model="a/b", urls={}, webhook="secret") == {
        "id": "abc123",
        "status": "processing",
        "output": [],
        "error": None,
        "predict_time_s": None,
        "data_removed": False,
        "created_at": None,
        "started_at": None,
        "completed_at": None,
    }


def test_what_decides_is_kept() -> None:
    kept = reduced(
        status="succeeded",
        output="https://replicate.delivery/a.png",
        metrics={"predict_time": 2.5},
        created_at="2026-03-02T12:00:00.123456789Z",
        completed_at="2026-03-02T09:00:04-03:00",
        data_removed=True,
    )

    assert kept is not None
    assert kept["output"] == ["https://replicate.delivery/a.png"]
    assert kept["predict_time_s"] == 2.5
    assert kept["created_at"] == "2026-03-02T12:00:00.123456+00:00"
    assert kept["completed_at"] == "2026-03-02T12:00:04+00:00"
    assert kept["data_removed"] is True


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"not json",
        b'{"id": "abc123"}',
        b'{"status": "succeeded"}',
        b'{"id": "abc123", "status": "queued"}',
        b'{"id": "abc123", "status": null}',
        b'{"id": "abc123", "status": ["succeeded"]}',
        b'{"id": 7, "status": "succeeded"}',
        b'{"id": "", "status": "succeeded"}',
        b'{"id": "a/../b", "status": "succeeded"}',
        b'{"id": "abc123", "status": "succeeded"',
        b'{"id": "abc\xff", "status": "succeeded"}',
        b"[" * 100_000,
        b'{"id": ' + b"9" * 10_000 + b"}",
    ],
)
def test_what_is_no_prediction_is_none(body: bytes) -> None:
    assert reduced_prediction(body) is None


def test_the_longest_report_fits_into_a_message() -> None:
    astral = "\U0001f4f7"
    longest = reduced(
        error=astral * 100_000, output=[f"https://replicate.delivery/{'x' * 2_000}{n}" for n in range(100)]
    )

    assert longest is not None
    assert len(longest["output"]) == 8
    assert len(json.dumps(longest).encode()) < QUEUE_MESSAGE_MAX_BYTES / 4


def test_what_can_be_no_url_is_left_out() -> None:
    longest = "https://a.test/".ljust(URL_MAX_CHARS, "x")
    kept = reduced(output=[longest, longest + "x", "https://ü.test/", "https://a.test/1", None])

    assert kept is not None
    assert kept["output"] == [longest, "https://a.test/1"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"id": st.just("abc123"), "status": st.sampled_from(["starting", "succeeded", "aborted"])},
        optional=dict.fromkeys(
            ("output", "error", "metrics", "data_removed", "created_at", "completed_at"), json_values
        ),
    )
)
def test_whatever_the_fields_hold_the_consumer_can_read_the_report(fields: dict[str, Any]) -> None:
    report = reduced_prediction(json.dumps(fields).encode())

    assert Prediction.model_validate_json(json.dumps(report)).id == "abc123"
