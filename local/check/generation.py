"""Whether a whole system makes images: one of the cheapest, from the request to its deletion.

It asks as a frontend would, through the HTTP API alone, and cleans up behind itself.
"""

from __future__ import annotations

import hashlib
import io
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from PIL import Image

from local.check.causes import Cause
from local.check.report import Failed, Report, Skipped
from local.check.system import Api, Json, System, body_of, code_of, opened, said

PATH = "/v1/generations"
PROMPT = "a lighthouse at dawn, a test image"
ENDED = ("succeeded", "failed", "canceled")
POLL_S = (0.5, 5.0)
# What it means that a generation is still in a state when time is up.
STUCK = {
    "waiting": Cause.STUCK_WAITING,
    "queued": Cause.STUCK_QUEUED,
    "starting": Cause.STUCK_QUEUED,
    "processing": Cause.STUCK_PROCESSING,
    "saving": Cause.STUCK_SAVING,
    "judging": Cause.STUCK_JUDGING,
}
# Refusals of a request, by their stable codes; all else is told by the status.
REFUSED = {
    "account_suspended": Cause.SUSPENDED,
    "insufficient_credits": Cause.NO_CREDITS,
    "model_resting": Cause.MODEL_UNAVAILABLE,
    "all_models_resting": Cause.MODEL_UNAVAILABLE,
}
LEDGER_TRIES = 3


@dataclass(frozen=True)
class Clock:
    """Real time; tests put their own in its place."""

    monotonic: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)


def check(report: Report, system: System, *, timeout_s: float, clock: Clock = Clock()) -> int:
    """Do all steps; return the exit status. `timeout_s` is how long the generation may take."""
    report.say(f"Revela at {system.api_url}")
    try:
        with opened(system) as api:
            _steps(report, _Trial(api, report, timeout_s, clock))
    except Failed as failed:
        report.step("health", _raise(failed))
    return report.end()


def _steps(report: Report, trial: _Trial) -> None:
    report.step("health", as_expected(trial.health))
    report.step("catalog", as_expected(trial.catalog), needs=["health"])
    report.step("token", as_expected(trial.token), needs=["health"])
    try:
        report.step("request", as_expected(trial.request), needs=["catalog", "token"])
        report.step("generation", as_expected(trial.watch), needs=["request"])
        report.step("image", as_expected(trial.image), needs=["generation"])
        report.step("credits", as_expected(trial.credits), needs=["generation"])
    finally:
        # Whatever became of it, Ctrl-C included.
        report.step("deletion", as_expected(trial.clean_up), needs=["token"])


def as_expected(act: Callable[[], str]) -> Callable[[], str]:
    """Let an answer of another shape fail its step: some other server, or another version, gave it."""

    def checked() -> str:
        try:
            return act()
        except (KeyError, IndexError, TypeError, ValueError) as error:
            seen = f"an answer has another shape than this version's ({type(error).__name__}: {error})"
            raise Failed(Cause.API_SILENT, seen) from error

    return checked


def _raise(failed: Failed) -> Callable[[], str]:
    def act() -> str:
        raise failed

    return act


