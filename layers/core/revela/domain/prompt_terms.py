"""Terms of the prompt policy, and where they stand in a reading of a text.

A term is words, each in one of the forms in which it may be written: `(big|huge) cat`, `cat(|s)`. A word
that is a term by itself may end in `*` (whatever begins so) or stand between two (whatever contains it).
`<minor>` stands for a number below 18. Plurals in -s and -es and repeated letters are found unlisted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import product
from typing import Any, NamedTuple

from revela.domain.prompt_text import BREAK, Reading

# Innocent phrases: what lies in one is no hit.
EXCEPTIONS = "exceptions"
# Words before what is not wanted, and how many words they may reach. English "no" reaches the next word
# alone, for in Portuguese it means "in the".
NEGATIONS = {"negations": 3, "negations_next_word": 1}
# What carries an exclusion on from the term before it: "without blood or gore".
_CARRIERS = frozenset({"or", "nor", "ou", "nem", "ni"})
MINOR = "<minor>"
OF_AGE = 18

_SHORTEST_STEM, _LONGEST_STEM = 3, 16
_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_END = ""
_Trie = dict[str, Any]
Forms = tuple[str, ...]


class Excluded(IntEnum):
    """Whether a text excludes what it names.

    Surely where a negation stands right before it. Where words lie between them it may ("without too much
    blood") or may not ("without makeup naked").
    """

    NO = 0
    MAYBE = 1
    SURELY = 2


class Hit(NamedTuple):
    """`words` of the reading from `start` to before `end` are a term of the list."""

    list: str
    start: int
    end: int
    words: str
    reading: int
    excluded: Excluded


class _Found(NamedTuple):
    lists: frozenset[str]
    start: int
    end: int


class TermIndex:
    """All lists of terms, searched at once."""

    def __init__(self, lists: Mapping[str, Iterable[str]]) -> None:
        self._trie: _Trie = {}
        self._stems: dict[str, set[str]] = defaultdict(set)
        self._parts: dict[str, set[str]] = defaultdict(set)
        self._known: set[str] = set()
        for name, terms in lists.items():
            for term in terms:
                for spelled in spellings(term):
                    self._add(name, spelled)

    def hits(self, reading: Reading, number: int = 0) -> Iterator[Hit]:
        """Yield the terms of the reading, which is one of several, but those within an exception."""
        forms = [self._forms(word) for word in reading]
        found = [at for start in range(len(reading)) for at in self._at(reading, forms, start)]
        innocent: set[int] = set()
        for at in found:
            if EXCEPTIONS in at.lists:
                innocent.update(range(at.start, at.end))
        excluded = _excluded(reading, found)
        for at in found:
            if innocent.intersection(range(at.start, at.end)):
                continue
            words = " ".join(reading[at.start : at.end])
            for name in at.lists - {EXCEPTIONS, *NEGATIONS}:
                yield Hit(name, at.start, at.end, words, number, excluded.get(at.start, Excluded.NO))

    def _add(self, name: str, term: str) -> None:
        words = term.split()
        if len(words) == 1 and "*" in term:
            stem = term.strip("*")
            if not _SHORTEST_STEM <= len(stem) <= _LONGEST_STEM:
                raise ValueError(f"a stem has {_SHORTEST_STEM} to {_LONGEST_STEM} letters: {term}")
            (self._parts if term.startswith("*") else self._stems)[stem].add(name)
            return
        node = self._trie
        for word in words:
            self._known.add(word)
            node = node.setdefault(word, {})
        node.setdefault(_END, set()).add(name)

    def _at(self, reading: Reading, forms: list[Forms], start: int) -> Iterator[_Found]:
        word = reading[start]
        for size in range(_SHORTEST_STEM, min(len(word), _LONGEST_STEM) + 1):
            if word[:size] in self._stems:
                yield _Found(frozenset(self._stems[word[:size]]), start, start + 1)
        if self._parts and len(word) >= _SHORTEST_STEM:
            for part, lists in self._parts.items():
                if part in word:
                    yield _Found(frozenset(lists), start, start + 1)
        yield from _walk(self._trie, forms, start, start)

    def _forms(self, word: str) -> Forms:
        """Return the word as lists may have it: as it is, without a plural's ending or repeated letters."""
        if word.isdigit():
            return (word, MINOR) if len(word) <= 2 and int(word) < OF_AGE else (word,)
        forms = dict.fromkeys((word, *_singular(word)))
        if word in self._known:
            return tuple(form for form in forms if form in self._known)
        for repeated in (re.sub(r"(.)\1{2,}", r"\1\1", word), re.sub(r"(.)\1+", r"\1", word)):
            forms |= dict.fromkeys((repeated, *_singular(repeated)))
        return tuple(form for form in forms if form in self._known)


def _walk(node: _Trie, forms: list[Forms], start: int, at: int) -> Iterator[_Found]:
    if at > start and _END in node:
        yield _Found(frozenset(node[_END]), start, at)
    if at == len(forms):
        return
    for form in forms[at]:
        if form in node:
            yield from _walk(node[form], forms, start, at + 1)


def spellings(term: str) -> list[str]:
    """Return the term once for each choice among its alternatives."""
    parts = _ALTERNATIVES.split(term)
    choices = [part.split("|") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def _singular(word: str) -> tuple[str, ...]:
    if not word.endswith("s") or len(word) <= 3:
        return ()
    return (word[:-1], word[:-2]) if word.endswith("es") and len(word) > 4 else (word[:-1],)


def _excluded(reading: Reading, found: Sequence[_Found]) -> dict[int, Excluded]:
    """Return the places that a negation of the same clause stands right before, and those it may reach."""
    excluded: dict[int, Excluded] = {}
    for at in found:
        reach = max((NEGATIONS[name] for name in at.lists & NEGATIONS.keys()), default=0)
        for place in range(at.end, min(at.end + reach, len(reading))):
            if reading[place] == BREAK:
                break
            degree = Excluded.SURELY if place == at.end else Excluded.MAYBE
            excluded[place] = max(degree, excluded.get(place, degree))
    for at in sorted(found, key=lambda at: at.start):
        carried = at.end + 1 < len(reading) and reading[at.end] in _CARRIERS
        if excluded.get(at.start) is Excluded.SURELY and carried and not at.lists & NEGATIONS.keys():
            excluded[at.end + 1] = Excluded.SURELY
    return excluded
