"""`python -m local check` on the running system: all is well, and what is broken on purpose is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from local.state import State
from tests.e2e import stored
from tests.e2e.command_line import local, run
from tests.e2e.conftest import NewUser, Reconcile
from tests.e2e.own_models import MODELS
from tests.e2e.stand_in import StandIn
from tests.e2e.users import PATH, assert_credits_add_up


def steps(*arguments: str, state_dir: Path) -> dict[str, dict[str, str]]:
    done = run("check", *arguments, "--json", state_dir=state_dir)
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if told["passed"] else 1)
    return {step["name"]: step for step in told["steps"]}


def test_a_generation_of_the_running_system_passes(state_dir: Path) -> None:
    local("account", "check", "--plan", "developer", "--credits", "10", state_dir=state_dir)
    printed = local("check", "generation", state_dir=state_dir)
    assert printed.count("✓") == 8, printed
    assert "Nothing failed." in printed


def test_a_user_named_by_a_token_is_left_as_found(
    state_dir: Path, engine_state: State, new_user: NewUser
) -> None:
    user = new_user("developer", credits=5)
    before = user.account()["credits"]["available"]
    where = ("--api-url", engine_state.api_url, "--token", user.token)

    found = steps("generation", *where, state_dir=state_dir)

    assert {step["outcome"] for step in found.values()} == {"passed"}
    assert user.all(PATH) == []
    assert user.account()["credits"]["available"] == before - 1
    assert [entry["credits"] for entry in user.ledger() if entry["kind"] == "capture"] == [-1]


def test_one_that_is_stuck_is_canceled_and_costs_nothing(
    state_dir: Path, engine_state: State, new_user: NewUser, stand_in: StandIn
) -> None:
    user = new_user("developer", credits=5)
    stand_in.order(slow_predictions={"count": 1, "queue_s": 0.1, "predict_s": 60})
    where = ("--api-url", engine_state.api_url, "--token", user.token, "--timeout-s", "2")

    found = steps("generation", *where, state_dir=state_dir)

    assert found["generation"]["see"].endswith(("#generation-stays-processing", "#generation-stays-queued"))
    assert found["deletion"]["outcome"] == "skipped"
    (made,) = user.all(PATH)
    assert user.wait(made["id"])["status"] == "canceled"
    assert_credits_add_up(user)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"iss": "https://elsewhere.example.com"}, "wants issuer"), ({"exp": 1_700_000_000}, "it expired at")],
)
def test_a_token_for_elsewhere_is_explained(change: dict[str, Any], said: str, state_dir: Path) -> None:
    token = local("token", "ana", state_dir=state_dir).strip()
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = jwt.encode({**claims, **change}, "k" * 32, algorithm="HS256")
    found = steps("generation", "--token", forged, state_dir=state_dir)
    assert found["token"]["outcome"] == "failed"
    assert said in found["token"]["seen"]


def test_the_replicate_of_the_running_system_passes_up_to_its_own_door(state_dir: Path) -> None:
    found = steps("replicate", state_dir=state_dir)
    assert {step["outcome"] for step in found.values()} == {"passed"}, found
    assert "refuses what Replicate has not signed" in found["webhook door"]["seen"]


def test_photos_and_a_training_of_the_running_system_pass_and_leave_nothing(
    state_dir: Path, engine_state: State, new_user: NewUser, reconcile: Reconcile
) -> None:
    user = new_user("developer", credits=500)
    where = ("--api-url", engine_state.api_url, "--token", user.token)

    found = steps("training", *where, state_dir=state_dir)

    assert {step["outcome"] for step in found.values()} == {"passed"}, found
    assert user.all(MODELS) == []
    reconcile()
    for prefix in ("photos", "incoming"):
        assert stored.keys(engine_state, f"{prefix}/{user.name}/") == []


def test_a_dry_run_of_the_training_pays_nothing(
    state_dir: Path, engine_state: State, new_user: NewUser
) -> None:
    user = new_user("developer", credits=5)
    before = user.account()["credits"]
    where = ("--dry-run", "--api-url", engine_state.api_url, "--token", user.token)

    found = steps("training", *where, state_dir=state_dir)

    assert list(found) == ["token", "model", "upload", "photos", "advice", "deletion"]
    assert {step["outcome"] for step in found.values()} == {"passed"}, found
    assert user.account()["credits"] == before
