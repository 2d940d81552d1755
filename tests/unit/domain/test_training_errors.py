from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revela.domain import training_errors
from revela.domain.messages import FAILURES, LANGUAGES
from revela.domain.retry import Rule
from revela.domain.training_errors import TRAINING_RULES, training_rule_for
from revela.domain.training_messages import TRAINING_FAILURES, TRAINING_REMEDIES

NAMED = [rule for rule in vars(training_errors).values() if isinstance(rule, Rule)]


@pytest.mark.parametrize(
    ("error", "attempts_more", "failure_code"),
    [
        # The photos
        ("input_images must be a zip file", 1, "photos_lost"),
        ("input_images must be provided", 1, "photos_lost"),
        ("zipfile.BadZipFile: File is not a zip file", 1, "photos_lost"),
        ("404 Client Error: Not Found for url: https://api.replicate.com/v1/files/x", 1, "photos_lost"),
        ("Failed to download an input file: HTTP 404", 1, "photos_lost"),
        ("cannot identify image file 'input_images/7.jpg'", 0, "photos_unreadable"),
        ("image file is truncated (12 bytes not processed)", 0, "photos_unreadable"),
        (
            "No files found in []. Either [] is not a directory or it does not contain any .png",
            0,
            "photos_unreadable",
        ),
        ("The input or output was flagged as sensitive. (E005)", 0, "photos_moderated"),
        # The settings
        ("The regex 'x' didn't match any layers. These layers can be optimized:", 0, "provider_rejected"),
        ("invalid literal for int() with base 10: '1024px'", 0, "provider_rejected"),
        ('Prediction input failed validation: {"detail":[]}', 0, "provider_rejected"),
        ("CUDA out of memory. Tried to allocate 20.00 MiB", 0, "out_of_memory"),
        ("Director: unexpected error handling prediction (E1001)", 0, "out_of_memory"),
        # The trainer
        ("Error no file named config.json found in directory FLUX.1-dev/transformer.", 1, "trainer_broken"),
        ("[Errno 30] Read-only file system: 'vocab.json'", 1, "trainer_broken"),
        ("[Errno 28] No space left on device", 1, "trainer_broken"),
        ("Failed to create trained image after successful training run.", 1, "version_lost"),
        ("The training's destination does not exist any more", 1, "version_lost"),
        ("Director: unexpected error handling prediction (E9825)", 1, "version_lost"),
        # The platform
        ("Director: unexpected error handling prediction (E8765)", 1, "model_unavailable"),
        ("Service is temporarily unavailable. Please try again later. (E004) (abc)", 1, "model_unavailable"),
        ("Director: unexpected error handling prediction (E6716)", 1, "provider_failed"),
        ("Director: unexpected error handling prediction (E4875)", 0, "provider_failed"),
        ("Prediction interrupted; please retry (code: PA)", 1, "provider_failed"),
        ("Training timed out", 0, "timeout"),
        # Nothing anybody classified
        (None, 1, "provider_failed"),
        ("", 1, "provider_failed"),
        ("list index out of range", 1, "provider_failed"),
    ],
)
def test_what_the_trainer_says_decides_whether_one_attempt_follows(
    error: str | None, attempts_more: int, failure_code: str
) -> None:
    rule = training_rule_for(error)

    assert (rule.attempts_more, rule.failure_code) == (attempts_more, failure_code)


def test_a_traceback_is_judged_by_its_end() -> None:
    error = "CUDA out of memory\n" + "  File trainer.py\n" * 10_000 + "OSError: Read-only file system"

    assert training_rule_for(error).failure_code == "trainer_broken"


def test_a_training_is_tried_once_more_at_the_most() -> None:
    for rule in (*TRAINING_RULES, *NAMED):
        assert 0 <= rule.attempts_more <= 1
        assert rule.wait > timedelta(0)


def test_only_the_last_rule_takes_everything() -> None:
    assert [rule.pattern.search("") is not None for rule in TRAINING_RULES] == [False] * (
        len(TRAINING_RULES) - 1
    ) + [True]
    assert TRAINING_RULES[-1].pattern == re.compile("", re.IGNORECASE)


@settings(derandomize=True, database=None, deadline=None)
@given(st.none() | st.text())
def test_whatever_is_said_there_is_a_rule(error: str | None) -> None:
    assert training_rule_for(error) in TRAINING_RULES


# Texts


def test_every_cause_of_a_rule_or_of_any_job_has_a_text_and_a_remedy() -> None:
    of_rules = {rule.failure_code for rule in (*TRAINING_RULES, *NAMED)}
    of_any_job = {"provider_unknown", "queue_timeout"}
    # What `start_training` finds out before there is a training at the provider.
    before_the_create = {"photos_refused", "model_closed"}

    assert of_any_job <= set(FAILURES)
    assert set(TRAINING_FAILURES) == set(TRAINING_REMEDIES) == of_rules | of_any_job | before_the_create


@pytest.mark.parametrize("code", TRAINING_FAILURES)
def test_a_failure_says_that_nothing_was_charged_and_what_to_do(code: str) -> None:
    assert "You were not charged" in TRAINING_FAILURES[code]["en"]
    assert "Você não foi cobrado" in TRAINING_FAILURES[code]["pt-BR"]
    for texts in (TRAINING_FAILURES[code], TRAINING_REMEDIES[code]):
        assert set(texts) == set(LANGUAGES)
        assert texts["en"] != texts["pt-BR"]
        assert all(sentence.endswith(".") for sentence in texts.values())
