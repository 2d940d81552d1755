from __future__ import annotations

from dataclasses import replace

import pytest

from local.check.causes import Cause
from local.check.replicate import shipped_catalog
from local.check.time_limits import TimeLimits, Worker, contradictions, of_this_checkout
from revela.domain.policy import POLL_MAX

SOUND = TimeLimits(
    workers=(Worker("start_generation", 60, 360, 91, 30),),
    api_timeout_s=29,
    deadlines_s={"flux-dev": 1800},
    deadline_margin_s=30,
    poll_max_s=240,
)
WORKER = SOUND.workers[0]


def test_this_checkout_contradicts_itself_nowhere() -> None:
    limits = of_this_checkout(shipped_catalog())
    assert list(contradictions(limits)) == []
    assert {worker.name for worker in limits.workers} == {"start_generation", "finish_generation"}


def test_limits_that_just_go_together_do() -> None:
    assert list(contradictions(SOUND)) == []


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (replace(SOUND, workers=(replace(WORKER, visibility_s=359),)), "delivers again after 359 s"),
        (replace(SOUND, workers=(replace(WORKER, lease_s=90),)), "the lease of start_generation ends"),
        (replace(SOUND, api_timeout_s=30), "API Gateway waits 30 s"),
        (replace(SOUND, deadline_margin_s=0), "Cancel-After"),
        (replace(SOUND, deadlines_s={"flux-dev": 1801}), "flux-dev may take 1801 s"),
        (replace(SOUND, poll_max_s=3600), "outputs are kept for 3600 s"),
    ],
)
def test_a_contradiction_is_told(limits: TimeLimits, said: str) -> None:
    (found,) = contradictions(limits)
    assert said in found


def test_polls_come_as_soon_as_is_said() -> None:
    """A poll, and a run of the schedule that carries it out."""
    assert "within five minutes" in Cause.STUCK_PROCESSING.meaning
    assert POLL_MAX.total_seconds() + 60 <= 5 * 60
