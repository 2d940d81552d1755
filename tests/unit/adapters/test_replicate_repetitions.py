"""When the client asks again: reads and cancels only, later each time, and never without end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from revela.adapters.replicate.account import account
from revela.adapters.replicate.client import ATTEMPTS, ReplicateClient, Timeouts
from revela.adapters.replicate.predictions import Predictions
from revela.adapters.replicate.webhook_secret import webhook_secret
from revela.domain.errors import (
    OutOfCredit,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnauthorized,
    ProviderUnavailable,
)
from tests.unit.adapters.replicate_api import NOT_JSON, PREDICTION_ID, Replicate, prediction, said

Call = Callable[[ReplicateClient], Any]


@pytest.fixture
def replicate() -> Replicate:
    return Replicate()


def get(client: ReplicateClient) -> Any:
    return Predictions(client).get(PREDICTION_ID)


def cancel(client: ReplicateClient) -> Any:
    return Predictions(client).cancel(PREDICTION_ID)


@pytest.mark.parametrize("call", [get, cancel, account, webhook_secret])
@pytest.mark.parametrize(
    "failure",
    [
        said(408, {}),
        said(429, {}),
        *(said(status, NOT_JSON) for status in (500, 502, 503, 504, 522)),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed"),
        said(200, NOT_JSON),
    ],
)
def test_reads_and_cancels_are_repeated_until_they_work(
    replicate: Replicate, call: Call, failure: Any
) -> None:
    good = said(200, prediction() | {"key": "whsec_c2VjcmV0", "type": "user", "username": "acme"})

    assert call(replicate.client(failure, failure, good)) is not None
    assert len(replicate.requests) == 3


@pytest.mark.parametrize("call", [get, cancel, account, webhook_secret])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, ProviderUnauthorized),
        (402, OutOfCredit),
        (404, ProviderNotFound),
        (422, ProviderRejected),
    ],
)
def test_what_would_fail_the_same_way_again_is_not_repeated(
    replicate: Replicate, call: Call, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        call(replicate.client(said(status, {"detail": "no"})))

    assert len(replicate.requests) == 1


def test_repetitions_end(replicate: Replicate) -> None:
    with pytest.raises(ProviderUnavailable):
        get(replicate.client(said(503)))

    assert len(replicate.requests) == ATTEMPTS


def test_waits_double_and_are_jittered(replicate: Replicate) -> None:
    class Halves:
        def fraction(self) -> float:
            return 0.5

    with pytest.raises(ProviderUnavailable):
        get(replicate.client(said(503), entropy=Halves()))

    assert replicate.waits_s == [0.25, 0.5, 1.0]


@pytest.mark.parametrize(
    "throttled",
    [
        said(429, {}, retry_after="7"),
        said(429, {}, retry_after="Mon, 02 Mar 2026 12:00:07 GMT"),
        said(429, {"detail": "Request was throttled.", "retry_after": 7}),
        said(429, {"detail": "Request was throttled. Your rate limit resets in ~7s."}),
        said(429, {"detail": "Request was throttled. Expected available in 7 seconds."}),
        said(429, {"detail": "resets in ~99s", "retry_after": 98}, retry_after="7"),
        said(429, {"detail": "resets in ~7s", "retry_after": True}, retry_after="soon"),
    ],
)
def test_a_throttled_read_waits_as_long_as_it_was_told(replicate: Replicate, throttled: Any) -> None:
    get(replicate.client(throttled, said(200, prediction())))

    (wait_s,) = replicate.waits_s
    assert 7 < wait_s <= 7.5


def test_a_wait_beyond_the_whole_calls_time_is_left_to_the_caller(replicate: Replicate) -> None:
    with pytest.raises(ProviderThrottled) as raised:
        get(replicate.client(said(429, {"retry_after": 45})))

    assert raised.value.retry_after_s == 45
    assert (len(replicate.requests), replicate.clock.slept_until) == (1, [])


def test_repetitions_stop_when_the_whole_calls_time_is_over(replicate: Replicate) -> None:
    client = replicate.client(said(429, {"retry_after": 4}), timeouts=Timeouts(total_s=10))

    with pytest.raises(ProviderThrottled):
        get(client)

    assert len(replicate.requests) == 3
