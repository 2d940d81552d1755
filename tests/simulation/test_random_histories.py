"""Whole histories of an installation in trouble, each decided by one seed.

Users ask, cancel and delete; messages and webhooks are doubled, late, reordered, forged and lost; processes
with wrong clocks die, stall or overtake each other between any two of their calls; the provider fails in
every way we know. What must always be true is checked after every step, and at the end, when trouble has
ceased, that everything has come to rest. `python -m tests.simulation.soak` plays more of them.
"""

from __future__ import annotations

import pytest

from tests.simulation.play import play

STEPS = 150


@pytest.mark.parametrize("seed", range(50))
def test_in_every_history_jobs_end_once_and_money_adds_up(seed: int) -> None:
    tally = play(seed, steps=STEPS)

    assert sum(tally.ends.values()) == tally.accepted > 0
    assert sum(tally.trainings_end.values()) == tally.trainings_accepted


def test_what_waits_for_more_than_a_day_fails_and_is_refunded() -> None:
    tally = play(28, steps=60, block=True)

    assert tally.ends["failed: queue_timeout"] > 0
    assert sum(tally.ends.values()) == tally.accepted


def test_one_seed_is_one_history() -> None:
    one, same, other = (play(seed, steps=60) for seed in (7, 7, 8))

    assert one == same != other
