"""Whether a whole system takes photos and trains models: from the upload to the deletion of all of it.

It asks as a frontend would, through the HTTP API and the bucket's forms alone, and cleans up behind itself.
The photos are made of a portrait that comes with this repository.
"""

from __future__ import annotations

import uuid

import httpx

from local.check.causes import Cause
from local.check.generation import ENDED, POLL_S, Clock, as_expected
from local.check.report import Failed, Report, Skipped
from local.check.system import Api, Json, System, body_of, opened, said
from local.photos import training_photos

MODELS = "/v1/models"
PHOTOS = 6
# The fewest that a trainer takes: what is to be seen is that it trains.
STEPS = 500
PHOTOS_TIMEOUT_S = 180
UPLOAD_TIMEOUT_S = 60
REAL_TIME = Clock()


def check(
    report: Report, system: System, *, dry_run: bool, timeout_s: float, clock: Clock = REAL_TIME
) -> int:
    """Do all steps; return the exit status. `dry_run`: photos alone, nothing is paid.

    `timeout_s` is how long the training may take.
    """
    report.say(f"Revela at {system.api_url}")
    try:
        with opened(system) as api:
            _steps(report, _Trial(api, report, timeout_s, clock), dry_run=dry_run)
    except Failed as failed:
        fault = failed

        def fail() -> str:
            raise fault

        report.step("token", fail)
    return report.end()


def _steps(report: Report, trial: _Trial, *, dry_run: bool) -> None:
    report.step("token", as_expected(trial.token))
    try:
        report.step("model", as_expected(trial.create), needs=["token"])
        report.step("upload", as_expected(trial.upload), needs=["model"])
        report.step("photos", as_expected(trial.photos), needs=["upload"])
        report.step("advice", as_expected(trial.advice), needs=["photos"])
        if not dry_run:
            report.step("training", as_expected(trial.train), needs=["advice"])
            report.step("credits", as_expected(trial.credits), needs=["training"])
    finally:
        # Whatever became of it, Ctrl-C included.
        report.step("deletion", as_expected(trial.clean_up), needs=["token"])


