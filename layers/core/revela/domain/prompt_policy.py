"""The prompt policy: which texts no image is made of, decided by versioned data.

The data (`data/prompt_policy.json`) holds lists of terms by language and rules over these lists. A rule
applies when each of its groups is hit; the first that refuses decides, else the first that is uncertain,
or that would refuse if the text did not exclude what it names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from revela.domain.errors import InvalidParam
from revela.domain.prompt_terms import EXCEPTIONS, NEGATIONS, Excluded, Hit, TermIndex
from revela.domain.prompt_text import read

Category = Literal["sexual", "minors", "violence", "hate", "self_harm", "public_person", "unreadable"]
Outcome = Literal["allow", "uncertain", "refuse"]
_PLACES_COMPARED = 64
# What a text is for: a name is a trigger word, a model's name, or the value of a template's variable.
Use = Literal["prompt", "negative_prompt", "name"]


@dataclass(frozen=True)
class Verdict:
    """`rule` and `category` are None if nothing applied; `matched`, the words that did, are never logged."""

    outcome: Outcome
    rule: str | None = None
    category: Category | None = None
    matched: tuple[str, ...] = field(default=(), repr=False)


class Rule(BaseModel):
    """Applies when every group of `all` is hit by one of its lists, and none of `none` is hit.

    `within` bounds how many words lie between the groups. `own_model` None: with and without one.
    `negated`: a term that the text excludes counts as well. One that it may exclude counts where a personal
    model is what makes it matter, for the judge who would be asked does not know whom the images show.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")
    category: Category
    outcome: Literal["refuse", "uncertain"]
    all: tuple[tuple[str, ...], ...] = Field(min_length=1)
    none: tuple[str, ...] = ()
    within: int | None = None
    own_model: bool | None = None
    uses: tuple[Use, ...] = ("prompt", "name")
    negated: bool = False

    @model_validator(mode="after")
    def _pairs_lie_within(self) -> Self:
        if self.within is not None and len(self.all) != 2:
            raise ValueError("only two groups can lie within some words of each other")
        return self

    @property
    def counting(self) -> Excluded:
        """As far as this a term may be excluded and counts."""
        if self.negated:
            return Excluded.SURELY
        return Excluded.MAYBE if self.own_model else Excluded.NO

    def lists(self) -> set[str]:
        return {name for group in (*self.all, self.none) for name in group}


class PromptPolicy(BaseModel):
    """`terms` by list and language; `exceptions` and `negations` are lists of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    version: str
    terms: dict[str, dict[str, tuple[str, ...]]]
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        used = set().union(*(rule.lists() for rule in self.rules)) | {EXCEPTIONS, *NEGATIONS}
        if used != set(self.terms):
            raise ValueError(f"lists without a rule, or rules without a list: {used ^ set(self.terms)}")
        if len({rule.id for rule in self.rules}) != len(self.rules):
            raise ValueError("each rule id must be unique")
        return self

    @cached_property
    def index(self) -> TermIndex:
        return TermIndex(
            {name: [term for listed in by.values() for term in listed] for name, by in self.terms.items()}
        )

    def judge(self, text: str, *, use: Use = "prompt", own_model: bool = False) -> Verdict:
        """Return what is to be done with a text; `own_model`: it is drawn by a personal model."""
        seen = read(text)
        hits = [
            hit for number, reading in enumerate(seen.readings) for hit in self.index.hits(reading, number)
        ]
        rules = [r for r in self.rules if use in r.uses and r.own_model in (None, own_model)]
        uncertain: Verdict | None = None
        for rule in rules:
            matched = _applies(rule, hits, counting=rule.counting)
            if matched is None:
                continue
            verdict = Verdict(rule.outcome, rule.id, rule.category, matched)
            if rule.outcome == "refuse":
                return verdict
            uncertain = uncertain or verdict
        if uncertain is not None:
            return uncertain
        for rule in rules:
            matched = _applies(rule, hits, counting=Excluded.MAYBE)
            if matched is not None:
                return Verdict("uncertain", rule.id, rule.category, matched)
        if seen.unread:
            return Verdict("uncertain", "unreadable.script", "unreadable")
        return Verdict("allow")


def refusal(name: str, verdict: Verdict) -> InvalidParam | None:
    """Return why the field `name` is refused, or None where it is not."""
    if verdict.outcome != "refuse":
        return None
    args = {"rule": verdict.rule}
    match verdict.category:
        case "sexual":
            return InvalidParam(name, "refused_sexual", args)
        case "minors":
            return InvalidParam(name, "refused_minors", args)
        case "violence":
            return InvalidParam(name, "refused_violence", args)
        case "hate":
            return InvalidParam(name, "refused_hate", args)
        case "self_harm":
            return InvalidParam(name, "refused_self_harm", args)
        case "public_person":
            return InvalidParam(name, "refused_public_person", args)
    raise ValueError(f"no text for a refusal as {verdict.category}")


def _applies(rule: Rule, hits: Iterable[Hit], *, counting: Excluded) -> tuple[str, ...] | None:
    """Return the words by which the rule applies, or None; `counting`: with terms excluded as far as this."""
    if any(hit.list in rule.none for hit in hits if hit.excluded is Excluded.NO):
        return None
    counted = [hit for hit in hits if hit.excluded <= counting]
    groups = [[hit for hit in counted if hit.list in group] for group in rule.all]
    if not all(groups):
        return None
    if rule.within is None:
        return tuple(group[0].words for group in groups)
    # The first places of a text that repeats itself suffice, and bound the work.
    one, other = (group[:_PLACES_COMPARED] for group in groups)
    near = (
        (a.words, b.words)
        for a, b in product(one, other)
        if a.reading == b.reading and max(a.start, b.start) - min(a.end, b.end) <= rule.within
    )
    return next(near, None)
