"""What to do after a failure: Replicate's error codes and texts, and how long to wait.

Sources: Replicate's documentation of prediction errors (E####, from the platform), the models' own
messages (three-digit E###, and plain text), and what users of the API report.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import NamedTuple


class Rule(NamedTuple):
    """`attempts_more`: how often a new attempt may follow; `failure_code` names the cause for the user.

    `model_is_away`: the failure is the model's own, whatever was asked of it. `operator`: somebody who runs
    the installation has to mend something.
    """

    pattern: re.Pattern[str]
    attempts_more: int
    failure_code: str
    wait: timedelta = timedelta(seconds=5)
    model_is_away: bool = False
    operator: bool = False


def _rule(pattern: str, attempts_more: int, failure_code: str, wait_s: int = 5) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), attempts_more, failure_code, timedelta(seconds=wait_s))


# The first rule that matches decides.
RULES: tuple[Rule, ...] = (
    # A new seed may pass, but the house pays for every try: once.
    _rule(r"\bNSFW content detected|all generated images contained NSFW", 0, "moderated"),
    _rule(r"flagged as sensitive|\(E005\)", 0, "moderated"),
    _rule(r"input failed validation", 0, "provider_rejected"),
    _rule(r"\bE1001\b|out of memory", 1, "provider_failed"),
    # It found no address to call back: the webhook URL is set wrongly.
    _rule(r"\bE4875\b", 0, "provider_failed")._replace(operator=True),
    _rule(r"\bE8765\b", 2, "model_unavailable", 120)._replace(model_is_away=True),
    _rule(r"\bE6716\b|\bE9825\b", 3, "provider_failed", 15),
    _rule(r"\bE9243\b", 1, "provider_failed"),
    _rule(r"\bE8367\b|\bE1000\b|\bE9828\b", 3, "provider_failed"),
    _rule(r"\(E00[34]\)|temporarily unavailable|high demand|queue reached limit", 3, "model_unavailable", 30),
    _rule(r"interrupted; please retry|code: PA\b", 2, "provider_failed"),
    # An error that is null or empty, and every text nobody has classified yet.
    _rule(r"", 2, "provider_failed"),
)
ABORTED = Rule(re.compile(""), 2, "timeout", timedelta(seconds=15))
TIMED_OUT = Rule(re.compile(""), 0, "timeout")
NO_OUTPUT = Rule(re.compile(""), 1, "outputs_missing")
OUTPUTS_UNUSABLE = Rule(re.compile(""), 1, "outputs_missing")

BACKOFF_MAX = timedelta(minutes=10)
REFUSED_WAIT = timedelta(seconds=5)
UNAUTHORIZED_WAIT = timedelta(minutes=2)
OUT_OF_CREDIT_WAIT = timedelta(minutes=1)
# A create was answered with 404: nothing was created, and the model may come back.
MODEL_AWAY_WAIT = timedelta(seconds=30)


def rule_for(error: str | None) -> Rule:
    text = error or ""
    return next(rule for rule in RULES if rule.pattern.search(text))


def backoff(base: timedelta, times: int, *, fraction: float, maximum: timedelta = BACKOFF_MAX) -> timedelta:
    """Return an exponential wait with full jitter; `fraction` is random in [0, 1).

    At least a tenth of the full wait is kept, so that a retry is never immediate.
    """
    # 1 << 16 is far past every maximum; an unbounded exponent would overflow.
    full = min(base * (1 << min(times, 16)), maximum)
    return max(full * fraction, full / 10)
