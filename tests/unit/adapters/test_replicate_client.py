"""How the client asks Replicate: what it sends, what it repeats, what it never does."""

from __future__ import annotations

import gzip
import logging
from typing import Any

import httpx
import pytest

from revela import __version__
from revela.adapters.replicate.account import account
from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.predictions import Predictions
from revela.adapters.replicate.webhook_secret import webhook_secret
from revela.domain.errors import (
    OutOfCredit,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnauthorized,
    ProviderUnavailable,
)
from tests.unit.adapters.replicate_api import (
    BASE_URL,
    NOT_JSON,
    PREDICTION_ID,
    TOKEN,
    Replicate,
    prediction,
    said,
)

CREATED = said(201, prediction())


@pytest.fixture
def replicate() -> Replicate:
    return Replicate()


def create(client: ReplicateClient, **changed: Any) -> Any:
    given: dict[str, Any] = {
        "version": "black-forest-labs/flux-dev",
        "model_input": {"prompt": "a lighthouse", "seed": 7},
        "webhook_url": "https://api.revela.test/api/webhooks/generation?token=t0ken",
        "cancel_after_s": 300,
    }
    return Predictions(client).create(**given | changed)


def get(client: ReplicateClient) -> Any:
    return Predictions(client).get(PREDICTION_ID)


def cancel(client: ReplicateClient) -> Any:
    return Predictions(client).cancel(PREDICTION_ID)


def test_a_create_says_all_that_replicate_needs_and_no_more(replicate: Replicate) -> None:
    create(replicate.client(CREATED))

    (request,) = replicate.requests
    assert (request.method, str(request.url)) == ("POST", f"{BASE_URL}/predictions")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["user-agent"] == f"revela/{__version__}"
    assert request.headers["cancel-after"] == "300s"
    assert "prefer" not in request.headers
    assert replicate.bodies == [
        {
            "version": "black-forest-labs/flux-dev",
            "input": {"prompt": "a lighthouse", "seed": 7},
            "webhook": "https://api.revela.test/api/webhooks/generation?token=t0ken",
            "webhook_events_filter": ["start", "completed"],
        }
    ]


def test_without_a_webhook_the_create_does_not_mention_webhooks(replicate: Replicate) -> None:
    create(replicate.client(CREATED), webhook_url=None)

    assert replicate.bodies[0].keys() == {"version", "input"}


def test_a_deadline_is_never_shorter_than_replicate_takes(replicate: Replicate) -> None:
    create(replicate.client(CREATED), cancel_after_s=1)

    assert replicate.requests[0].headers["cancel-after"] == "5s"


