"""What the functions log, even at debug: enough to follow a job, and nothing of a person or a secret.

Runs last, so that the lines of all other journeys are looked through as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local import aws
from local.state import State
from tests.e2e.command_line import api
from tests.e2e.conftest import Reconcile
from tests.e2e.stand_in import StandIn
from tests.e2e.users import Json, User

# Below this a text is found by chance.
TELLING_CHARS = 10


@pytest.fixture(scope="module")
def debugging(engine_state: State) -> Iterator[None]:
    lambdas = aws.client("lambda", engine_state.aws_endpoint_url)

    def log_at(level: str) -> None:
        for name in engine_state.functions.values():
            variables = lambdas.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            lambdas.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables | {"LOG_LEVEL": level}}
            )

    log_at("DEBUG")
    yield
    log_at("INFO")


@pytest.fixture(scope="module")
def journey(
    debugging: None, user: User, _stand_in: StandIn, engine_state: State, reconcile: Reconcile
) -> Json:
    """A generation that succeeds after others were refused, failed and canceled."""
    failing = {"count": 1, "error": "input failed validation: prompt 'a secret garden of somebody'"}
    _stand_in.order(fail_predictions=failing)
    user.wait(user.create(prompt="a secret garden of somebody")["id"], "failed")
    user.cancel(user.create(prompt="a secret garden of somebody")["id"])
    user.post({"model": "flux-dev", "prompt": "a secret garden of somebody", "num_outputs": 99})
    user.http.post("/v1/generations", content=b'{"prompt": "a secret garden of somebody"')
    with api(engine_state, "a.forged.token-of-somebody") as stranger:
        stranger.get("/v1/account")
        stranger.post("/api/webhooks/generation?user=somebody@example.com&token=forged-by-somebody")
    reconcile()
    done = user.create("flux-dev", prompt="a secret garden of somebody", num_outputs=2)
    return user.wait(done["id"], "succeeded")


@pytest.fixture(scope="module")
def logged(journey: Json, engine_state: State) -> dict[str, list[str]]:
    """Return every line of every log group."""
    logs = aws.client("logs", engine_state.aws_endpoint_url)
    groups = [
        group["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
    ]
    return {
        name: [
            event["message"]
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name)
            for event in page["events"]
        ]
        for name in groups
    }


def told(logged: dict[str, list[str]], **fields: Any) -> list[Json]:
    """Return the structured lines with these fields."""
    lines = (line for lines in logged.values() for line in lines if line.startswith("{"))
    parsed = (json.loads(line) for line in lines)
    return [line for line in parsed if fields.items() <= line.items()]


def test_a_job_can_be_followed_by_its_id(logged: dict[str, list[str]], journey: Json) -> None:
    moves = told(logged, message="generation_moved", generation_id=journey["id"])
    assert [line["to_state"] for line in sorted(moves, key=lambda line: line["timestamp"])] == [
        "starting",
        "processing",
        "saving",
        "succeeded",
    ]
    assert told(logged, message="generation_accepted", generation_id=journey["id"])
    assert told(logged, message="webhook_received", generation_id=journey["id"], status="succeeded")


def test_traffic_with_replicate_is_told_at_debug(logged: dict[str, list[str]]) -> None:
    asked = told(logged, message="replicate_request", method="POST", path="/predictions")
    answered = told(logged, message="replicate_response", method="POST", path="/predictions", status=201)
    assert asked
    assert all(isinstance(line["ms"], int) for line in answered)


def test_no_log_says_who_wanted_what_or_how_to_get_in(
    logged: dict[str, list[str]], everybody: list[User], engine_state: State
) -> None:
    kept = aws.client("secretsmanager", engine_state.aws_endpoint_url).get_secret_value(
        SecretId=engine_state.secrets["WebhookSecret"]
    )
    private = {
        *(user.name for user in everybody),
        *(user.token for user in everybody),
        *(prompt for user in everybody for prompt in user.prompts if len(prompt) >= TELLING_CHARS),
        *(json.loads(kept["SecretString"])["url_token_key"], str(engine_state.webhook_secret)),
        *(str(engine_state.replicate_token), "X-Amz-Signature", "webhook-signature", "@example.com"),
        *("Bearer ", "token=", "forged-by-somebody", "token-of-somebody"),
    }
    found = {
        (group, text)
        for group, lines in logged.items()
        for text in private
        if any(text in line for line in lines)
    }
    assert found == set()


def test_every_function_has_logged(logged: dict[str, list[str]], engine_state: State) -> None:
    for folder in engine_state.functions:
        (group,) = (name for name in logged if name.endswith(f"/{folder}"))
        assert logged[group], group
