"""docs/troubleshooting.md: every link that a check prints leads somewhere, every name in it exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from local import engine
from local.check.causes import Cause
from local.check.generation import REFUSED, STUCK
from local.check.webhook_address import UNPROVEN
from replicate_webhook.handler import answer
from revela.domain.messages import FAILURES
from revela.usecases.hear_webhook import Verdict
from tests.unit.function_settings import FUNCTIONS, SOURCE

PAGE = (engine.ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
OPERATIONS = (engine.ROOT / "docs" / "operations.md").read_text("utf-8")
CODE = "\n".join(
    file.read_text("utf-8")
    for folder in ("functions", "layers/core/revela")
    for file in sorted((engine.ROOT / folder).rglob("*.py"))
)
# The words in code marks: log events, codes, fields, parameters.
MARKED = set(re.findall(r"`([^`\s]+)`", PAGE))


def anchors(page: str) -> list[str]:
    """Return what GitHub makes of the headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", page)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.name)
def test_what_a_check_prints_leads_to_a_section(cause: Cause) -> None:
    assert cause.anchor in anchors(PAGE)
    assert cause.meaning.endswith(".")
    assert cause.remedy.endswith(".")


def test_each_section_has_a_place_of_its_own() -> None:
    found = anchors(PAGE)
    assert len(set(found)) == len(found)


def test_links_within_the_page_lead_to_its_sections() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= set(anchors(PAGE))


def test_links_into_operations_lead_to_its_sections() -> None:
    assert set(re.findall(r"\]\(operations\.md#([^)]+)\)", PAGE)) <= set(anchors(OPERATIONS))


def test_names_of_resources_metrics_and_errors_exist() -> None:
    named = {name for name in MARKED if re.fullmatch(r"(?:[A-Z]+[a-z]+){2,}", name)}
    in_template = SOURCE["Parameters"].keys() | SOURCE["Resources"].keys() | SOURCE["Outputs"].keys()
    metrics = set(re.findall(r'count\(\s*"(\w+)"', CODE))
    errors = set(re.findall(r"(?m)^class (\w+)\(", CODE))
    of_aws = {"VisibilityTimeout", "SignatureDoesNotMatch", "AccessDenied", "AccessDeniedException"}
    assert named & in_template
    assert named & metrics
    assert named & errors
    assert named - in_template - metrics - errors == of_aws


def test_log_events_codes_and_fields_are_the_codes() -> None:
    named = {name for name in MARKED if re.fullmatch(r"[a-z]+(?:_[a-z]+)+", name)}
    # A claim of Cognito's tokens, a field of API Gateway's log, and what the door's verdict is called.
    elsewhere = {"client_id", "authorizer_error", UNPROVEN}
    assert {name for name in named - elsewhere - FUNCTIONS.keys() if name not in CODE} == set()


def test_the_door_answers_as_the_check_expects() -> None:
    refused = answer(Verdict.UNPROVEN)
    assert (refused["statusCode"], json.loads(refused["body"])["code"]) == (401, UNPROVEN)


def test_every_code_of_a_failed_generation_is_explained() -> None:
    section = PAGE.split("### Generation fails\n")[1].split("\n### ")[0]
    assert set(re.findall(r"(?m)^\| `(\w+)`", section)) == set(FAILURES)


def test_every_reason_of_a_rejected_webhook_is_explained() -> None:
    door = (engine.ROOT / "layers/core/revela/usecases/hear_webhook.py").read_text("utf-8")
    reasons = set(re.findall(r'_rejected\(Verdict\.\w+, "(\w+)"', door))
    section = PAGE.split("### Webhooks are rejected\n")[1].split("\n### ")[0]
    assert reasons
    assert set(rows(section)) == reasons


def rows(section: str) -> Iterator[str]:
    for cell in re.findall(r"(?m)^  \| ((?:`\w+`(?:, )?)+) \|", section):
        yield from re.findall(r"`(\w+)`", cell)


def test_checks_know_every_code_that_they_explain() -> None:
    assert {f'"{code}"' for code in REFUSED if f'"{code}"' not in CODE} == set()
    assert all(f'"{status}"' in CODE for status in STUCK)