class _Trial:
    """One generation; each step leaves what the next ones need."""

    def __init__(self, api: Api, report: Report, timeout_s: float, clock: Clock) -> None:
        self._api = api
        self._report = report
        self._timeout_s = timeout_s
        self._clock = clock
        self._model = ""
        self._generation: Json = {}

    def health(self) -> str:
        found = body_of(self._api.open("/v1/health"))
        if found.get("status") != "ok":
            raise Failed(Cause.API_SILENT, "/v1/health does not say that all is well")
        return f"version {found.get('version')}"

    def catalog(self) -> str:
        models = body_of(self._api.open("/v1/catalog"))["models"]
        # The first of the cheapest: min keeps the catalog's order.
        cheapest = min(models, key=lambda model: model["credits_per_image"])
        self._model = cheapest["id"]
        return (
            f"{len(models)} models; the cheapest is {self._model}, {cheapest['credits_per_image']} credit(s)"
        )

    def token(self) -> str:
        account = self._api.get("/v1/account")
        credits_ = account["credits"]
        return (
            f"accepted: plan {account['plan']['name']}, {credits_['available']} credits available, "
            f"{credits_['held']} held, {account['running']} running"
        )

    def request(self) -> str:
        answer = self._create(key := str(uuid.uuid4()))
        if answer.status_code != 202:
            raise Failed(_why_refused(answer), said(answer))
        self._generation = body_of(answer)
        id_, held = self._generation["id"], self._generation["credits"]["held"]
        again = self._create(key)
        if code_of(again) or body_of(again).get("id") != id_:
            raise Failed(Cause.REQUEST_REFUSED, f"the same Idempotency-Key again was not answered by {id_}")
        return f"{id_} accepted, {held} credit(s) held; asked again with its key: the same"

    def watch(self) -> str:
        began = since = self._clock.monotonic()
        passed: list[str] = []
        status = self._generation["status"]
        with self._report.progress() as show:
            while status not in ENDED:
                now = self._clock.monotonic()
                show(f"{status}, {now - began:.0f} s")
                if now - began >= self._timeout_s:
                    raise Failed(STUCK[status], f"still {status} after {now - began:.0f} s")
                wait_s = float(self._generation.get("poll_after_s") or 0)
                self._clock.sleep(min(max(wait_s, POLL_S[0]), POLL_S[1]))
                self._generation = self._api.get(self._path)
                if self._generation["status"] != status:
                    now = self._clock.monotonic()
                    passed.append(f"{status} {now - since:.0f} s")
                    status, since = self._generation["status"], now
        if status != "succeeded":
            error = self._generation.get("error") or {}
            seen = f"{status}: {error.get('code', 'somebody canceled it')} {error.get('message', '')}"
            raise Failed(Cause.GENERATION_FAILED, f"{seen} (after {', '.join(passed)})")
        return f"succeeded; {', '.join(passed)}"

    def image(self) -> str:
        made = self._api.get(self._path)["outputs"][0]
        host = httpx.URL(made["url"]).host
        try:
            # Without the token: the signature in the URL is what opens it.
            answer = httpx.get(made["url"], timeout=30)
        except httpx.HTTPError as error:
            raise Failed(Cause.IMAGE_UNAVAILABLE, f"{host}: {type(error).__name__}") from None
        if answer.status_code != 200:
            seen = f"{host} answers {answer.status_code}; the URL expires at {made['expires_at']}"
            raise Failed(Cause.IMAGE_UNAVAILABLE, seen)
        if hashlib.sha256(answer.content).hexdigest() != made["sha256"]:
            raise Failed(Cause.IMAGE_DIFFERS, f"{len(answer.content):,} bytes of another sha256")
        try:
            with Image.open(io.BytesIO(answer.content)) as image:
                image.load()
                size, kind = image.size, image.format
        except (OSError, Image.DecompressionBombError):
            raise Failed(Cause.IMAGE_DIFFERS, f"{len(answer.content):,} bytes that are no image") from None
        if size != (made["width"], made["height"]):
            raise Failed(Cause.IMAGE_DIFFERS, f"{size} instead of {made['width']} x {made['height']}")
        return f"{size[0]} x {size[1]} {kind}, {len(answer.content):,} bytes"

    def credits(self) -> str:
        job = self._generation["credits"]
        if job["charged"] + job["refunded"] != job["estimated"] or job["held"]:
            raise Failed(Cause.CREDITS_DISAGREE, f"the generation says {job}")
        account, ledger = self._account_and_ledger()
        captured = -sum(e["credits"] for e in ledger if (e["kind"], e["cause"]) == ("capture", self._id))
        if captured != job["charged"]:
            seen = f"charged {job['charged']}, captured {captured} in the ledger"
            raise Failed(Cause.CREDITS_DISAGREE, seen)
        balance, total = account["available"] + account["held"], sum(entry["credits"] for entry in ledger)
        if balance != total:
            seen = f"available and held are {balance}, the ledger's {len(ledger)} entries add up to {total}"
            raise Failed(Cause.CREDITS_DISAGREE, seen)
        return f"{captured} charged; the ledger's {len(ledger)} entries add up to the account's {balance}"

    def clean_up(self) -> str:
        if not self._generation:
            raise Skipped("nothing was made")
        if self._api.get(self._path)["status"] not in ENDED:
            self._api.ask("POST", f"{self._path}/cancel")
            raise Skipped("it still runs: a cancel was asked for, which gives its credits back")
        answer = self._api.ask("DELETE", self._path)
        if answer.status_code != 204:
            raise Failed(Cause.NOT_DELETED, said(answer))
        if (gone := self._api.ask("GET", self._path)).status_code != 404:
            raise Failed(Cause.NOT_DELETED, f"deleted, and still there: {gone.status_code}")
        return f"{self._id} is gone"

    @property
    def _id(self) -> str:
        return str(self._generation["id"])

    @property
    def _path(self) -> str:
        return f"{PATH}/{self._id}"

    def _create(self, key: str) -> httpx.Response:
        body = {"model": self._model, "prompt": PROMPT, "num_outputs": 1}
        return self._api.ask("POST", PATH, json=body, headers={"Idempotency-Key": key})

    def _account_and_ledger(self) -> tuple[Json, list[Json]]:
        """Return both as of one moment, as far as one can: another job may end between two requests."""
        for _ in range(LEDGER_TRIES):
            before = self._api.get("/v1/account")["credits"]
            ledger = self._ledger()
            if self._api.get("/v1/account")["credits"] == before:
                return before, ledger
        raise Skipped("the account is busy: others change it all the time")

    def _ledger(self) -> list[Json]:
        entries: list[Json] = []
        cursor: str | None = None
        while True:
            params = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
            page = self._api.get("/v1/account/ledger", params=params)
            entries += page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return entries


def _why_refused(answer: httpx.Response) -> Cause:
    if cause := REFUSED.get(code_of(answer) or ""):
        return cause
    if answer.status_code == 402:
        return Cause.NO_CREDITS
    if answer.status_code == 429:
        return Cause.USER_LIMIT
    return Cause.API_FAILING if answer.status_code >= 500 else Cause.REQUEST_REFUSED
