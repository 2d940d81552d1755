"""Write what the documentation takes from the code: OpenAPI document, state diagram, error codes.

python docs/generate.py           writes the files
python docs/generate.py --check   writes nothing, exits with 1 if a file is not what the code says
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

from api.openapi import document
from revela import bootstrap
from revela.domain import messages
from revela.domain.job import TERMINAL, TRANSITIONS, Event, State

DOCS = Path(__file__).parent
NEW = "[*]"


def state_diagram() -> str:
    labels: dict[tuple[str, str], list[str]] = defaultdict(list)
    labels[NEW, State.QUEUED].append("accepted, a place is free")
    labels[NEW, State.WAITING].append("accepted, no place is free")
    for source, event, targets in TRANSITIONS:
        for target in targets:
            # Looks of reconcile change nothing but due_at, and would draw a loop at every state.
            if event is not Event.VISITED:
                labels[source, target].append(event.value)
    labels[State.DELETING, NEW].append("objects and row gone")
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"  {a} --> {b}: {' / '.join(events)}" for (a, b), events in labels.items()]
    ends = ", ".join(sorted(TERMINAL))
    return "\n".join([*lines, "```", "", f"Settled, and final but for deletion: {ends}."])


def error_codes() -> str:
    kinds = (
        ("Of a request (`code`)", messages.ERRORS),
        ("Of one field (`invalid_params[].code`)", messages.PARAMS),
        ("Of a generation (`error.code`)", messages.FAILURES),
    )
    lines: list[str] = []
    for title, texts in kinds:
        lines += [f"### {title}", "", "| code | en | pt-BR |", "| --- | --- | --- |"]
        lines += [f"| `{code}` | {text['en']} | {text['pt-BR']} |" for code, text in texts.items()] + [""]
    return "\n".join(lines).rstrip()


def generated() -> dict[Path, str]:
    """Return each generated file's whole text."""
    return {
        DOCS / "openapi.json": json.dumps(document(bootstrap.ports().catalog), indent=2, ensure_ascii=False)
        + "\n",
        DOCS / "architecture.md": _filled(DOCS / "architecture.md", "states", state_diagram()),
        DOCS / "frontend.md": _filled(DOCS / "frontend.md", "codes", error_codes()),
    }


def _filled(path: Path, mark: str, text: str) -> str:
    """Return the file's text with what stands between the two comments of `mark` replaced."""
    return re.sub(
        rf"(<!-- {mark}: [^\n]*-->\n).*(<!-- /{mark} -->)",
        lambda m: f"{m[1]}{text}\n{m[2]}",
        path.read_text("utf-8"),
        flags=re.DOTALL,
    )


def main() -> int:
    texts = generated()
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        if "--check" in sys.argv:
            sys.stderr.write(f"{path.name} is not what the code says: run `make docs`\n")
        else:
            path.write_text(texts[path], "utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