class _Trial:
    """One model; each step leaves what the next ones need."""

    def __init__(self, api: Api, report: Report, timeout_s: float, clock: Clock) -> None:
        self._api = api
        self._report = report
        self._timeout_s = timeout_s
        self._clock = clock
        self._model: Json = {}
        self._training: Json = {}

    def token(self) -> str:
        account = self._api.get("/v1/account")
        plan, available = account["plan"]["name"], account["credits"]["available"]
        return f"accepted: plan {plan}, {available} credits available"

    def create(self) -> str:
        body = {
            "name": "check",
            "kind": "face",
            "class_word": "woman",
            "consent": {"accepted": True, "text_version": "check"},
        }
        answer = self._api.ask("POST", MODELS, json=body)
        if answer.status_code != 201:
            limited = answer.status_code == 429
            raise Failed(Cause.USER_LIMIT if limited else Cause.REQUEST_REFUSED, said(answer))
        self._model = body_of(answer)
        return f"{self._model['id']}, to be called by {self._model['trigger_word']}"

    def upload(self) -> str:
        wanted = {"files": [{"content_type": "image/jpeg"}] * PHOTOS}
        forms = body_of(self._api.ask("POST", f"{self._path}/photos", json=wanted))["photos"]
        total_bytes = 0
        for number, form in enumerate(forms):
            data = training_photos.jpeg(training_photos.good_photo(number))
            _post(form["upload"], data)
            total_bytes += len(data)
        return f"{PHOTOS} photos, {total_bytes:,} bytes"

    def photos(self) -> str:
        began = self._clock.monotonic()
        with self._report.progress() as show:
            while (seen := self._api.get(f"{self._path}/photos"))["report"]["pending"]:
                waited_s = self._clock.monotonic() - began
                show(f"{seen['report']['pending']} left, {waited_s:.0f} s")
                if waited_s >= PHOTOS_TIMEOUT_S:
                    left = f"{seen['report']['pending']} of {PHOTOS} without a verdict"
                    raise Failed(Cause.PHOTOS_UNCHECKED, f"{left} after {waited_s:.0f} s")
                self._clock.sleep(POLL_S[0])
        problems = [
            problem["code"] for photo in seen["items"] for problem in photo["verdict"]["problems"][:1]
        ]
        if problems:
            raise Failed(Cause.PHOTOS_REFUSED, f"good photos were refused: {', '.join(problems)}")
        return f"{seen['report']['accepted']} accepted after {self._clock.monotonic() - began:.0f} s"

    def advice(self) -> str:
        found = self._api.get(f"{self._path}/training-advice")
        dollars = found["provider_cost_micro_usd"] / 1_000_000
        return (
            f"{found['trainer']}, {found['params']['steps']} steps: {found['credits']} credits, "
            f"${dollars:.2f} at Replicate, about {found['expected_minutes']} minutes"
        )

    def train(self) -> str:
        answer = self._api.ask(
            "POST",
            f"{self._path}/trainings",
            json={"steps": STEPS},
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )
        if answer.status_code != 202:
            poor = answer.status_code == 402
            raise Failed(Cause.NO_CREDITS if poor else Cause.REQUEST_REFUSED, said(answer))
        self._training = body_of(answer)
        began = self._clock.monotonic()
        with self._report.progress() as show:
            while (status := self._training["status"]) not in ENDED:
                waited_s = self._clock.monotonic() - began
                show(f"{status}, {self._training['progress']['percent']} %, {waited_s:.0f} s")
                if waited_s >= self._timeout_s:
                    raise Failed(Cause.TRAINING_STUCK, f"still {status} after {waited_s:.0f} s")
                self._clock.sleep(min(float(self._training["poll_after_s"] or 0), POLL_S[1]))
                self._training = self._api.get(self._training_path)
        if status != "succeeded":
            error = self._training.get("error") or {}
            seen = f"{status}: {error.get('code', 'somebody canceled it')} {error.get('message', '')}"
            raise Failed(Cause.TRAINING_FAILED, seen)
        if self._api.get(self._path)["chosen_version"] != self._training["id"]:
            raise Failed(Cause.TRAINING_FAILED, "the model has no version of it")
        return f"{STEPS} steps, succeeded after {self._clock.monotonic() - began:.0f} s"

    def credits(self) -> str:
        job = self._training["credits"]
        if job["charged"] + job["refunded"] != job["estimated"] or job["held"]:
            raise Failed(Cause.CREDITS_DISAGREE, f"the training says {job}")
        return f"{job['charged']} charged"

    def clean_up(self) -> str:
        if not self._model:
            raise Skipped("no model was made")
        answer = self._api.ask("DELETE", self._path)
        if answer.status_code != 202:
            raise Failed(Cause.MODEL_NOT_DELETED, said(answer))
        # reconcile_jobs deletes within minutes; until then the model says so, or is gone.
        left = self._api.ask("GET", self._path)
        if left.status_code != 404 and body_of(left)["status"] != "deleting":
            raise Failed(Cause.MODEL_NOT_DELETED, f"deleted, and still {body_of(left)['status']}")
        return f"{self._model['id']} is being deleted, photos and version with it"

    @property
    def _path(self) -> str:
        return f"{MODELS}/{self._model['id']}"

    @property
    def _training_path(self) -> str:
        return f"{self._path}/trainings/{self._training['id']}"


def _post(form: Json, data: bytes) -> None:
    host = httpx.URL(form["url"]).host
    file = ("photo.jpg", data, "image/jpeg")
    try:
        # Without the token: the form's own signature is what the bucket asks for.
        answer = httpx.post(form["url"], data=form["fields"], files={"file": file}, timeout=UPLOAD_TIMEOUT_S)
    except httpx.HTTPError as error:
        raise Failed(Cause.UPLOAD_REFUSED, f"{host}: {type(error).__name__}") from None
    if not answer.is_success:
        raise Failed(Cause.UPLOAD_REFUSED, f"{host} answers {answer.status_code}: {answer.text[:200]}")
