"""`python -m local check replicate` over a stand-in of its own process: each failure is really provoked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import httpx
import pytest
from rich.console import Console

from local.__main__ import main
from local.check import replicate
from local.check.causes import Cause
from local.check.configured import Configured
from local.check.prediction import Trial, cheapest
from local.check.report import Report, Step
from revela.adapters.clock import SystemClock
from tests.contract.replicate_stand_in import SECRET, TOKEN, server
from tests.contract.scripted_server import Answer, Request, serving
from tests.e2e.refusing_replicate import (
    INVALID,
    NOT_FOUND,
    OUT_OF_CREDIT,
    UNAUTHENTICATED,
    Refusal,
    RefusingReplicate,
)

CATALOG = replicate.shipped_catalog()

Order = Callable[..., Any]


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with server("--time-scale", "50") as origin:
        yield origin


@pytest.fixture
def order(origin: str) -> Iterator[Order]:
    """Tells the stand-in to misbehave, and looks at what it counts; it is well-behaved again afterwards."""

    def place(**orders: Any) -> Any:
        return httpx.post(f"{origin}/_control", json=orders).raise_for_status().json()

    yield place
    place(reset=True)


@pytest.fixture(autouse=True)
def _environment(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    monkeypatch.setenv("REPLICATE_API_BASE_URL", f"{origin}/v1")
    monkeypatch.setenv("REPLICATE_OUTPUT_ORIGINS", origin)
    monkeypatch.delenv("REPLICATE_WEBHOOK_URL", raising=False)


@pytest.fixture
def steps(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, dict[str, str]]]:
    """Runs the check and returns its steps by name; its exit status is as its steps say."""

    def run(*arguments: str) -> dict[str, dict[str, str]]:
        status = main(["check", "replicate", "--json", *arguments])
        printed = capsys.readouterr().out
        told = json.loads(printed)
        assert status == (0 if told["passed"] else 1)
        assert told["passed"] == all(step["outcome"] != "failed" for step in told["steps"])
        assert TOKEN not in printed
        assert SECRET not in printed
        return {step["name"]: step for step in told["steps"]}

    return run


def failed(steps: dict[str, dict[str, str]], name: str, cause: Cause) -> str:
    """Hold that this step alone failed, for this reason; return what was seen."""
    assert [step["name"] for step in steps.values() if step["outcome"] == "failed"] == [name]
    told = steps[name]
    assert (told["meaning"], told["remedy"]) == (cause.meaning, cause.remedy)
    assert told["see"] == f"docs/troubleshooting.md#{cause.anchor}"
    return told["seen"]


def skipped(steps: dict[str, dict[str, str]]) -> set[str]:
    return {step["name"] for step in steps.values() if step["outcome"] == "skipped"}


# ---------------------------------------------------------------- when all is well


def test_all_is_well_and_one_image_was_made(
    capsys: pytest.CaptureFixture[str], origin: str, order: Order
) -> None:
    made_before = order()["counters"]["creates"]

    assert main(["check", "replicate"]) == 0

    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    passed = {" ".join(words[1:3]).removesuffix(" accepted:") for words in lines if words[:1] == ["✓"]}
    assert {"token", "webhook secret", "model flux-dev", "model flux-schnell", "model sdxl"} <= passed
    assert {"judge llama-guard", "judge nsfw-image-detection"} <= passed
    assert "organization acme" in printed
    assert "flux-schnell, 1 image" in printed
    assert "1024 x 1024 WEBP" in printed
    assert "Nothing failed." in printed
    assert TOKEN not in printed
    assert SECRET not in printed
    assert order()["counters"]["creates"] == made_before + 1
    assert origin in printed


def test_a_dry_run_makes_nothing(steps: Any, order: Order) -> None:
    made_before = order()["counters"]["creates"]
    found = steps("--dry-run")
    assert "start_generation 60 s, its lease 120 s, its queue 360 s" in found["time limits"]["seen"]
    assert skipped(found) == {"webhook URL", "prediction"}
    assert "--dry-run" in found["prediction"]["seen"]
    assert order()["counters"]["creates"] == made_before


def test_the_price_is_named_before_it_is_paid() -> None:
    far = Configured("https://api.replicate.com/v1", TOKEN, None, ("https://replicate.delivery",))
    model = cheapest(CATALOG)
    trial = Trial(None, far, model, 1)  # type: ignore[arg-type]  # nothing is asked
    assert trial.price.startswith(f"about US$ {model.provider_cost.usd_per_image}")
    assert model.id == "flux-schnell"


# ---------------------------------------------------------------- the API


def test_a_bad_token_is_told_and_what_needs_it_left_out(steps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_wrong")
    found = steps()
    failed(found, "token", Cause.TOKEN_REFUSED)
    assert "r8_wrong" not in json.dumps(found)
    everything_else = {"webhook secret", "model flux-dev", "model flux-schnell", "model sdxl"}
    everything_else |= {"judge llama-guard", "judge nsfw-image-detection"}
    assert skipped(found) == everything_else | {"webhook URL", "credit", "prediction", "output"}
    assert found["model sdxl"]["seen"] == "needs token"


@pytest.mark.parametrize("token", [f"{TOKEN}\n", "r8 x", "“r8_x”"])
def test_a_token_that_no_header_can_carry_is_told(
    token: str, steps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", token)
    assert "was it read from a file?" in failed(steps(), "token", Cause.TOKEN_REFUSED)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "{origin}/v2"])
def test_an_address_without_replicate_is_told(
    url: str, steps: Any, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLICATE_API_BASE_URL", url.format(origin=origin))
    failed(steps(), "token", Cause.REPLICATE_SILENT)


def test_an_address_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REPLICATE_API_BASE_URL", "api.replicate.com/v1")
    assert main(["check", "replicate"]) == 1
    assert "REPLICATE_API_BASE_URL must be" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("refusal", "cause"),
    [
        (OUT_OF_CREDIT, Cause.OUT_OF_CREDIT),
        (UNAUTHENTICATED, Cause.TOKEN_REFUSED),
        (NOT_FOUND, Cause.MODEL_NOT_FOUND),
        (INVALID, Cause.MODEL_INPUT_REJECTED),
    ],
)
def test_a_create_that_is_refused_is_explained(
    refusal: Refusal, cause: Cause, steps: Any, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = RefusingReplicate(origin)
    refusing.refusals.append(refusal)
    with refusing.serving():
        monkeypatch.setenv("REPLICATE_API_BASE_URL", refusing.api_url)
        found = steps()
    assert failed(found, "credit", cause).startswith(str(refusal[0]))
    assert skipped(found) >= {"prediction", "output"}


def test_the_rate_is_told(steps: Any, order: Order) -> None:
    order(throttle={"count": 1, "retry_after": 9})
    assert failed(steps(), "credit", Cause.THROTTLED).startswith("429")


def test_a_create_whose_answer_is_lost_is_not_repeated(steps: Any, order: Order) -> None:
    order(drop_connection={"count": 1})
    made_before = order()["counters"]["creates"]
    assert "predictions list" in failed(steps(), "credit", Cause.REPLICATE_SILENT)
    assert order()["counters"]["creates"] == made_before + 1


def test_a_token_that_may_not_read_the_secret_is_told(steps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(request: Request) -> Answer:
        if request.path == "/v1/account":
            return Answer(200, {"type": "user", "username": "ana"})
        return Answer(403, {"detail": "You may not."})

    with serving(script) as port:
        monkeypatch.setenv("REPLICATE_API_BASE_URL", f"http://127.0.0.1:{port}/v1")
        found = steps("--dry-run")
    assert found["webhook secret"]["meaning"] == Cause.SECRET_UNREADABLE.meaning
    assert found["token"]["seen"] == "accepted: user ana"


# ---------------------------------------------------------------- models


def checked_with(origin: str, **changed: Any) -> list[Step]:
    """Return the steps of a dry run over a catalog whose first model is changed."""
    first, *others = CATALOG.models
    catalog = CATALOG.model_copy(update={"models": (first.model_copy(update=changed), *others)})
    report = Report(Console(file=StringIO()))
    configured = Configured(f"{origin}/v1", TOKEN, None, (origin,))
    replicate.check(report, configured, dry_run=True, timeout_s=1, catalog=catalog)
    return report.steps


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"version": "black-forest-labs/flux-none"}, Cause.MODEL_NOT_FOUND),
        ({"version": f"stability-ai/sdxl:{'0' * 64}"}, Cause.MODEL_NOT_FOUND),
        ({"version": "stability-ai/sdxl"}, Cause.MODEL_NOT_OFFICIAL),
        ({"fixed_input": {"no_such_input": 1}}, Cause.MODEL_INPUT_DIFFERS),
    ],
)
def test_a_model_that_cannot_be_run_is_told(changed: dict[str, Any], cause: Cause, origin: str) -> None:
    found = [step for step in checked_with(origin, **changed) if step.outcome == "failed"]
    assert [(step.name, step.cause) for step in found] == [("model flux-dev", cause)]


def test_a_bare_version_cannot_be_looked_up_and_is_no_failure(origin: str) -> None:
    found = {step.name: step for step in checked_with(origin, version="0" * 64)}
    assert found["model flux-dev"].outcome == "skipped"


def test_a_community_model_is_said_to_start_cold(steps: Any) -> None:
    found = steps("--dry-run")
    assert "cold" in found["model sdxl"]["seen"]
    assert "always on" in found["model flux-dev"]["seen"]


def test_time_limits_that_contradict_each_other_are_told(origin: str) -> None:
    found = [step for step in checked_with(origin, deadline_s=3600) if step.outcome == "failed"]
    assert [(step.name, step.cause) for step in found] == [("time limits", Cause.TIME_LIMITS)]
    assert "flux-dev may take 3600 s" in found[0].seen


def test_a_webhook_url_is_checked_too(steps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_WEBHOOK_URL", "https://192.168.0.7")
    failed(steps("--dry-run"), "webhook address", Cause.WEBHOOK_NOT_PUBLIC)


# ---------------------------------------------------------------- the prediction and its image


@pytest.mark.parametrize("error", ["Director: unexpected error handling prediction (E1000)", None])
def test_a_prediction_that_fails_shows_its_error(error: str | None, steps: Any, order: Order) -> None:
    order(fail_predictions={"count": 1, "error": error})
    seen = failed(steps(), "prediction", Cause.PREDICTION_FAILED)
    assert (error or "no reason given") in seen


def test_a_prediction_that_is_aborted_has_failed(steps: Any, order: Order) -> None:
    order(abort_predictions=1)
    assert "aborted" in failed(steps(), "prediction", Cause.PREDICTION_FAILED)


def test_a_prediction_that_takes_too_long_is_canceled(steps: Any, order: Order, origin: str) -> None:
    order(slow_predictions={"count": 1, "queue_s": 0, "predict_s": 100})
    found = steps("--timeout-s", "1")
    id_ = failed(found, "prediction", Cause.PREDICTION_SLOW).split()[0]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{origin}/v1/predictions/{id_}", headers=headers).json()["status"] == "canceled"


def test_a_prediction_that_nobody_waits_for_is_canceled(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    order(slow_predictions={"count": 1, "queue_s": 0, "predict_s": 100})
    monkeypatch.setattr(SystemClock, "sleep_until", interrupted)
    cancels_before = order()["counters"]["cancels"]

    assert main(["check", "replicate"]) == 130

    assert order()["counters"]["cancels"] == cancels_before + 1


@pytest.mark.parametrize(
    ("how", "said"), [("gone", "gone"), ("wrong_type", "no image"), ("redirect", "status_30")]
)
def test_an_output_that_cannot_be_used_is_told(how: str, said: str, steps: Any, order: Order) -> None:
    order(spoil_outputs={"count": "all", "how": how})
    assert said in failed(steps(), "output", Cause.OUTPUT_UNUSABLE)


def test_a_prediction_without_an_output_has_failed(steps: Any, order: Order) -> None:
    order(fewer_images={"count": 1, "images": 0})
    assert "without any output" in failed(steps(), "output", Cause.PREDICTION_FAILED)


@pytest.mark.parametrize("origins", ["https://replicate.delivery", "no origin"])
def test_outputs_from_where_none_are_allowed_are_told(
    origins: str, steps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLICATE_OUTPUT_ORIGINS", origins)
    assert origins in failed(steps(), "output", Cause.OUTPUT_FORBIDDEN)


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    "arguments", [(), ("weather",), ("replicate", "--timeout-s", "0"), ("generation", "--timeout-s", "soon")]
)
def test_what_cannot_be_asked_is_explained_by_the_parser(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", *arguments])
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
