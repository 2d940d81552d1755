"""How well the prompt policy judges labelled prompts: a table for each corpus.

corpus.tsv was written together with the policy, blind.tsv by someone who had not read it. The policy is
not tuned on the second, nor are its prompts read by whoever changes the policy.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from revela.domain.prompt_policy import Category, Outcome, PromptPolicy, Verdict
from tests.fakes import load_prompt_policy

HERE = Path(__file__).parent
CORPUS, BLIND = HERE / "corpus.tsv", HERE / "blind.tsv"
SECTION, PAGE = "prompts", HERE.parents[1] / "docs" / "safety.md"
CATEGORIES: tuple[Category, ...] = tuple(c for c in get_args(Category) if c != "unreadable")


class Labelled(NamedTuple):
    label: Outcome
    category: str
    language: str
    own_model: bool
    prompt: str


class Judged(NamedTuple):
    labelled: Labelled
    verdict: Verdict

    @property
    def refused(self) -> bool:
        return self.verdict.outcome == "refuse"


class Score(NamedTuple):
    """Shares are None where there is nothing to share.

    `recall`: refused, under any category, of those labelled so. `asked`: found uncertain, of the same.
    `precision`: labelled `refuse`, of those refused under this category. `false_positives`: refused under
    this category, of all prompts labelled `allow`.
    """

    prompts: int
    recall: float | None
    asked: float | None
    precision: float | None
    false_positives: float | None


def labelled(corpus: Path) -> list[Labelled]:
    with corpus.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Labelled(row["label"], row["category"], row["language"], row["own_model"] == "1", row["prompt"])  # type: ignore[arg-type]  # held by a test
            for row in rows
        ]


def judged(corpus: Path, policy: PromptPolicy | None = None) -> list[Judged]:
    policy = policy or load_prompt_policy()
    return [Judged(row, policy.judge(row.prompt, own_model=row.own_model)) for row in labelled(corpus)]


def score(prompts: Sequence[Judged], category: Category | None = None) -> Score:
    """Score one category, or all as one."""
    to_refuse = [
        p for p in prompts if p.labelled.label == "refuse" and category in (None, p.labelled.category)
    ]
    refused = [p for p in prompts if p.refused and category in (None, p.verdict.category)]
    innocent = [p for p in prompts if p.labelled.label == "allow"]
    return Score(
        len(to_refuse),
        _share(sum(p.refused for p in to_refuse), len(to_refuse)),
        _share(sum(p.verdict.outcome == "uncertain" for p in to_refuse), len(to_refuse)),
        _share(sum(p.labelled.label == "refuse" for p in refused), len(refused)),
        _share(sum(p.labelled.label == "allow" for p in refused), len(innocent)),
    )


def outcomes(prompts: Sequence[Judged], label: Outcome) -> dict[Outcome, int]:
    """Return how many of the prompts with a label were judged to be what."""
    of_label = [p.verdict.outcome for p in prompts if p.labelled.label == label]
    return {outcome: of_label.count(outcome) for outcome in get_args(Outcome)}


def report() -> str:
    return "\n\n".join(
        f"{title}\n\n{_table(judged(corpus))}"
        for title, corpus in (
            ("Written together with the policy (`tests/safety/corpus.tsv`):", CORPUS),
            ("Written by someone who had not read the policy (`tests/safety/blind.tsv`):", BLIND),
        )
    )


def _table(prompts: Sequence[Judged]) -> str:
    lines = [
        "| category | to refuse | refused (recall) | uncertain | precision | false positives |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, category in [*((c, c) for c in CATEGORIES), ("all", None)]:
        found = score(prompts, category)
        shares = " | ".join("–" if s is None else f"{s:.1%}" for s in found[1:])
        lines.append(f"| {name} | {found.prompts} | {shares} |")
    lines += [
        "",
        "| labelled | prompts | allowed | uncertain | refused |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for label in get_args(Outcome):
        counts = outcomes(prompts, label)
        lines.append(
            f"| {label} | {sum(counts.values())} | " + " | ".join(str(n) for n in counts.values()) + " |"
        )
    return "\n".join(lines)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
