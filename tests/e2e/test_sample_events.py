"""Every file of events/, freshened by the local engine and given to the deployed function of its folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local import engine
from local.__main__ import main
from tests.e2e import own_models
from tests.e2e.conftest import NewUser, Reconcile
from tests.e2e.own_models import MODELS
from tests.e2e.users import PATH, Json, User

EVENTS = engine.ROOT / "events"
SAMPLES = sorted(str(file.relative_to(EVENTS).with_suffix("")) for file in EVENTS.glob("*/*.json"))

STATUSES = {
    # Of a generation and a training that have succeeded.
    "api/appeal": 409,
    "api/cancel": 409,
    "api/create": 202,
    "api/create_invalid": 422,
    "api/create_refused": 422,
    "api/delete": 204,
    "api/cancel_training": 409,
    "api/create_model": 201,
    "api/create_model_without_consent": 422,
    "api/create_training": 202,
    "api/delete_model": 202,
    "api/delete_photo": 204,
    "api/request_photo_uploads": 201,
    "api/withdraw_consent": 202,
    "replicate_webhook/forged": 401,
}

Invoke = Callable[[str], Any]


@pytest.fixture(scope="module")
def user(new_user: NewUser) -> User:
    """Trainings cost more than images."""
    return new_user("developer", credits=5000)


@pytest.fixture(scope="module")
def newest(user: User) -> Json:
    """Samples are about the newest generation: from now on one of this user's."""
    return user.create()


@pytest.fixture
def settled(user: User, newest: Json, reconcile: Reconcile) -> None:
    """Leave no work of an earlier sample under way, and always something to be about."""
    if not [user.wait(g["id"]) for g in user.all(PATH)]:
        user.wait(user.create()["id"])
    models = user.all(MODELS)
    for model in models:
        if model["status"] == "draft":
            user.http.delete(f"{MODELS}/{model['id']}")
    # Whatever is being deleted is gone at once, for nothing runs: samples are about the newest that there is.
    reconcile()
    if not [model for model in models if model["status"] == "ready"]:
        model_id = own_models.with_photos(user)
        own_models.trained(user, model_id, own_models.train(user, model_id)["id"], "succeeded")
    for model in user.all(MODELS):
        for training in user.all(f"{MODELS}/{model['id']}/trainings"):
            own_models.trained(user, model["id"], training["id"])


@pytest.fixture
def invoke(state_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Invoke:
    def run(*command: str) -> Any:
        status = main([*command, "--state-dir", str(state_dir)])
        printed = capsys.readouterr()
        assert status == 0, printed.err
        return json.loads(printed.out)

    def freshened_and_invoked(sample: str) -> Any:
        event = tmp_path / "event.json"
        event.write_text(json.dumps(run("event", sample)), "utf-8")
        return run("invoke", sample.partition("/")[0], "--event", str(event))

    return freshened_and_invoked


def test_there_are_samples_for_every_function() -> None:
    folders = {handler.parent.name for handler in (engine.ROOT / "functions").glob("*/handler.py")}
    assert {sample.partition("/")[0] for sample in SAMPLES} == folders
    assert set(STATUSES) <= set(SAMPLES)


REQUESTS = [sample for sample in SAMPLES if sample.startswith(("api/", "replicate_webhook/"))]
SCHEDULES = ["reconcile_jobs/schedule"]
BATCHES = [sample for sample in SAMPLES if sample not in (*REQUESTS, *SCHEDULES)]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("sample", REQUESTS)
def test_a_request_is_answered(sample: str, invoke: Invoke) -> None:
    answer = invoke(sample)
    assert answer["statusCode"] == STATUSES.get(sample, 200), answer["body"]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("sample", BATCHES)
def test_a_batch_is_taken_but_for_what_cannot_be_read(sample: str, invoke: Invoke, user: User) -> None:
    before = user.account()["credits"]

    failures = invoke(sample)["batchItemFailures"]

    assert bool(failures) == sample.endswith("/poison")
    # What is long over is not done again.
    assert user.account()["credits"] == before


@pytest.mark.parametrize("sample", SCHEDULES)
def test_the_schedule_says_how_much_was_due(sample: str, invoke: Invoke) -> None:
    assert set(invoke(sample)) == {"visited"}
