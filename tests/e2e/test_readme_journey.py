"""The README's journey with curl, command by command as it stands there."""

from __future__ import annotations

import re
import shlex

import httpx
import pytest

from local import engine
from local.state import State
from tests.e2e.conftest import NewUser
from tests.e2e.users import User

SECTION = (
    (engine.ROOT / "README.md").read_text("utf-8").split("## The journey, with curl\n")[1].split("\n## ")[0]
)
# A command goes on as long as its lines end with a backslash.
COMMANDS = re.findall(r"(?m)^curl .*$", SECTION.replace("\\\n", ""))


@pytest.fixture(scope="module")
def reader(new_user: NewUser) -> User:
    return new_user()


def run(command: str, reader: User, current: State, id_: str) -> httpx.Response:
    """Do what curl would do with the arguments that the README uses."""
    filled = command.replace("$API", "").replace("$TOKEN", reader.token).replace("gen_...", id_)
    words = iter(shlex.split(filled, comments=True)[1:])
    headers: dict[str, str] = {}
    method, path, body = "GET", "", None
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            method, body = "POST", next(words)
        elif word not in ("-s", "-si"):
            path = word
    url = f"{current.aws_endpoint_url}{path}"
    return httpx.request(
        method, url, headers=headers | {"Host": current.api_host}, content=body, timeout=60, trust_env=False
    )


def test_every_command_of_the_journey_is_answered(reader: User, engine_state: State) -> None:
    id_ = ""
    answers = []
    for command in COMMANDS:
        answer = run(command, reader, engine_state, id_)
        answers.append((answer.request.method, answer.request.url.path, answer.status_code))
        if answer.status_code == 202:
            id_ = answer.json()["id"]
            reader.wait(id_, "succeeded")
    assert answers == [
        ("GET", "/v1/account", 200),
        ("POST", "/v1/generations", 202),
        ("GET", f"/v1/generations/{id_}", 200),
        ("GET", "/v1/account/ledger", 200),
    ]


def test_the_journey_ends_with_images_of_the_size_asked_for(reader: User) -> None:
    (done,) = reader.all("/v1/generations")
    assert [(o["width"], o["height"]) for o in done["outputs"]] == [(1344, 768)] * 2
    assert all(httpx.get(o["url"], trust_env=False).status_code == 200 for o in done["outputs"])
