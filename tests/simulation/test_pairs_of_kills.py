"""Two kills in one history, a share of all pairs; the long form plays every one."""

from __future__ import annotations

import pytest

from tests.simulation.crash_points.pairs import FLOWS, survive_share

# Primes, so that the share wanders over calls, and over before and after.
STEPS = {"life": 7, "queue": 31, "silence": 31, "trouble": 61, "judged": 61}


@pytest.mark.parametrize("flow", FLOWS)
def test_two_kills_lose_and_double_nothing(flow: str) -> None:
    outcomes = list(survive_share(FLOWS[flow], STEPS[flow]))

    assert [outcome.failure for outcome in outcomes if outcome.failure] == []
    assert len(outcomes) > 100
