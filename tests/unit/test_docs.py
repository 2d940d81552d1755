"""What the documentation says is held against the code it speaks of."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local import template

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def test_generated_parts_are_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": "functions:layers/core:.", "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    missing = [
        link for link in links if not link.startswith("https://") and not (page.parent / link).exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_in_code_marks_exist(page: Path) -> None:
    named = re.findall(
        r"`((?:docs|functions|layers|local|tests|events)/[\w./-]+\.\w+)`", page.read_text("utf-8")
    )
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_resources_and_outputs_named_in_commands_are_the_templates(page: Path) -> None:
    text, source = page.read_text("utf-8"), template.load(ROOT / "template.yaml")
    assert set(re.findall(r"--logical-resource-id (\w+)", text)) <= set(source["Resources"])
    assert set(re.findall(r"OutputKey=='(\w+)'", text)) <= set(source["Outputs"])


def test_what_is_said_to_be_in_the_log_of_a_dead_letter_is_logged_by_the_functions() -> None:
    section = (ROOT / "docs/operations.md").read_text("utf-8").split("## Dead letters\n")[1].split("\n## ")[0]
    told = {
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([a-z]+_[a-z]+)`", line.split("|")[1])
    }
    code = "".join(
        path.read_text("utf-8")
        for folder in ("functions", "layers/core")
        for path in (ROOT / folder).rglob("*.py")
    )
    assert told == {"unreadable_message", "start_failed", "start_faulted", "finish_failed"}
    assert not [name for name in told if f'"{name}"' not in code]
