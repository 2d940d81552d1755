"""`python -m local check generation` over an API that misbehaves as scripted: each failure is explained."""

from __future__ import annotations

import hashlib
import io
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from PIL import Image
from rich.console import Console

from local.__main__ import main
from local.check import generation
from local.check.causes import Cause
from local.check.report import Report, Step
from local.check.system import System
from tests.contract.scripted_server import Answer, Request, serving

ISSUER = "https://issuer.example.com"
ID = "gen_01"
PATH = f"/v1/generations/{ID}"
KEY = "k" * 32


def a_token(**changed: Any) -> str:
    claims = {"iss": ISSUER, "aud": "revela", "sub": "ana@example.com", "exp": int(time.time()) + 600}
    return jwt.encode({**claims, **changed}, KEY, algorithm="HS256")


def png(size: tuple[int, int] = (8, 4)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "PNG")
    return file.getvalue()


@dataclass
class ScriptedApi:
    """Does all right, but for what `instead` says; `statuses` are shown one after the other."""

    instead: dict[str, Answer] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=lambda: ["starting", "processing", "succeeded"])
    image: bytes = field(default_factory=png)
    sha256: str | None = None
    error: dict[str, str] | None = None
    credits: dict[str, int] = field(
        default_factory=lambda: {"estimated": 1, "held": 0, "charged": 1, "refunded": 0}
    )
    account: list[int] = field(default_factory=lambda: [9])
    ledger: list[tuple[str, int]] = field(default_factory=lambda: [("capture", -1), ("grant", 10)])
    asked: list[str] = field(default_factory=list)
    deleted: bool = False
    origin: str = ""

    def __call__(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        asked = f"{request.method} {path}"
        self.asked.append(asked)
        if path == "/image.png":
            assert "Authorization" not in request.headers, "the token goes to the API alone"
            return self.instead.get(asked, Answer(200, self.image))
        open_to_all = path in ("/v1/health", "/v1/catalog")
        assert ("Authorization" in request.headers) != open_to_all
        return self.instead.get(asked) or self.answer(asked, request)

    def answer(self, asked: str, request: Request) -> Answer:
        match asked:
            case "GET /v1/health":
                return Answer(200, {"status": "ok", "version": "1.2.3"})
            case "GET /v1/catalog":
                prices = {"flux-dev": 3, "flux-schnell": 1, "sdxl": 1}
                return Answer(
                    200, {"models": [{"id": id_, "credits_per_image": n} for id_, n in prices.items()]}
                )
            case "GET /v1/account":
                available = self.account[0] if len(self.account) == 1 else self.account.pop(0)
                credits_ = {"available": available, "held": 0, "spent": 1}
                return Answer(200, {"plan": {"name": "Free"}, "credits": credits_, "running": 0})
            case "GET /v1/account/ledger":
                items = [{"kind": kind, "credits": n, "cause": ID} for kind, n in self.ledger]
                second = "cursor=2" in request.path
                return Answer(
                    200, {"items": items[1:] if second else items[:1], "cursor": None if second else "2"}
                )
            case "POST /v1/generations":
                assert request.headers["Idempotency-Key"]
                asked_for = json.loads(request.body)
                assert (asked_for["model"], asked_for["num_outputs"]) == ("flux-schnell", 1)
                return Answer(202, self.shown("queued"))
            case "DELETE /v1/generations/gen_01":
                self.deleted = True
                return Answer(204)
            case "POST /v1/generations/gen_01/cancel":
                return Answer(202, self.shown("canceled"))
            case "GET /v1/generations/gen_01" if not self.deleted:
                return Answer(
                    200, self.shown(self.statuses.pop(0) if self.statuses[1:] else self.statuses[0])
                )
        return Answer(404, {"code": "not_found"})

    def shown(self, status: str) -> dict[str, Any]:
        output = {
            "url": f"{self.origin}/image.png?X-Amz-Signature=s3cret",
            "expires_at": "2026-01-01T00:00:00Z",
            "sha256": self.sha256 or hashlib.sha256(self.image).hexdigest(),
            "width": 8,
            "height": 4,
        }
        return {
            "id": ID,
            "status": status,
            "poll_after_s": 2,
            "credits": self.credits if status in generation.ENDED else {"held": 1},
            "outputs": [output] if status == "succeeded" else [],
            "error": self.error,
        }


class Time:
    """Real time, as fast as sleeping passes it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.clock = generation.Clock(monotonic=lambda: self.now_s, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def checked(api: ScriptedApi, *, token: str | None = None, timeout_s: float = 60, **known: str) -> list[Step]:
    file = io.StringIO()
    token = a_token() if token is None else token
    with serving(api) as port:
        api.origin = f"http://127.0.0.1:{port}"
        report = Report(Console(file=file, soft_wrap=True), secrets=[token])
        system = System(api.origin, token, **known)
        status = generation.check(report, system, timeout_s=timeout_s, clock=Time().clock)
    assert status == (1 if any(step.outcome == "failed" for step in report.steps) else 0)
    printed = file.getvalue()
    assert "s3cret" not in printed
    assert not token or token not in printed
    return report.steps


def failed(steps: list[Step]) -> tuple[str, Cause | None, str]:
    """Return the one step that failed."""
    (step,) = [step for step in steps if step.outcome == "failed"]
    return step.name, step.cause, step.seen


def outcomes(steps: list[Step]) -> dict[str, str]:
    return {step.name: step.outcome for step in steps}


def test_all_is_well_and_nothing_is_left() -> None:
    api = ScriptedApi()
    steps = checked(api)
    names = ["health", "catalog", "token", "request", "generation", "image", "credits", "deletion"]
    assert outcomes(steps) == dict.fromkeys(names, "passed")
    assert steps[4].seen == "succeeded; queued 2 s, starting 2 s, processing 2 s"
    assert api.asked.count("POST /v1/generations") == 2
    assert api.deleted


# ---------------------------------------------------------------- the API and the token


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer(404, b"<html>"), Cause.API_SILENT),
        (Answer(200, b"<html>"), Cause.API_SILENT),
        (Answer(200, {"status": "down"}), Cause.API_SILENT),
        (Answer(503, {"code": "temporarily_unavailable"}), Cause.API_FAILING),
    ],
)
def test_another_server_in_its_place_is_told(answer: Answer, cause: Cause) -> None:
    steps = checked(ScriptedApi({"GET /v1/health": answer}))
    assert failed(steps)[:2] == ("health", cause)
    assert set(outcomes(steps).values()) == {"failed", "skipped"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://", "http://127.0.0.1:port"])
def test_an_address_where_nothing_answers_is_told(url: str) -> None:
    report = Report(Console(file=io.StringIO()))
    assert generation.check(report, System(url, a_token()), timeout_s=1) == 1
    assert failed(report.steps)[:2] == ("health", Cause.API_SILENT)


def test_an_answer_of_another_shape_is_told() -> None:
    steps = checked(ScriptedApi({"GET /v1/catalog": Answer(200, {"items": []})}))
    assert failed(steps)[:2] == ("catalog", Cause.API_SILENT)


UNAUTHORIZED = {"GET /v1/account": Answer(401, {"message": "Unauthorized"})}


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (a_token(exp=1_700_000_000), "it expired at 2023-11-14 22:13 UTC"),
        (a_token(nbf=4_000_000_000), "it is valid only from 2096"),
        (a_token(iss="https://elsewhere.example.com"), f"the API wants issuer {ISSUER}"),
        (a_token(aud="another"), "the API wants audience revela"),
        (a_token(exp="soon"), "it names no expiry"),
        (a_token(), f"its issuer is {ISSUER}, its audience revela"),
        (a_token(aud=["one", "another"]), "the API wants audience revela"),
        ("not-a-token", "it is no JWT"),
        (f"{a_token()}\n", "was it read from a file?"),
    ],
)
def test_a_refused_token_is_explained_by_what_it_says(token: str, said: str) -> None:
    steps = checked(ScriptedApi(UNAUTHORIZED), token=token, issuer=ISSUER, audience="revela")
    name, cause, seen = failed(steps)
    assert (name, cause) == ("token", Cause.SIGN_IN_REFUSED)
    assert said in seen
    assert "ana@example.com" not in seen
    assert outcomes(steps)["deletion"] == "skipped"


@pytest.mark.parametrize("token", [a_token(), a_token(aud=["other", "revela"])])
def test_a_good_token_is_not_blamed_for_what_it_does_not_say(token: str) -> None:
    _, _, seen = failed(checked(ScriptedApi(UNAUTHORIZED), token=token, issuer=ISSUER, audience="revela"))
    assert "wants" not in seen
    assert "expired" not in seen


def test_the_reason_that_the_gateway_gives_is_shown() -> None:
    told = {
        "WWW-Authenticate": 'Bearer scope="" error="invalid_token" error_description="the token has expired"'
    }
    steps = checked(ScriptedApi({"GET /v1/account": Answer(401, {}, told)}))
    assert "the token has expired" in failed(steps)[2]


def test_without_a_token_the_open_routes_are_checked() -> None:
    steps = checked(ScriptedApi(), token="")
    assert failed(steps)[:2] == ("token", Cause.SIGN_IN_REFUSED)
    assert outcomes(steps)["catalog"] == "passed"


# ---------------------------------------------------------------- the request


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (402, "insufficient_credits", Cause.NO_CREDITS),
        (422, "invalid_request", Cause.REQUEST_REFUSED),
        (429, "daily_limit_reached", Cause.USER_LIMIT),
        (429, None, Cause.USER_LIMIT),
        (503, "model_resting", Cause.MODEL_UNAVAILABLE),
        (503, "all_models_resting", Cause.MODEL_UNAVAILABLE),
        (503, "temporarily_unavailable", Cause.API_FAILING),
        (500, "internal_error", Cause.API_FAILING),
    ],
)
def test_a_refused_request_is_explained(status: int, code: str | None, cause: Cause) -> None:
    fault = {"name": "seed", "reason": "must be a whole number"}
    body = {"code": code, "detail": "for this reason", "invalid_params": [fault]}
    refusal = Answer(status, body, {"Retry-After": "7"})
    steps = checked(ScriptedApi({"POST /v1/generations": refusal}))
    name, found, seen = failed(steps)
    assert (name, found) == ("request", cause)
    for said in (str(status), "for this reason", "seed must be a whole number", "Retry-After: 7 s"):
        assert said in seen
    assert outcomes(steps)["deletion"] == "skipped"


def test_a_key_that_makes_two_generations_is_told_and_the_first_deleted() -> None:
    class Forgetful(ScriptedApi):
        def answer(self, asked: str, request: Request) -> Answer:
            again = asked == "POST /v1/generations" and self.asked.count(asked) == 2
            return (
                Answer(202, self.shown("queued") | {"id": "gen_02"})
                if again
                else super().answer(asked, request)
            )

    api = Forgetful(statuses=["succeeded"])
    assert failed(checked(api))[:2] == ("request", Cause.REQUEST_REFUSED)
    assert api.deleted


# ---------------------------------------------------------------- its way


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("waiting", Cause.STUCK_WAITING),
        ("queued", Cause.STUCK_QUEUED),
        ("starting", Cause.STUCK_QUEUED),
        ("processing", Cause.STUCK_PROCESSING),
        ("saving", Cause.STUCK_SAVING),
    ],
)
def test_one_that_is_stuck_is_explained_and_canceled(status: str, cause: Cause) -> None:
    api = ScriptedApi(statuses=[status])
    steps = checked(api, timeout_s=20)
    name, found, seen = failed(steps)
    assert (name, found) == ("generation", cause)
    assert seen == f"still {status} after 20 s"
    assert "POST /v1/generations/gen_01/cancel" in api.asked
    assert outcomes(steps)["deletion"] == "skipped"


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_one_that_ended_without_images_shows_its_code(status: str) -> None:
    api = ScriptedApi(statuses=[status], error={"code": "moderated", "message": "Held back."})
    steps = checked(api)
    name, cause, seen = failed(steps)
    assert (name, cause) == ("generation", Cause.GENERATION_FAILED)
    assert "moderated Held back." in seen
    assert outcomes(steps)["deletion"] == "passed"


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"instead": {"GET /image.png": Answer(403, b"<Error>")}}, Cause.IMAGE_UNAVAILABLE),
        ({"sha256": "0" * 64}, Cause.IMAGE_DIFFERS),
        ({"image": b"no image"}, Cause.IMAGE_DIFFERS),
        ({"image": png((4, 4))}, Cause.IMAGE_DIFFERS),
    ],
)
def test_an_image_that_is_not_as_described_is_told(changed: dict[str, Any], cause: Cause) -> None:
    assert failed(checked(ScriptedApi(**changed)))[:2] == ("image", cause)


@pytest.mark.parametrize(
    "changed",
    [
        {"credits": {"estimated": 1, "held": 0, "charged": 0, "refunded": 0}},
        {"credits": {"estimated": 1, "held": 1, "charged": 1, "refunded": 0}},
        {"ledger": [("capture", -1), ("grant", 11)]},
        {"ledger": [("capture", -1), ("capture", -1), ("grant", 11)]},
        {"ledger": [("adjust", -1), ("grant", 10)]},
    ],
)
def test_credits_that_do_not_add_up_are_told(changed: dict[str, Any]) -> None:
    assert failed(checked(ScriptedApi(**changed)))[:2] == ("credits", Cause.CREDITS_DISAGREE)


def test_an_account_that_others_change_meanwhile_is_read_again() -> None:
    # One for the token; then a pair that differs, and a pair that does not.
    assert outcomes(checked(ScriptedApi(account=[9, 8, 9, 9])))["credits"] == "passed"
    restless = list(range(20, 30))
    assert outcomes(checked(ScriptedApi(account=restless)))["credits"] == "skipped"


@pytest.mark.parametrize(
    "instead",
    [{f"DELETE {PATH}": Answer(409, {"code": "generation_running"})}, {f"DELETE {PATH}": Answer(204)}],
)
def test_one_that_is_not_deleted_is_told(instead: dict[str, Answer]) -> None:
    assert failed(checked(ScriptedApi(instead)))[:2] == ("deletion", Cause.NOT_DELETED)


def test_it_is_cleaned_up_when_nobody_wants_to_wait() -> None:
    class Impatient(Time):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    api = ScriptedApi(statuses=["processing"])
    report = Report(Console(file=io.StringIO()))
    with serving(api) as port:
        system = System(f"http://127.0.0.1:{port}", a_token())
        with pytest.raises(KeyboardInterrupt):
            generation.check(report, system, timeout_s=60, clock=Impatient().clock)
    assert "POST /v1/generations/gen_01/cancel" in api.asked


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize("named_by", ["arguments", "environment"])
def test_a_deployed_system_is_named_by_its_url_and_a_token(
    named_by: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api = ScriptedApi(statuses=["succeeded"])
    arguments: list[str] = []
    with serving(api) as port:
        api.origin = f"http://127.0.0.1:{port}"
        if named_by == "arguments":
            arguments = ["--api-url", f"{api.origin}/", "--token", a_token()]
        else:
            monkeypatch.setenv("REVELA_API_URL", api.origin)
            monkeypatch.setenv("REVELA_TOKEN", a_token())
        status = main(["check", "generation", *arguments])
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "✓ deletion" in printed


@pytest.mark.parametrize("url", ["http://api.example.com", "api.example.com", "ftp://127.0.0.1"])
def test_a_token_goes_nowhere_without_tls(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "generation", "--api-url", url, "--token", a_token()]) == 1
    assert "must be https://" in capsys.readouterr().err


def test_without_a_url_an_engine_must_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REVELA_API_URL", raising=False)
    assert main(["check", "generation", "--state-dir", str(tmp_path)]) == 1
    assert "no engine runs" in capsys.readouterr().err