FAILURES: list[Any] = [
    *(said(status, {"detail": "no"}) for status in (302, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429)),
    *(said(status, NOT_JSON) for status in (500, 502, 503, 504, 520, 524)),
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.PoolTimeout("full"),
    httpx.ReadTimeout("slow"),
    httpx.WriteTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.RemoteProtocolError("closed"),
    said(201, NOT_JSON),
    said(201, {"status": "starting"}),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_create_is_sent_once_whatever_happens(replicate: Replicate, failure: Any) -> None:
    with pytest.raises((ProviderTransient, ProviderRejected, ProviderNotFound)):
        create(replicate.client(failure))

    assert len(replicate.requests) == 1
    assert replicate.clock.slept_until == []


# That 500 and 503 left nothing behind is what users of the API report of every case they saw.
SURELY_NOT_CREATED: list[tuple[Any, type[Exception]]] = [
    (
        said(401, {"title": "Unauthenticated", "detail": "no valid token"}),
        ProviderUnauthorized,
    ),
    (said(403, NOT_JSON), ProviderUnauthorized),
    (said(402, {"title": "Insufficient credit", "detail": "You have insufficient credit"}), OutOfCredit),
    (said(404, {"detail": "The requested resource could not be found."}), ProviderNotFound),
    (said(400, {"detail": "bad"}), ProviderRejected),
    (said(409, {"detail": "bad"}), ProviderRejected),
    (said(413, {"detail": "Files must be less than 100MB in size"}), ProviderRejected),
    (said(422, {"title": "Invalid version or not permitted", "status": 422}), ProviderRejected),
    (said(429, {"detail": "Request was throttled."}), ProviderThrottled),
    (said(301, b"", location="https://elsewhere.test/v1/predictions"), ProviderUnavailable),
    (said(500, NOT_JSON), ProviderUnavailable),
    (said(503, {"detail": "Service unavailable"}), ProviderUnavailable),
    (httpx.ConnectError("refused"), ProviderUnavailable),
    (httpx.ConnectTimeout("no answer to SYN"), ProviderUnavailable),
    (httpx.PoolTimeout("no connection free"), ProviderUnavailable),
]


@pytest.mark.parametrize(("failure", "error"), SURELY_NOT_CREATED)
def test_a_create_that_surely_made_nothing_says_so(
    replicate: Replicate, failure: Any, error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        create(replicate.client(failure))

    assert type(raised.value) is error


@pytest.mark.parametrize(
    "failure",
    [
        said(408, {}),
        said(502, NOT_JSON),
        said(504, NOT_JSON),
        said(520, NOT_JSON),
        httpx.ReadTimeout("nothing came"),
        httpx.WriteTimeout("stuck"),
        httpx.ReadError("connection reset by peer"),
        httpx.WriteError("broken pipe"),
        httpx.RemoteProtocolError("server disconnected without sending a response"),
        said(201, NOT_JSON),
        said(201, b""),
        said(201, []),
        said(201, {"status": "starting"}),
        said(201, b"not gzip", content_encoding="gzip"),
    ],
)
def test_a_create_that_nobody_knows_the_fate_of_is_transient_and_nothing_more(
    replicate: Replicate, failure: Any
) -> None:
    with pytest.raises(ProviderTransient) as raised:
        create(replicate.client(failure))

    assert type(raised.value) is ProviderTransient


@pytest.mark.parametrize(
    ("answer", "expected_s"),
    [
        (said(429, {"retry_after": 9}), 9.0),
        (said(429, {"retry_after": "9.5"}), 9.5),
        (said(429, {}, retry_after="-3"), 0.0),
        (said(429, {}, retry_after="Mon, 02 Mar 2026 11:00:00 GMT"), 0.0),
        (said(429, {}, retry_after="999999999"), 3600.0),
        (said(429, {}, retry_after="nan"), None),
        (said(429, {"retry_after": 10**400}), None),
        (said(429, {"retry_after": [9]}), None),
        (said(429, ["odd"]), None),
        (said(429, NOT_JSON), None),
    ],
)
def test_a_throttled_create_says_when_to_come_back(
    replicate: Replicate, answer: Any, expected_s: float | None
) -> None:
    with pytest.raises(ProviderThrottled) as raised:
        create(replicate.client(answer))

    assert raised.value.retry_after_s == expected_s


def test_what_replicate_does_not_take_is_named_by_field(replicate: Replicate) -> None:
    fields = [
        {"type": "required", "field": "input", "description": "prompt is required"},
        {"type": "number_lte", "field": "input.num_inference_steps", "description": "Must be <= 4"},
        "odd",
        {"field": 7},
    ]
    answer = said(422, {"title": "Input validation failed", "detail": "- input: x", "invalid_fields": fields})

    with pytest.raises(ProviderRejected, match="422 - input: x") as raised:
        create(replicate.client(answer))

    assert raised.value.invalid_fields == ("input", "input.num_inference_steps")


def test_a_redirect_is_not_followed(replicate: Replicate) -> None:
    with pytest.raises(ProviderUnavailable):
        create(replicate.client(said(307, b"", location="https://elsewhere.test/")))

    assert [request.url.host for request in replicate.requests] == ["api.replicate.com"]


@pytest.mark.parametrize("fields", [None, "prompt", {}, []])
def test_a_rejection_may_name_no_field(replicate: Replicate, fields: Any) -> None:
    with pytest.raises(ProviderRejected) as raised:
        create(replicate.client(said(422, {"detail": "no", "invalid_fields": fields})))

    assert raised.value.invalid_fields == ()


@pytest.mark.parametrize("odd", ["", "..", "../account", "a/b", "a?b", "a#b", "a%2fb", " ", "ü", "x" * 200])
def test_an_id_cannot_change_what_is_asked(replicate: Replicate, odd: str) -> None:
    with pytest.raises(ProviderNotFound):
        Predictions(replicate.client(CREATED)).cancel(odd)

    assert replicate.requests == []


def test_an_endless_answer_is_given_up(replicate: Replicate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revela.adapters.replicate.client.ANSWER_MAX_BYTES", 1_000)
    bomb = said(200, gzip.compress(b" " * 1_000_000), content_encoding="gzip")

    with pytest.raises(ProviderTransient, match="ReadError"):
        get(replicate.client(bomb))


def test_the_token_is_asked_for_each_time(replicate: Replicate) -> None:
    tokens = iter(["r8_old", "r8_new"])

    get(replicate.client(said(503), said(200, prediction()), token=lambda: next(tokens)))

    assert [r.headers["authorization"] for r in replicate.requests] == ["Bearer r8_old", "Bearer r8_new"]


def test_without_a_token_nothing_is_sent(replicate: Replicate) -> None:
    def none() -> str:
        raise ProviderUnauthorized("no token yet")

    with pytest.raises(ProviderUnauthorized):
        create(replicate.client(CREATED, token=none))

    assert replicate.requests == []


def test_telemetry_tells_each_request_and_its_outcome_by_template(replicate: Replicate) -> None:
    ticks = iter([100.0, 100.0, 100.25, 200.0, 200.0, 200.5])

    cancel(replicate.client(httpx.ReadError("reset"), said(200, prediction()), monotonic=lambda: next(ticks)))

    path = "/predictions/{prediction_id}/cancel"
    assert [(line.level, line.event, line.fields) for line in replicate.telemetry.lines] == [
        ("debug", "replicate_request", {"method": "POST", "path": path}),
        (
            "debug",
            "replicate_response",
            {"method": "POST", "path": path, "error": "ReadError", "status": None, "ms": 250},
        ),
        ("debug", "replicate_request", {"method": "POST", "path": path}),
        ("debug", "replicate_response", {"method": "POST", "path": path, "status": 200, "ms": 500}),
    ]


def test_nothing_of_a_person_or_a_secret_is_told(
    replicate: Replicate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    create(replicate.client(CREATED))
    with pytest.raises(ProviderTransient) as raised:
        create(replicate.client(said(201, {"status": {"prompt": "a lighthouse"}})))

    told = f"{replicate.telemetry.lines} {caplog.text} {raised.value!r} {raised.value.__cause__}"
    for secret in (TOKEN, "lighthouse", "t0ken", PREDICTION_ID):
        assert secret not in told


def test_the_webhook_secret_is_the_key(replicate: Replicate) -> None:
    assert webhook_secret(replicate.client(said(200, {"key": "whsec_c2VjcmV0"}))) == "whsec_c2VjcmV0"
    assert replicate.requests[0].url.path == "/v1/webhooks/default/secret"


def test_the_account_is_whose_the_token_is(replicate: Replicate) -> None:
    answer = said(200, {"type": "organization", "username": "acme", "avatar_url": None})

    assert account(replicate.client(answer)).username == "acme"
