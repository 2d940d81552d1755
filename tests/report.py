"""Writes what a run measured into docs/reliability.md, each run into a section of its own."""

from __future__ import annotations

import re
from pathlib import Path

RELIABILITY = Path(__file__).parents[1] / "docs" / "reliability.md"


def section(name: str, page: Path = RELIABILITY) -> str:
    """Return what stands between `<!-- name: ... -->` and `<!-- /name -->`. Raises LookupError."""
    return _find(name, page.read_text("utf-8"))["text"].strip()


def write_section(name: str, text: str, page: Path = RELIABILITY) -> None:
    """Replace the section's text. Raises LookupError when the page has no such section."""
    whole = page.read_text("utf-8")
    start, end = _find(name, whole).span("text")
    page.write_text(f"{whole[:start]}{text.strip()}\n{whole[end:]}", "utf-8")


def _find(name: str, whole: str) -> re.Match[str]:
    marks = rf"<!-- {re.escape(name)}: [^>]*-->\n(?P<text>.*?)<!-- /{re.escape(name)} -->"
    found = re.search(marks, whole, re.DOTALL)
    if found is None:
        raise LookupError(f"no section {name!r}")
    return found
