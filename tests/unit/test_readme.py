"""README.md makes promises in tables and commands; each is held against what it speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from local import engine
from local.__main__ import main
from tests.unit.function_settings import FUNCTIONS, SOURCE

README = (engine.ROOT / "README.md").read_text("utf-8")
TABLES = {"Generations", "Models", "Credits", "Ledger", "Control"}
READS = {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"}
WRITES = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}


def rows_under(heading: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the section's table."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


ROWS = {cells[0].strip("`"): cells[1:] for cells in rows_under("Functions")}


def statements_of(folder: str) -> list[dict[str, Any]]:
    role = SOURCE["Resources"][FUNCTIONS[folder]["Role"]["Fn::GetAtt"][0]]
    statements: list[dict[str, Any]] = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return statements


def allowed(folder: str, actions: set[str]) -> set[str]:
    """Return the logical ids of what the function's role may do any of these to."""
    found = set()
    for statement in statements_of(folder):
        if actions & set(statement["Action"]):
            found |= set(re.findall(r"\w+", str(statement["Resource"]))) & set(SOURCE["Resources"])
    return found


def tables_in(cell: str) -> set[str]:
    return {table for table in TABLES if re.search(rf"\b{table}\b", cell)}


def test_the_table_names_every_function() -> None:
    assert set(ROWS) == set(FUNCTIONS)


@pytest.mark.parametrize("folder", ROWS)
def test_a_function_writes_the_tables_that_its_role_may_write(folder: str) -> None:
    _, _, writes, _ = ROWS[folder]
    assert {f"{table}Table" for table in tables_in(writes)} == allowed(folder, WRITES) & {
        f"{table}Table" for table in TABLES
    }


@pytest.mark.parametrize("folder", ROWS)
def test_a_function_may_read_the_tables_it_is_said_to_read(folder: str) -> None:
    _, reads, _, _ = ROWS[folder]
    assert {f"{table}Table" for table in tables_in(reads)} <= allowed(folder, READS)


@pytest.mark.parametrize("folder", ROWS)
def test_a_function_sends_to_the_queues_and_the_bus_it_is_said_to(folder: str) -> None:
    *_, emits = ROWS[folder]
    queues = {queue for queue in allowed(folder, {"sqs:SendMessage"}) if not queue.endswith("DeadLetters")}
    assert set(re.findall(r"\b\w+Queue\b", emits)) == queues
    assert ("EventBridge" in emits) == bool(allowed(folder, {"events:PutEvents"}))


@pytest.mark.parametrize("folder", ROWS)
def test_a_function_is_triggered_by_what_is_said(folder: str) -> None:
    trigger, *_ = ROWS[folder]
    said = {"HTTP API": "HttpApi", "Queue": "SQS", "schedule": "Schedule", "stream": "DynamoDB"}
    kinds = {event["Type"] for event in FUNCTIONS[folder]["Events"].values()}
    assert kinds == {kind for word, kind in said.items() if word in trigger}


def test_every_parameter_of_the_template_is_explained_with_its_default() -> None:
    explained = {
        name: default
        for names, _, default, _ in rows_under("Settings")
        for name in re.findall(r"`(\w+)`", names)
    }
    # Set by the local engine alone.
    ours = {"AwsEndpointUrl", "ClockOffset"}
    assert set(explained) == set(SOURCE["Parameters"]) - ours
    # What is empty by default is explained in words, and the audience goes with the issuer.
    in_words = {name for name, parameter in SOURCE["Parameters"].items() if parameter["Default"] == ""}
    for name in set(explained) - in_words - {"JwtAudience"}:
        default = str(SOURCE["Parameters"][name]["Default"])
        assert default in re.findall(r"[^\s`,]+(?<!:)", explained[name]), name


def test_a_variable_that_sets_a_parameter_here_is_one_that_the_functions_read() -> None:
    variables = {name for _, cell, *_ in rows_under("Settings") for name in re.findall(r"`(\w+)`", cell)}
    read = set(re.findall(r'"([A-Z_]+)"', (engine.ROOT / "layers/core/revela/settings.py").read_text()))
    # The token is never in a function's environment.
    assert variables - read == {"REPLICATE_API_TOKEN"}
    assert set(engine.PARAMETER_OF) <= variables


def test_every_make_command_is_a_target() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):.*##", (engine.ROOT / "Makefile").read_text()))
    commands = set(re.findall(r"(?m)(?:^|`)make ([a-z-]+)", README))
    assert commands
    assert commands <= targets


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m local (\w+)", README))))
def test_every_command_of_the_engine_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out
