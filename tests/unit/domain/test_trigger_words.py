from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revela.domain.photo import ModelKind
from revela.domain.trigger_words import (
    PromptPrefix,
    Subject,
    generate_trigger_word,
    invalid_trigger_word,
    with_trigger_word,
)

PREFIX = PromptPrefix(
    subject="a photo of {trigger_word} {class_word}, ", style="in the style of {trigger_word}, "
)
WOMAN = Subject(ModelKind.FACE, "REVK", "woman")
stable = settings(derandomize=True, database=None, deadline=None)


def injected(prompt: str, subject: Subject = WOMAN) -> str:
    return with_trigger_word(prompt, subject, PREFIX)


# Words of one's own


@pytest.mark.parametrize("word", ["REVK", "revk7", "TOK", "zak", "A1B2C3D4E5F6G7H8", "3ana3"])
def test_letters_and_digits_that_mean_nothing_are_taken(word: str) -> None:
    assert invalid_trigger_word("trigger_word", word) is None


@pytest.mark.parametrize(
    ("word", "code"),
    [
        (None, "must_be_string"),
        (7, "must_be_string"),
        (["REVK"], "must_be_string"),
        ("", "trigger_word_form"),
        ("RE", "trigger_word_form"),
        ("R" * 17, "trigger_word_form"),
        ("R" * 100_000, "trigger_word_form"),
        ("12345", "trigger_word_form"),
        ("RE VK", "trigger_word_form"),
        ("REVK\n", "trigger_word_form"),
        ("RÉVK", "trigger_word_form"),
        ("ＲＥＶＫ", "trigger_word_form"),
        ("REVK-1", "trigger_word_form"),
        ("<s0>", "trigger_word_form"),
        ("Woman", "trigger_word_common"),
        ("MULHER", "trigger_word_common"),
        ("photos", "trigger_word_common"),
        ("revk", "trigger_word_taken"),
    ],
)
def test_a_word_that_would_not_work_is_refused_with_its_reason(word: object, code: str) -> None:
    found = invalid_trigger_word("trigger_word", word, taken=["REVK"] if code.endswith("taken") else ())

    assert found is not None
    assert (found.name, found.code) == ("trigger_word", code)


# Generated words


@stable
@given(st.integers(0, 2**31 - 1))
def test_a_generated_word_is_one_that_would_be_taken_and_can_be_said(entropy: int) -> None:
    word = generate_trigger_word(entropy)

    assert invalid_trigger_word("trigger_word", word) is None
    assert re.fullmatch(r"(?:[B-DF-HJ-NP-TV-Z][AEIOU][B-DF-HJ-NP-TV-Z]){1}.{5}", word)
    assert not re.search(r"[^AEIOU]{3}|[AEIOU]{2}", word)


def test_generated_words_are_hardly_ever_the_same_twice() -> None:
    words = {generate_trigger_word(entropy * 6_007) for entropy in range(10_000)}

    assert len(words) >= 9_990
    assert not [word for word in words if "PUTA" in word or "NAZI" in word]


def test_a_word_that_is_taken_is_not_generated_again() -> None:
    first = generate_trigger_word(7)
    second = generate_trigger_word(7, taken=[first.lower()])

    assert len({first, second, generate_trigger_word(7, taken=[first, second])}) == 3


# Prompts


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        # The word is there: nothing is added, only its writing is mended
        ("REVK woman at the sea", "REVK woman at the sea"),
        ("revk at the sea", "REVK at the sea"),
        ("photo of Revk's dog", "photo of REVK's dog"),
        ("revk, smiling; REVK!", "REVK, smiling; REVK!"),
        ("(revk:1.2) at dusk", "(REVK:1.2) at dusk"),
        ("retrato de revk na praia", "retrato de REVK na praia"),
        ("super-revk and revk_woman", "super-REVK and REVK_woman"),
        # The class word is there: the word goes before it, once
        ("a woman at the sea", "a REVK woman at the sea"),
        ("The Woman's hat, a woman", "The REVK Woman's hat, a woman"),
        ("uma mulher na praia", "uma REVK mulher na praia"),
        # Neither: as the captions of the training began
        ("at the sea", "a photo of REVK woman, at the sea"),
        ("women of the sea", "a photo of REVK woman, women of the sea"),
        ("a REVKa at the sea", "a photo of REVK woman, a REVKa at the sea"),
        ("REVK2 and 2REVK", "a photo of REVK woman, REVK2 and 2REVK"),
        ("éREVKé", "a photo of REVK woman, éREVKé"),
        ("", "a photo of REVK woman, "),
    ],
)
def test_the_trigger_word_gets_into_a_prompt_once(prompt: str, expected: str) -> None:
    assert injected(prompt) == expected


def test_a_class_word_of_either_language_is_known() -> None:
    homem = Subject(ModelKind.HALF_BODY, "REVK", "homem")

    assert injected("a man in Rio", homem) == "a REVK man in Rio"
    assert injected("um homem no Rio", homem) == "um REVK homem no Rio"
    assert injected("a woman in Rio", homem) == "a photo of REVK homem, a woman in Rio"


def test_a_class_of_several_words_is_one_class() -> None:
    dog = Subject(ModelKind.FULL_BODY, "REVK", "border collie")

    assert injected("a Border  Collie on grass", dog) == "a REVK Border  Collie on grass"


def test_a_style_is_named_before_the_prompt_whatever_it_shows() -> None:
    style = Subject(ModelKind.STYLE, "REVK", "style")

    assert injected("a house in any style", style) == "in the style of REVK, a house in any style"


def test_words_that_look_like_patterns_are_words() -> None:
    assert injected(r"a c+ \1 man", Subject(ModelKind.FACE, "REVK", "c+")) == r"a REVK c+ \1 man"


subjects = st.builds(
    Subject,
    st.sampled_from(ModelKind),
    st.from_regex(r"[A-Za-z][A-Za-z0-9]{2,9}", fullmatch=True),
    st.sampled_from(["woman", "homem", "pessoa", "golden retriever", "style"]),
)
pieces = st.lists(
    st.sampled_from(["a ", "woman", "homem", "'s ", ", ", "TRIGGER", "trigger", "_", "-", "é", " ", "1"])
    | st.text(max_size=5)
)


@stable
@given(pieces, subjects)
def test_a_second_injection_changes_nothing(parts: list[str], subject: Subject) -> None:
    prompt = (
        "".join(parts)
        .replace("TRIGGER", subject.trigger_word)
        .replace("trigger", subject.trigger_word.lower())
    )
    once = injected(prompt, subject)

    assert injected(once, subject) == once
    assert subject.trigger_word in once


@stable
@given(pieces, subjects)
def test_no_word_of_a_prompt_is_lost(parts: list[str], subject: Subject) -> None:
    prompt = "".join(parts)
    once = injected(prompt, subject)

    assert len(once) >= len(prompt)
    assert once.count(subject.trigger_word) <= prompt.lower().count(subject.trigger_word.lower()) + 1


def test_a_prefix_that_does_not_name_the_word_is_none() -> None:
    with pytest.raises(ValueError, match="names the trigger word"):
        PromptPrefix(subject="a photo of a {class_word}, ", style="{trigger_word}")
