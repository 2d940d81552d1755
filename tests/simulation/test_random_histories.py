"""Whole histories of an installation in trouble, each decided by one seed.

Users ask, cancel, delete, appeal and withdraw consent; messages and webhooks are doubled, late, reordered,
forged and lost; processes with wrong clocks die, stall or overtake each other between any two of their calls;
the provider fails in every way we know and makes images that nobody should see; judges are slow or away. What
must always be true is checked after every step, and at the end, when trouble has ceased, that everything has
come to rest. `python -m tests.simulation.soak` plays more of them.
"""

from __future__ import annotations

import pytest

from tests.fakes.ports import load_prompt_policy
from tests.simulation.play import Tally, play
from tests.simulation.prompts import HARMFUL, HARMLESS, IN_DOUBT, PLACES, REFUSED

STEPS = 150
SEEDS = 36


@pytest.fixture(scope="module")
def total() -> Tally:
    """What happened in all histories that were played before."""
    return Tally()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_in_every_history_jobs_end_once_and_money_adds_up(seed: int, total: Tally) -> None:
    tally = play(seed, steps=STEPS)
    total.add(tally)

    assert sum(tally.ends.values()) == tally.accepted > 0
    assert sum(tally.trainings_end.values()) == tally.trainings_accepted


@pytest.mark.parametrize(
    "event",
    [
        *("prompts passed by the judge", "prompts refused by the judge", "images blocked", "judges away"),
        *("generations judged later", "suspensions", "suspensions lifted", "appeals", "consents withdrawn"),
    ],
)
def test_in_some_histories_what_people_fear_happens(event: str, total: Tally) -> None:
    if total.seeds < SEEDS:
        # This test was chosen alone, or among few.
        for seed in range(SEEDS):
            total.add(play(seed, steps=STEPS))

    assert total.events[event] > 0


@pytest.mark.parametrize("place", PLACES)
def test_prompts_are_what_they_are_played_as(place: str) -> None:
    def outcome(prompt: str, *, own_model: bool) -> str:
        return load_prompt_policy().judge(prompt.format(place), use="prompt", own_model=own_model).outcome

    for own_model in (False, True):
        assert outcome(HARMLESS, own_model=own_model) == "allow"
        assert {outcome(prompt, own_model=own_model) for prompt in (IN_DOUBT, HARMFUL)} == {"uncertain"}
        assert {outcome(prompt, own_model=own_model) for prompt in REFUSED} == {"refuse"}


def test_what_waits_for_more_than_a_day_fails_and_is_refunded() -> None:
    total = Tally()
    ends = {"failed: queue_timeout", "failed: judge_unavailable"}
    for seed in range(14, 30):
        # Few jobs wait in one history, and not in every one for both.
        if ends <= set(total.ends):
            break
        total.add(play(seed, steps=60, block=True))

    assert ends <= set(total.ends)
    assert sum(total.ends.values()) == total.accepted


def test_one_seed_is_one_history() -> None:
    one, same, other = (play(seed, steps=60) for seed in (7, 7, 8))

    assert one == same != other
