"""Which harm is told where several are found: a judgement names one."""

from __future__ import annotations

from collections.abc import Iterable

from revela.domain.judgement import HarmCategory

# Self-harm stands before violence: where it is seen both are, and who asked for it is told where help is.
MOST_SEVERE_FIRST: tuple[HarmCategory, ...] = (
    "minors",
    "sexual",
    "nudity",
    "self_harm",
    "hate",
    "violence",
    "drugs",
    "other",
)


def most_severe(found: Iterable[HarmCategory | None]) -> HarmCategory | None:
    """Return the worst of what was found; None when nothing of it is a harm."""
    harms = {harm for harm in found if harm is not None}
    return min(harms, key=MOST_SEVERE_FIRST.index, default=None)
