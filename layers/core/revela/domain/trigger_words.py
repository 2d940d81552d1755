"""Trigger words: the word that a personal model answers to, and how it gets into a prompt.

A good one means nothing to the base model, or its meaning leaks into every image.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, field_validator

from revela.domain.common_words import COMMON_WORDS
from revela.domain.errors import InvalidParam
from revela.domain.photo import ModelKind

SHORTEST, LONGEST = 3, 16
# Letters that Portuguese and English speakers say alike, and whose syllables seldom make a word.
_CONSONANTS, _VOWELS = "BDFJKLMNPRTVXZ", "AEIOU"
_PATTERN = "CVCCVCVC"
_UNWANTED = ("PUTA", "FODA", "FODE", "FUD", "PIRA", "RABA", "PENI", "NAZI", "PEDO", "DIK", "FUK", "TETA")

_FORM = re.compile(r"[A-Za-z0-9]{3,16}")
_CLASS_WORDS = (
    frozenset({"woman", "mulher"}),
    frozenset({"man", "homem"}),
    frozenset({"person", "pessoa"}),
    frozenset({"style", "estilo"}),
)


class Subject(NamedTuple):
    """Whom or what a personal model shows, and the word for it; `class_word` says what it is one of."""

    kind: ModelKind
    trigger_word: str
    class_word: str

    @property
    def wordings(self) -> tuple[str, str, str]:
        """Its words alone, and last as prompts have them: what passes alone may not pass together."""
        return self.class_word, self.trigger_word, f"{self.trigger_word} {self.class_word}"


class PromptPrefix(BaseModel):
    """What goes before a caption or a prompt, for people and things and for styles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    style: str

    @field_validator("subject", "style")
    @classmethod
    def _names_the_word(cls, template: str) -> str:
        if "{trigger_word}" not in template:
            raise ValueError("a prefix names the trigger word")
        return template

    def of(self, subject: Subject) -> str:
        template = self.subject if subject.kind.of_a_person else self.style
        return template.format(trigger_word=subject.trigger_word, class_word=subject.class_word)


def generate_trigger_word(entropy: int, *, taken: Collection[str] = ()) -> str:
    """Return a pronounceable word that is none, and none of the `taken`.

    Each `entropy`, at least 26 random bits, leads to one of 67 million words.
    """
    used = {word.lower() for word in taken}
    while (word := _spelled(entropy)).lower() in used:
        entropy += 1
    return word


def invalid_trigger_word(name: str, word: object, *, taken: Collection[str] = ()) -> InvalidParam | None:
    """Return why the field `name` holds no usable trigger word, or None; `taken` are the owner's others."""
    if not isinstance(word, str):
        return InvalidParam(name, "must_be_string")
    if not _FORM.fullmatch(word) or word.isdigit():
        return InvalidParam(name, "trigger_word_form", {"minimum": SHORTEST, "maximum": LONGEST})
    if word.lower() in COMMON_WORDS or word.lower().removesuffix("s") in COMMON_WORDS:
        return InvalidParam(name, "trigger_word_common", {"word": word})
    if word.lower() in {other.lower() for other in taken}:
        return InvalidParam(name, "trigger_word_taken", {"word": word})
    return None


def with_trigger_word(prompt: str, subject: Subject, prefix: PromptPrefix) -> str:
    """Return the prompt with the trigger word in it; one that names it keeps its words.

    Trained tokens are case-sensitive, so the word is written as it was trained. Where it is missing it
    goes before the class word, as in the captions of the training, or, where that is missing too, into
    a prefix.
    """
    named = _as_word(subject.trigger_word)
    if named.search(prompt):
        return named.sub(subject.trigger_word, prompt)
    classed = _as_word(*_class_words(subject.class_word)).search(prompt) if subject.class_word else None
    if classed and subject.kind.of_a_person:
        return f"{prompt[: classed.start()]}{subject.trigger_word} {prompt[classed.start() :]}"
    return prefix.of(subject) + prompt


def _as_word(*words: str) -> re.Pattern[str]:
    """Match any of the words where no letter or digit adjoins; an underscore or a hyphen may."""
    either = "|".join(r"\s+".join(re.escape(part) for part in word.split()) for word in words)
    return re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])", re.IGNORECASE)


def _class_words(class_word: str) -> list[str]:
    """Return the class word and what the other language calls it: people prompt in either."""
    word = class_word.lower()
    return [class_word, *sorted(other for words in _CLASS_WORDS if word in words for other in words - {word})]


def _spelled(entropy: int) -> str:
    letters = []
    for place in _PATTERN:
        alphabet = _CONSONANTS if place == "C" else _VOWELS
        entropy, index = divmod(entropy, len(alphabet))
        letters.append(alphabet[index])
    word = "".join(letters)
    for unwanted in _UNWANTED:
        word = word.replace(unwanted, re.sub("[AEIOU]", "O", unwanted))
    return word
