"""Write what the documentation takes from the code: OpenAPI document, states, error codes, counts of cases.

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
from revela.domain.training_messages import TRAINING_ADVICE, TRAINING_FAILURES, TRAINING_REMEDIES
from tests.unit.adapters import hostile_urls, test_outputs, test_outputs_hostile, test_replicate_token
from tests.unit.usecases import test_webhook_rotation, webhook_cases

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
        ("Of a generation whose blocked images were charged (`error.code`)", messages.CHARGED_FAILURES),
        ("Of a prompt that a judge refused (`error.category`, where it says more)", messages.PROMPT_FAILURES),
        ("Of a blocked image (`blocked[].category`)", messages.BLOCKS),
        ("Of a training (`error.code`, why)", TRAINING_FAILURES),
        ("Of a training (`error.code`, what to do: `error.advice`)", TRAINING_REMEDIES),
        ("Of a photo and of a set of photos (verdicts and `report.missing`)", messages.PHOTOS),
        ("Of what to do next with a model (`next_step.code`)", messages.STEPS),
        ("Of advice on a training", TRAINING_ADVICE),
    )
    lines: list[str] = []
    for title, texts in kinds:
        lines += [f"### {title}", "", "| code | en | pt-BR |", "| --- | --- | --- |"]
        lines += [f"| `{code}` | {text['en']} | {text['pt-BR']} |" for code, text in texts.items()] + [""]
    return "\n".join(lines).rstrip()


def hostile_input() -> str:
    rows = (
        (
            "URLs that no output has",
            len(hostile_urls.FORBIDDEN),
            "no socket is opened and no name looked up: other schemes, look-alike hosts, users and ports, "
            "addresses in every notation, metadata services",
        ),
        (
            "redirects to them",
            len(test_outputs_hostile.REDIRECTS),
            "none is followed: the one connection is the one to the allowed host",
        ),
        (
            "addresses behind an allowed name",
            len(hostile_urls.NOT_PUBLIC),
            "not connected to, not even beside a good one, nor when the name changes between two tries",
        ),
        (
            "answers in place of an image",
            sum(map(len, (test_outputs.UNUSABLE, test_outputs.TOO_LARGE, test_outputs.TROUBLE))),
            "given up, cut off at the size limit, or fetched again within a minute, in bounded memory",
        ),
        (
            "API calls that are sent elsewhere",
            2 * len(test_replicate_token.CALLS) + len(test_replicate_token.PAGED),
            "by redirects and by links to a next page; the API token goes to the API's origin only",
        ),
        (
            "genuine webhooks of odd form",
            len(webhook_cases.HEARD),
            "heard, and what is passed on can be read and fits into a message",
        ),
        (
            "webhooks that prove nothing",
            len(webhook_cases.UNPROVEN),
            "401, whatever is wrong with headers, timestamp, signature or URL; nothing is passed on",
        ),
        (
            "signed webhooks that are no prediction",
            len(webhook_cases.MALFORMED),
            "400, never a server's fault",
        ),
        (
            "moments of two secret rotations",
            len(test_webhook_rotation.SECONDS_OF_OUR_KEY) + len(test_webhook_rotation.MINUTES_OF_REPLICATES),
            "a webhook by any key in use is heard by every process, with a forger at each door; a key opens "
            "no door after the next rotation",
        ),
    )
    lines = [f"| {what} | {count} | {held} |" for what, count, held in rows]
    return "\n".join(["| | cases | what holds |", "| --- | --- | --- |", *lines])


def generated() -> dict[Path, str]:
    """Return each generated file's whole text."""
    return {
        DOCS / "openapi.json": json.dumps(document(bootstrap.ports().catalog), indent=2, ensure_ascii=False)
        + "\n",
        DOCS / "architecture.md": _filled(DOCS / "architecture.md", "states", state_diagram()),
        DOCS / "frontend.md": _filled(DOCS / "frontend.md", "codes", error_codes()),
        DOCS / "reliability.md": _filled(DOCS / "reliability.md", "hostile", hostile_input()),
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
