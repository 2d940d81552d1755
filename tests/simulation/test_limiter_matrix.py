"""The limiter's simulation in a bounded form; `python -m tests.simulation.limiter` plays all of it."""

from __future__ import annotations

import pytest

from tests.simulation.limiter.designs import full_jitter, minute_counter, reserved_slots
from tests.simulation.limiter.matrix import WORKERS, Case, explanation, misses
from tests.simulation.limiter.scenarios import SCENARIOS, play
from tests.simulation.limiter.upstreams import UPSTREAMS, FixedWindow, LeakyBucket, SlidingWindow, TokenBucket

BOUNDED = [Case("steady", "leaky bucket", workers) for workers in WORKERS] + [
    Case(scenario, upstream, 10)
    for scenario in ("burst", "limit halved", "10-minute block", "1 % crashes")
    for upstream in UPSTREAMS
]


@pytest.mark.parametrize("case", BOUNDED, ids=lambda case: f"{case.scenario}-{case.upstream}-{case.workers}")
def test_every_bound_holds_but_those_whose_miss_is_explained(case: Case) -> None:
    outcome = play(SCENARIOS[case.scenario], case.upstream, case.workers, reserved_slots)

    assert [miss for miss in misses(case, outcome) if explanation(case, miss) is None] == [], outcome


def test_a_history_is_the_same_every_time_for_one_seed() -> None:
    one, same, other = (
        play(SCENARIOS["limit halved"], "token bucket", 10, reserved_slots, seed=seed) for seed in (7, 7, 8)
    )

    assert one == same != other


def test_workers_that_do_not_know_of_each_other_are_refused_all_the_time() -> None:
    outcome = play(SCENARIOS["steady"], "token bucket", 50, full_jitter)

    assert outcome.refusals > 100


def test_a_counter_per_minute_writes_for_every_call_and_bursts_at_every_minute() -> None:
    outcome = play(SCENARIOS["steady"], "leaky bucket", 50, minute_counter)

    assert outcome.writes > 1
    assert outcome.refusals > 100


# The models of the upstream themselves


def admitted(upstream: object, times_s: list[float]) -> list[float]:
    return [time_s for time_s in times_s if upstream.ask(time_s) is None]  # type: ignore[attr-defined]  # any of four


@pytest.mark.parametrize("name", UPSTREAMS)
def test_no_model_admits_more_than_its_limit_in_the_long_run(name: str) -> None:
    upstream = UPSTREAMS[name](600)
    times_s = [n / 50 for n in range(50 * 600)]

    assert 6000 <= len(admitted(upstream, times_s)) <= 6060


@pytest.mark.parametrize("name", UPSTREAMS)
def test_what_a_model_says_to_wait_is_enough_and_no_less_is(name: str) -> None:
    upstream = UPSTREAMS[name](600)
    wait_s = None
    now_s = 600.0
    while wait_s is None:
        now_s += 0.001
        wait_s = upstream.ask(now_s)

    assert upstream.ask(now_s + wait_s * 0.99) is not None
    assert upstream.ask(now_s + wait_s + 1e-6) is None


def test_models_differ_in_what_they_take_at_once() -> None:
    at_once = [600.0] * 700

    taken = {
        kind: len(admitted(kind(600), at_once))
        for kind in (TokenBucket, FixedWindow, SlidingWindow, LeakyBucket)
    }

    assert taken == {TokenBucket: 60, FixedWindow: 600, SlidingWindow: 600, LeakyBucket: 10}
