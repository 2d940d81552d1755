"""The local engine, as its users meet it: commands, addresses, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import jwt
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa

from local import aws, engine, identity, state
from local.state import State
from tests.e2e.command_line import api, local, run
from tests.e2e.processes import LOOPBACK, alive, eventually, family, listening_addresses

WORK = {"model": "flux-schnell", "prompt": "a tiled kitchen in Lisbon", "num_outputs": 1}
ENDED = {"succeeded", "failed", "canceled"}


def settings_of(current: State, folder: str) -> dict[str, str]:
    configuration = aws.client("lambda", current.aws_endpoint_url).get_function_configuration(
        FunctionName=current.functions[folder]
    )
    variables: dict[str, str] = configuration["Environment"]["Variables"]
    return variables


def as_role(current: State, role: str, service: str) -> Any:
    """Return a client with a function's rights."""
    roles = aws.client("iam", current.aws_endpoint_url).list_roles()["Roles"]
    (arn,) = (found["Arn"] for found in roles if f"-{role}-" in found["RoleName"])
    session = aws.client("sts", current.aws_endpoint_url).assume_role(RoleArn=arn, RoleSessionName="test")
    credentials = session["Credentials"]
    create: Any = boto3.client
    return create(
        service,
        endpoint_url=current.aws_endpoint_url,
        region_name=current.region,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


@pytest.fixture(scope="session")
def finished(state_dir: Path, engine_state: State) -> dict[str, Any]:
    """A generation of the user `dora`, brought to its end by the running system."""
    local("account", "dora", "--plan", "developer", "--credits", "10", state_dir=state_dir)
    with api(engine_state, local("token", "dora", state_dir=state_dir).strip()) as client:
        location = client.post("/v1/generations", json=WORK).raise_for_status().headers["Location"]
        assert eventually(lambda: client.get(location).json()["status"] in ENDED)
        generation: dict[str, Any] = client.get(location).json()
    return generation


# ---------------------------------------------------------------- what it says of itself


def test_the_state_file_names_what_runs(state_dir: Path, engine_state: State) -> None:
    written = json.loads((state_dir / "state.json").read_text())
    promised = {
        *("api_url", "api_host", "replicate_url", "aws_endpoint_url", "region", "bucket"),
        *("tables", "queues", "functions", "webhook_secret"),
    }
    assert promised <= set(written)
    assert set(written["tables"]) == {"generations", "models", "credits", "ledger", "control"}
    folders = {handler.parent.name for handler in (engine.ROOT / "functions").glob("*/handler.py")}
    assert set(written["functions"]) == folders
    aws.client("s3", engine_state.aws_endpoint_url).head_bucket(Bucket=written["bucket"])
    for url in written["queues"].values():
        aws.client("sqs", engine_state.aws_endpoint_url).get_queue_attributes(QueueUrl=url)
    assert written["api_url"] == f"http://{written['api_host']}"


def test_single_functions_find_this_system_by_the_names_in_the_samples(engine_state: State) -> None:
    """events/env.json can name tables, queues and secrets because they are called the same in every run."""
    named = json.loads((engine.ROOT / "events" / "env.json").read_text())["Parameters"]

    lambdas = aws.client("lambda", engine_state.aws_endpoint_url)
    for function in engine_state.functions.values():
        given = lambdas.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        for name in given.keys() & named.keys() - {"LOG_LEVEL", "CLOCK_OFFSET_S"}:
            assert _without_origin(given[name]) == _without_origin(named[name]), name


def _without_origin(value: str) -> str:
    return re.sub(r"^http://[^/]+", "", value)


def test_tests_that_share_an_engine_run_in_one_process(request: pytest.FixtureRequest) -> None:
    """Or each process would start a system of its own, and they would starve each other."""
    shared_out = "PYTEST_XDIST_WORKER" in os.environ
    assert request.node.nodeid.endswith("@e2e") == shared_out


def test_everything_listens_on_this_machine_only(engine_state: State) -> None:
    addresses = listening_addresses(family(engine_state.pid))
    urls = (engine_state.aws_endpoint_url, engine_state.replicate_url, engine_state.issuer_url)
    assert {port for _, port in addresses} == {httpx.URL(url).port for url in urls}
    assert {address for address, _ in addresses} == {LOOPBACK}


def test_a_second_engine_cannot_take_the_same_state(state_dir: Path) -> None:
    refused = run("up", "--detach", state_dir=state_dir)
    assert refused.returncode == 1
    assert "runs in" in refused.stderr
    assert state.read(state_dir).pid > 0


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run("up", "--detach", "--port", str(port), state_dir=tmp_path)
    assert refused.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in refused.stderr
    assert not (tmp_path / "state.json").exists()


@pytest.mark.parametrize(
    "command", [("token", "ana"), ("logs", "api"), ("invoke", "api"), ("advance", "1"), ("down",)]
)
def test_commands_say_when_nothing_runs(command: tuple[str, ...], tmp_path: Path) -> None:
    refused = run(*command, state_dir=tmp_path)
    assert refused.returncode == 1
    assert "no engine runs" in refused.stderr


# ---------------------------------------------------------------- the authorizer


def test_a_token_of_the_issuer_opens_the_door(state_dir: Path, engine_state: State) -> None:
    with api(engine_state, local("token", "ana", state_dir=state_dir).strip()) as client:
        assert client.get("/v1/account").status_code == 200


def test_without_a_token_only_open_routes_answer(engine_state: State) -> None:
    with api(engine_state) as client:
        assert client.get("/v1/health").status_code == 200
        assert client.get("/v1/account").status_code == 401


@pytest.fixture(scope="module")
def claims(state_dir: Path) -> dict[str, Any]:
    token = local("token", "ana", "--admin", state_dir=state_dir).strip()
    return jwt.decode(token, options={"verify_signature": False})


def test_an_operators_token_carries_the_group(claims: dict[str, Any]) -> None:
    assert claims["sub"] == "ana"
    assert claims["cognito:groups"] == ["admin"]


@pytest.mark.parametrize(
    "change",
    [{"exp": 1_600_000_000}, {"aud": "another"}, {"iss": "http://127.0.0.1:1"}],
    ids=["expired", "audience", "issuer"],
)
def test_a_token_for_something_else_is_refused(
    change: dict[str, Any], claims: dict[str, Any], state_dir: Path, engine_state: State
) -> None:
    key = (state_dir / identity.KEY_FILE).read_bytes()
    token = jwt.encode({**claims, **change}, key, algorithm="RS256", headers={"kid": identity.KEY_ID})
    with api(engine_state, token) as client:
        assert client.get("/v1/account").status_code == 401


def test_a_token_signed_with_another_key_is_refused(claims: dict[str, Any], engine_state: State) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": identity.KEY_ID})
    with api(engine_state, token) as client:
        assert client.get("/v1/account").status_code == 401


def test_browsers_of_a_known_origin_are_answered(engine_state: State) -> None:
    asked = {"Access-Control-Request-Method": "POST"}
    with api(engine_state) as client:
        known = client.options("/v1/generations", headers={**asked, "Origin": "http://localhost:3000"})
        other = client.options("/v1/generations", headers={**asked, "Origin": "https://evil.example"})
    assert known.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "Location" in known.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in other.headers


# ---------------------------------------------------------------- roles are enforced


def test_the_api_may_add_to_the_ledger_and_take_nothing_away(engine_state: State) -> None:
    dynamodb, table = as_role(engine_state, "ApiRole", "dynamodb"), engine_state.tables["ledger"]
    entry = {"account_id": {"S": "acc_test"}, "id": {"S": "entry#000000000001"}}
    dynamodb.put_item(TableName=table, Item=entry)
    with pytest.raises(ClientError, match="AccessDenied"):
        dynamodb.delete_item(TableName=table, Key=entry)


def test_the_open_door_cannot_read_what_it_queues(engine_state: State) -> None:
    sqs = as_role(engine_state, "ReplicateWebhookRole", "sqs")
    sqs.send_message(QueueUrl=engine_state.queues["GenerationWebhookQueue"], MessageBody="{}")
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.receive_message(QueueUrl=engine_state.queues["GenerationWebhookQueue"])


# ---------------------------------------------------------------- commands


def test_a_generation_runs_through_every_queue_and_function(finished: dict[str, Any]) -> None:
    assert finished["status"] == "succeeded", finished
    assert httpx.get(finished["outputs"][0]["url"]).status_code == 200


def test_a_grant_given_twice_is_given_once(state_dir: Path) -> None:
    order = ("account", "eva", "--plan", "pro", "--credits", "7", "--reference", "order-1")
    once = json.loads(local(*order, state_dir=state_dir))
    twice = json.loads(local(*order, state_dir=state_dir))
    assert once["plan"] == "pro"
    assert twice["available"] == once["available"]


def test_a_grant_of_an_unknown_plan_is_refused_with_those_there_are(state_dir: Path) -> None:
    refused = run("account", "eva", "--plan", "gold", "--credits", "1", state_dir=state_dir)
    assert refused.returncode == 1
    assert "developer" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_sample_about_a_generation_here_is_answered(state_dir: Path, finished: dict[str, Any]) -> None:
    event = local("event", "api/get", state_dir=state_dir)
    answer = json.loads(local("invoke", "api", "--event", "-", state_dir=state_dir, stdin=event))
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["id"] == finished["id"]


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(("sample", "status"), [("succeeded", 200), ("forged", 401)])
def test_a_fresh_webhook_is_believed_and_a_forged_one_is_not(
    sample: str, status: int, state_dir: Path, engine_state: State
) -> None:
    event = json.loads(local("event", f"replicate_webhook/{sample}", state_dir=state_dir))
    kept = {name: value for name, value in event["headers"].items() if name.startswith("webhook-")}
    with api(engine_state) as client:
        heard = client.post(
            event["rawPath"], params=event["queryStringParameters"], headers=kept, content=event["body"]
        )
    assert heard.status_code == status


def test_an_unknown_sample_is_answered_with_those_there_are(state_dir: Path) -> None:
    refused = run("event", "api/nothing", state_dir=state_dir)
    assert refused.returncode == 1
    assert "api/get" in refused.stderr


def test_invoking_shows_answer_and_log(state_dir: Path) -> None:
    done = run("invoke", "replicate_webhook", state_dir=state_dir, stdin="")
    assert json.loads(done.stdout)
    assert done.stderr.strip()


def test_a_functions_log_can_be_read(state_dir: Path, engine_state: State) -> None:
    with api(engine_state) as client:
        client.get("/v1/health")
    assert "RequestId" in local("logs", "api", state_dir=state_dir)


def test_the_clock_moves_on_for_the_functions_and_the_stand_in(state_dir: Path, engine_state: State) -> None:
    control = f"{engine_state.replicate_url.removesuffix('/v1')}/_control"
    before = httpx.get(control).json()["clock"]
    offset_s = state.read(state_dir).clock_offset_s
    local("advance", "7200", state_dir=state_dir)
    after = httpx.get(control).json()["clock"]
    assert state.read(state_dir).clock_offset_s == offset_s + 7200
    assert {settings_of(engine_state, folder)["CLOCK_OFFSET_S"] for folder in engine_state.functions} == {
        str(offset_s + 7200)
    }
    assert after["offset_s"] >= before["offset_s"] + 7200


# ---------------------------------------------------------------- another Replicate, and the end

TOKEN = "r8_not_to_be_seen_anywhere"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A second engine, that was given a token and another server for Replicate."""
    directory = tmp_path_factory.mktemp("elsewhere")
    env = {"REPLICATE_API_TOKEN": TOKEN, "REPLICATE_API_BASE_URL": "http://127.0.0.1:9/v1"}
    printed = local("up", "--detach", state_dir=directory, env=env)
    assert TOKEN not in printed
    yield directory
    run("down", state_dir=directory)


def test_another_replicate_is_polled_and_no_stand_in_starts(elsewhere: Path) -> None:
    current = state.read(elsewhere)
    assert current.replicate_url == "http://127.0.0.1:9/v1"
    assert current.webhook_secret is None
    variables = settings_of(current, "start_generation")
    assert variables["REPLICATE_API_BASE_URL"] == "http://127.0.0.1:9/v1"
    assert variables["REPLICATE_WEBHOOK_URL"] == "none"
    assert not (elsewhere / "logs" / "replicate.log").exists()


def test_the_token_goes_into_the_secret_and_nowhere_else(elsewhere: Path) -> None:
    current = state.read(elsewhere)
    secret = aws.client("secretsmanager", current.aws_endpoint_url).get_secret_value(
        SecretId=current.secrets["ReplicateTokenSecret"]
    )
    assert secret["SecretString"] == TOKEN
    for file in elsewhere.rglob("*"):
        if file.is_file():
            assert TOKEN.encode() not in file.read_bytes(), file


def test_the_clock_of_another_replicate_cannot_be_moved(elsewhere: Path) -> None:
    refused = run("advance", "60", state_dir=elsewhere)
    assert refused.returncode == 1
    assert "stand-in" in refused.stderr


def test_a_killed_engine_takes_everything_with_it(elsewhere: Path) -> None:
    supervisor = state.read(elsewhere).pid
    # A worker too, which is a child of a child of the supervisor's.
    run("invoke", "replicate_webhook", state_dir=elsewhere)
    processes = family(supervisor)
    assert len(processes) > 3
    os.kill(supervisor, signal.SIGKILL)
    assert eventually(lambda: not alive(processes))
    assert run("token", "ana", state_dir=elsewhere).returncode == 1


def test_down_returns_when_nothing_is_left(elsewhere: Path) -> None:
    """After the one that was killed: its state directory is as good as new."""
    local("up", "--detach", state_dir=elsewhere)
    supervisor = state.read(elsewhere).pid
    processes = family(supervisor)
    ports = listening_addresses(processes)
    assert ports
    local("down", state_dir=elsewhere)
    assert not alive(processes)
    for _, port in ports:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
    assert not (elsewhere / "state.json").exists()
    assert not (elsewhere / "tmp").exists()
