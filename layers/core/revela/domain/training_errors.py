"""What to do after a training failed: the trainers' known errors, their causes, and one more attempt or none.

A training costs dollars and half an hour, so at most one attempt follows, and only where another may end
differently. Sources: the trainers' own messages (flux-fine-tuner's and cog-sdxl's train.py), Replicate's
documentation of error codes, and what people report who train.
"""

from __future__ import annotations

import re
from datetime import timedelta

from revela.domain.retry import Rule


def _training_rule(pattern: str, attempts_more: int, failure_code: str, wait_s: int = 30) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), attempts_more, failure_code, timedelta(seconds=wait_s))


# The first rule that matches decides.
TRAINING_RULES: tuple[Rule, ...] = (
    _training_rule(r"\bNSFW\b|flagged as sensitive|\(E005\)", 0, "photos_moderated"),
    # The photos were checked before: what does not decode in the trainer will not decode next time either.
    _training_rule(
        r"cannot identify image|image file is truncated|UnidentifiedImageError|DecompressionBomb"
        r"|No files found in|no images",
        0,
        "photos_unreadable",
    ),
    # The next attempt makes and uploads the zip anew.
    _training_rule(
        r"must be a zip file|not a zip file|BadZipFile|input_images must be provided", 1, "photos_lost"
    ),
    _training_rule(
        r"failed to download|could not download|error downloading|40[34] Client Error|HTTP 40[34]",
        1,
        "photos_lost",
    ),
    _training_rule(
        r"input failed validation|didn't match any layers|caption_prefix|invalid literal for int"
        r"|unknown optimizer",
        0,
        "provider_rejected",
    ),
    _training_rule(r"out of memory|\bE1001\b", 0, "out_of_memory"),
    # Seen for hours on some workers and not on others.
    _training_rule(
        r"no file named config\.json|read-only file system|no module named|ImportError"
        r"|no space left on device",
        1,
        "trainer_broken",
        600,
    )._replace(model_is_away=True),
    _training_rule(r"failed to create trained image", 1, "version_lost"),
    _training_rule(r"destination does not exist", 1, "version_lost"),
    _training_rule(r"\bE4875\b", 0, "provider_failed"),
    _training_rule(r"\bE8765\b", 1, "model_unavailable", 300)._replace(model_is_away=True),
    _training_rule(
        r"\(E00[34]\)|temporarily unavailable|high demand|queue reached limit", 1, "model_unavailable", 300
    ),
    _training_rule(r"\bE9825\b", 1, "version_lost"),
    _training_rule(r"\bE6716\b|\bE8367\b|\bE9243\b|\bE1000\b|\bE9828\b", 1, "provider_failed", 60),
    _training_rule(r"interrupted; please retry|code: PA\b", 1, "provider_failed"),
    _training_rule(r"timed out|time limit", 0, "timeout"),
    # An error that is null or empty, and every text nobody has classified yet.
    _training_rule(r"", 1, "provider_failed"),
)
TRAINING_ABORTED = _training_rule(r"", 1, "timeout")
TRAINING_TIMED_OUT = _training_rule(r"", 0, "timeout")
# It succeeded, and no version came with it.
NO_VERSION = _training_rule(r"", 1, "version_lost")

# A trainer's message is at its end; a traceback of megabytes must not be searched whole.
_SEARCHED_CHARACTERS = 8_000


def training_rule_for(error: str | None) -> Rule:
    text = (error or "")[-_SEARCHED_CHARACTERS:]
    return next(rule for rule in TRAINING_RULES if rule.pattern.search(text))
