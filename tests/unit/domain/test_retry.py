from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revela.domain import retry
from revela.domain.messages import FAILURES
from revela.domain.retry import BACKOFF_MAX, RULES, Rule, backoff, rule_for

SECOND = timedelta(seconds=1)
NAMED = [rule for rule in vars(retry).values() if isinstance(rule, Rule)]


@pytest.mark.parametrize(
    ("error", "attempts_more", "failure_code"),
    [
        # The models' own safety checks
        ("NSFW content detected. Try running it again, or try a different prompt.", 0, "moderated"),
        (
            "All generated images contained NSFW content. Try running it again with a different prompt.",
            0,
            "moderated",
        ),
        (
            "The input or output was flagged as sensitive. Please try again. (E005) (x)",
            0,
            "moderated",
        ),
        # What no repetition changes
        (
            'Prediction input failed validation: {"detail":[{"loc":["body","seed"],"msg":"not an integer"}]}',
            0,
            "provider_rejected",
        ),
        ("Director: unexpected error handling prediction (E4875)", 0, "provider_failed"),
        # The platform's codes
        ("E1000", 3, "provider_failed"),
        ("Prediction failed: E1001", 1, "provider_failed"),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", 1, "provider_failed"),
        ("Director: unexpected error handling prediction (E6716)", 3, "provider_failed"),
        ("Director: unexpected error handling prediction (E8367)", 3, "provider_failed"),
        ("Director: unexpected error handling prediction (E8765)", 2, "model_unavailable"),
        ("Director: unexpected error handling prediction (E9243)", 1, "provider_failed"),
        ("Director: unexpected error handling prediction (E9825)", 3, "provider_failed"),
        ("Director: unexpected error handling prediction (E9828)", 3, "provider_failed"),
        # Proxied models, and models that queue themselves
        ("Service is temporarily unavailable. Please try again later. (E004) (abc)", 3, "model_unavailable"),
        ("The model is experiencing high demand (E003)", 3, "model_unavailable"),
        ("queue reached limit", 3, "model_unavailable"),
        ("Prediction interrupted; please retry (code: PA)", 2, "provider_failed"),
        # Nothing anybody classified
        (None, 2, "provider_failed"),
        ("", 2, "provider_failed"),
        ("list index out of range", 2, "provider_failed"),
        ("E10001 is another code", 2, "provider_failed"),
    ],
)
def test_what_the_provider_says_decides_how_often_to_try_again(
    error: str | None, attempts_more: int, failure_code: str
) -> None:
    rule = rule_for(error)

    assert (rule.attempts_more, rule.failure_code) == (attempts_more, failure_code)


def test_every_rule_ends_some_day_and_names_a_text() -> None:
    assert NAMED
    for rule in (*RULES, *NAMED):
        assert 0 <= rule.attempts_more <= 3
        assert rule.wait > timedelta(0)
        assert rule.failure_code in FAILURES


def test_case_does_not_matter() -> None:
    assert rule_for("nsfw CONTENT detected") is rule_for("NSFW content detected")


@settings(derandomize=True, database=None, deadline=None)
@given(st.none() | st.text())
def test_whatever_is_said_there_is_a_rule(error: str | None) -> None:
    assert rule_for(error) in RULES


def test_only_the_last_rule_takes_everything() -> None:
    assert [rule.pattern.search("") is not None for rule in RULES] == [False] * (len(RULES) - 1) + [True]
    assert RULES[-1].pattern == re.compile("", re.IGNORECASE)


# Waiting

fractions = st.floats(0, 1, exclude_max=True)


@settings(derandomize=True, database=None, deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 10**6), fractions)
def test_a_wait_is_never_nothing_and_never_endless(milliseconds: int, times: int, fraction: float) -> None:
    wait = backoff(timedelta(milliseconds=milliseconds), times, fraction=fraction)

    assert timedelta(0) < wait <= BACKOFF_MAX


@settings(derandomize=True, database=None, deadline=None)
@given(st.integers(0, 100), fractions)
def test_a_wait_stays_within_its_maximum_and_a_tenth_of_the_full_one(times: int, fraction: float) -> None:
    full = min(2**times, 8) * SECOND

    assert full / 10 <= backoff(SECOND, times, fraction=fraction, maximum=8 * SECOND) <= full


def test_the_full_wait_doubles() -> None:
    almost = 1 - 2**-53

    waits = [backoff(SECOND, times, fraction=almost, maximum=timedelta(hours=1)) for times in range(5)]

    assert waits == [SECOND * n for n in (1, 2, 4, 8, 16)]


def test_jitter_takes_any_part_of_the_wait() -> None:
    assert [backoff(10 * SECOND, 0, fraction=f) for f in (0.0, 0.05, 0.1, 0.5)] == [
        SECOND,
        SECOND,
        SECOND,
        5 * SECOND,
    ]
