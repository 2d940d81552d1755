"""What the client makes of Replicate's predictions, however they are written, and of lists of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from revela.adapters.replicate.lenient import error_text
from revela.adapters.replicate.pages import PAGES_MAX
from revela.adapters.replicate.provider import ReplicateProvider
from revela.domain.errors import ProviderNotFound, ProviderRejected, ProviderTransient
from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import CreatePrediction
from tests.unit.adapters.replicate_api import (
    BASE_URL,
    NOT_JSON,
    PREDICTION_ID,
    Answer,
    Replicate,
    prediction,
    said,
)

SINCE = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def replicate() -> Replicate:
    return Replicate()


def provider(replicate: Replicate, *answers: Answer) -> ReplicateProvider:
    return ReplicateProvider(replicate.client(*answers))


def read(replicate: Replicate, **fields: Any) -> Prediction:
    return provider(replicate, said(200, prediction(**fields))).get_prediction(PREDICTION_ID)


def test_a_prediction_is_read_whole(replicate: Replicate) -> None:
    found = read(
        replicate,
        status="succeeded",
        model="stability-ai/sdxl",
        version="39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b",
        input={"prompt": "a lighthouse"},
        output=["https://replicate.delivery/a/out-0.png", "https://replicate.delivery/a/out-1.png"],
        error=None,
        logs="",
        data_removed=False,
        metrics={"predict_time": 3.25, "total_time": 4.5, "image_count": 2},
        created_at="2026-03-02T12:00:00.123Z",
        started_at="2026-03-02T12:00:01.123456Z",
        completed_at="2026-03-02T12:00:04.123456789Z",
        urls={"get": "https://api.replicate.com/v1/predictions/x"},
        source="api",
    )

    assert found == Prediction(
        id=PREDICTION_ID,
        status=PredictionStatus.SUCCEEDED,
        output=("https://replicate.delivery/a/out-0.png", "https://replicate.delivery/a/out-1.png"),
        predict_time_s=3.25,
        created_at=datetime(2026, 3, 2, 12, 0, 0, 123000, tzinfo=UTC),
        started_at=datetime(2026, 3, 2, 12, 0, 1, 123456, tzinfo=UTC),
        completed_at=datetime(2026, 3, 2, 12, 0, 4, 123456, tzinfo=UTC),
        input={"prompt": "a lighthouse"},
        version="39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b",
    )


def test_only_id_and_status_must_be_there(replicate: Replicate) -> None:
    assert read(replicate) == Prediction(id=PREDICTION_ID, status=PredictionStatus.STARTING)


ODD_FIELDS: list[tuple[str, Any, str, Any]] = [
    ("error", None, "error", None),
    ("error", "", "error", None),
    ("error", "E1001: out of memory", "error", "E1001: out of memory"),
    ("error", {"detail": "käse"}, "error", '{"detail": "käse"}'),
    ("error", ["a", 1], "error", '["a", 1]'),
    ("error", 500, "error", "500"),
    ("error", False, "error", "false"),
    ("error", "x" * 5_000, "error", "x" * 2_000),
    ("error", "half \ud83d of a pair", "error", "half ? of a pair"),
    ("output", None, "output", ()),
    ("output", "https://replicate.delivery/a.png", "output", ("https://replicate.delivery/a.png",)),
    ("output", ["a", None, 1, {"b": 2}, "c"], "output", ("a", "c")),
    ("output", {"image": "a"}, "output", ()),
    ("metrics", None, "predict_time_s", None),
    ("metrics", [], "predict_time_s", None),
    ("metrics", {}, "predict_time_s", None),
    ("metrics", {"predict_time": 4}, "predict_time_s", 4.0),
    ("metrics", {"predict_time": 0}, "predict_time_s", 0.0),
    ("metrics", {"predict_time": "4"}, "predict_time_s", None),
    ("metrics", {"predict_time": True}, "predict_time_s", None),
    ("metrics", {"predict_time": -1}, "predict_time_s", None),
    ("metrics", {"predict_time": 10**400}, "predict_time_s", None),
    ("data_removed", True, "data_removed", True),
    ("data_removed", None, "data_removed", False),
    ("data_removed", "yes", "data_removed", False),
    ("input", None, "input", None),
    ("input", [], "input", None),
    ("version", None, "version", None),
    ("version", 7, "version", None),
    ("version", "hidden", "version", "hidden"),
    ("created_at", None, "created_at", None),
    ("created_at", "", "created_at", None),
    ("created_at", "yesterday", "created_at", None),
    ("created_at", 1_772_452_800, "created_at", None),
    ("created_at", "0001-01-01T00:00:00+23:59", "created_at", None),
    ("created_at", "2026-03-02T12:00:00Z", "created_at", SINCE),
    ("created_at", "2026-03-02T12:00:00", "created_at", SINCE),
    ("created_at", "2026-03-02T09:00:00-03:00", "created_at", SINCE),
    ("created_at", "2026-03-02T12:00:00.000000000Z", "created_at", SINCE),
    ("status", "queued", "status", PredictionStatus.PROCESSING),
    ("status", "aborted", "status", PredictionStatus.ABORTED),
]


@pytest.mark.parametrize(("field", "value", "attribute", "expected"), ODD_FIELDS)
def test_odd_fields_are_read_for_what_they_can_mean(
    replicate: Replicate, field: str, value: Any, attribute: str, expected: Any
) -> None:
    assert getattr(read(replicate, **{field: value}), attribute) == expected


def test_an_error_too_deep_to_be_written_down_is_still_an_error() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert error_text(deep) == "unreadable"


@pytest.mark.parametrize(
    "unreadable", [None, [], "text", {}, {"id": PREDICTION_ID}, {"id": "", "status": "x"}]
)
def test_what_is_no_prediction_is_asked_for_again_and_then_given_up(
    replicate: Replicate, unreadable: Any
) -> None:
    with pytest.raises(ProviderTransient, match="no PredictionBody"):
        provider(replicate, said(200, unreadable)).get_prediction(PREDICTION_ID)


@pytest.mark.parametrize("status", [400, 409, 422])
def test_canceling_what_has_ended_tells_how_it_ended(replicate: Replicate, status: int) -> None:
    ended = said(200, prediction(status="succeeded"))

    found = provider(replicate, said(status, {"detail": "ended"}), ended).cancel_prediction(PREDICTION_ID)

    assert found.status is PredictionStatus.SUCCEEDED
    assert [(r.method, r.url.path) for r in replicate.requests] == [
        ("POST", f"/v1/predictions/{PREDICTION_ID}/cancel"),
        ("GET", f"/v1/predictions/{PREDICTION_ID}"),
    ]


def test_canceling_what_is_unknown_says_so(replicate: Replicate) -> None:
    with pytest.raises(ProviderNotFound):
        provider(replicate, said(404, {"detail": "gone"})).cancel_prediction(PREDICTION_ID)


# Held answers


def create(replicate: Replicate, answer: Answer, **changed: Any) -> Prediction:
    given: dict[str, Any] = {"version": "a/b", "input": {}, "webhook_url": None, "cancel_after_s": 60}
    return provider(replicate, answer).create_prediction(CreatePrediction(**given | changed))


@pytest.mark.parametrize(("wait_s", "prefer"), [(0, None), (1, "wait=1"), (10, "wait=10"), (61, "wait=60")])
def test_an_answer_is_held_as_long_as_is_asked_for(
    replicate: Replicate, wait_s: int, prefer: str | None
) -> None:
    create(replicate, said(201, prediction()), wait_s=wait_s)

    assert replicate.requests[0].headers.get("prefer") == prefer


def test_by_itself_no_answer_is_held(replicate: Replicate) -> None:
    create(replicate, said(201, prediction()))

    assert "prefer" not in replicate.requests[0].headers


@pytest.mark.parametrize("output", ["normal", ["nor", "mal"]])
def test_a_held_answer_may_bear_an_output_while_it_says_that_it_runs(
    replicate: Replicate, output: str | list[str]
) -> None:
    created = create(replicate, said(201, prediction(status="processing", output=output)), wait_s=10)

    assert created.status is PredictionStatus.PROCESSING
    assert "".join(created.output) == "normal"


def test_an_answer_that_was_held_in_vain_has_no_output(replicate: Replicate) -> None:
    created = create(replicate, said(202, prediction()), wait_s=10)

    assert (created.status, created.output) == (PredictionStatus.STARTING, ())


# Lists


def row(name: str, *, age_s: float = 0, **fields: Any) -> dict[str, Any]:
    created_at = (SINCE + timedelta(minutes=5) - timedelta(seconds=age_s)).isoformat()
    return prediction(id=name, created_at=created_at, **fields)


def page(*rows: Any, following: str | None = None) -> Answer:
    return said(200, {"previous": None, "next": following, "results": list(rows)})


def listed(replicate: Replicate, *pages: Answer) -> list[list[str]]:
    listing = provider(replicate, *pages).list_predictions(created_after=SINCE)
    return [[found.id for found in found_page] for found_page in listing]


NEXT = f"{BASE_URL}/predictions?cursor=cD0yMDI2&created_after=x"


def test_pages_are_followed_verbatim_to_the_last(replicate: Replicate) -> None:
    assert listed(replicate, page(row("a"), row("b"), following=NEXT), page(row("c"))) == [["a", "b"], ["c"]]
    first, second = replicate.requests
    assert dict(first.url.params) == {"created_after": "2026-03-02T12:00:00Z"}
    assert str(second.url) == NEXT
    assert "authorization" in second.headers


def test_the_time_asked_for_is_in_utc(replicate: Replicate) -> None:
    local = datetime(2026, 3, 2, 9, 0, 0, 250, tzinfo=timezone(timedelta(hours=-3)))

    list(provider(replicate, page()).list_predictions(created_after=local))

    assert replicate.requests[0].url.params["created_after"] == "2026-03-02T12:00:00.000250Z"


def test_a_list_ends_at_the_first_that_is_too_old(replicate: Replicate) -> None:
    old = row("old", age_s=301)

    assert listed(replicate, page(row("a"), old, row("older", age_s=400), following=NEXT)) == [["a"]]
    assert len(replicate.requests) == 1


def test_what_was_created_at_the_very_moment_is_listed(replicate: Replicate) -> None:
    assert listed(replicate, page(row("a", age_s=300))) == [["a"]]


def test_a_list_of_nothing_has_no_page(replicate: Replicate) -> None:
    assert listed(replicate, page()) == []


def test_rows_without_a_time_are_listed(replicate: Replicate) -> None:
    assert listed(replicate, page(row("a"), prediction(id="b"))) == [["a", "b"]]


def test_a_row_that_is_no_prediction_is_told_and_left_out(replicate: Replicate) -> None:
    assert listed(replicate, page(row("a"), {"id": 7}, None, row("b"))) == [["a", "b"]]
    assert replicate.telemetry.events("warning") == ["replicate_item_unreadable"] * 2


@pytest.mark.parametrize(
    "following",
    [
        "https://elsewhere.test/v1/predictions?cursor=x",
        "http://api.replicate.com/v1/predictions?cursor=x",
        "https://api.replicate.com:8443/v1/predictions?cursor=x",
        "https://api.replicate.com.elsewhere.test/v1/predictions",
        "https://api.replicate.com@elsewhere.test/v1/predictions",
        "https://someone@api.replicate.com/v1/predictions",
        "//elsewhere.test/v1/predictions",
        "https://[broken/",
        "https://api.replicate.com:99999999/",
        "https://xn--replicate-d1a.com/v1/predictions",
        "https://api.replicate.com/v1/\x00",
        "file:///etc/passwd",
    ],
)
def test_the_token_follows_no_page_to_another_origin(replicate: Replicate, following: str) -> None:
    with pytest.raises(ProviderTransient):
        listed(replicate, page(row("a"), following=following), page(row("b")))

    assert [request.url.host for request in replicate.requests] == ["api.replicate.com"]


def test_a_list_never_ends_early_in_silence(replicate: Replicate) -> None:
    with pytest.raises(ProviderTransient, match="more than"):
        listed(replicate, page(row("a"), following=NEXT))

    assert len(replicate.requests) == PAGES_MAX + 1


@pytest.mark.parametrize(
    "broken", [said(200, NOT_JSON), said(200, {"results": None}), said(200, []), said(503)]
)
def test_a_page_that_cannot_be_read_is_an_error_not_an_end(replicate: Replicate, broken: Answer) -> None:
    with pytest.raises(ProviderTransient):
        listed(replicate, page(row("a"), following=NEXT), broken)


def test_a_page_that_fails_for_a_moment_is_asked_for_again(replicate: Replicate) -> None:
    pages = page(row("a"), following=NEXT), httpx.ReadError("reset"), page(row("b"))

    assert listed(replicate, *pages) == [["a"], ["b"]]


def test_a_rejected_cancel_of_something_running_is_no_error(replicate: Replicate) -> None:
    found = provider(replicate, said(422, {}), said(200, prediction(status="processing"))).cancel_prediction(
        PREDICTION_ID
    )

    assert found.status is PredictionStatus.PROCESSING


def test_reading_what_replicate_rejects_says_so(replicate: Replicate) -> None:
    with pytest.raises(ProviderRejected):
        provider(replicate, said(422, {"detail": "no"})).get_prediction(PREDICTION_ID)
