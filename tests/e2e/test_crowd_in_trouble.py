"""Many generations of many users while workers die and no webhook gets in: all end, each paid for once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from local.state import State
from tests.e2e.conftest import Advance, NewUser, Reconcile
from tests.e2e.pulled_plugs import Plugs, assert_saved, door_closed
from tests.e2e.stand_in import StandIn
from tests.e2e.stored import quarantined, states, waiting_pointers
from tests.e2e.users import ENDED, PATH, Json, User, assert_credits_add_up

# Requests by plan; on all but the first most of them have to wait for a place.
FORTY = {"developer": 22, "studio": 10, "pro": 5, "free": 3}
TWO_HUNDRED = {"developer": 120, "studio": 40, "pro": 20, "essential": 14, "free": 6}

DOOR_CLOSED_S = 600
# Every lease is over by then, and no deadline of a job that was sent just before.
STEP_S = 240
REQUEST: Json = {"model": "sdxl", "width": 512, "height": 512}
OUTPUTS_KEPT_S = 3600
# Workers killed in each step while the door is closed, a batch of jobs in the hands of each.
JOBS_PER_PLUG = 12
# Nobody did anything for so long: what is left waits for the clock.
STILL_S = 1.5
LOOK_S = 0.25


def ask_for_all(parties: Mapping[User, int]) -> dict[str, User]:
    """Return who asked, by prompt."""
    asked = {f"request {n} of {user.name}": user for user, jobs in parties.items() for n in range(jobs)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda prompt: asked[prompt].create(prompt=prompt, **REQUEST), asked))
    return asked


def work_until_still(current: State, users: Iterable[User], plugs: Plugs, *, most: int) -> bool:
    """Let workers work, and kill up to `most` of them; tell whether all jobs have ended."""
    most += plugs.pulled
    seen: Counter[str] = Counter()
    since = time.monotonic()
    while time.monotonic() < since + STILL_S:
        time.sleep(LOOK_S)
        busy, now = plugs.busy(), Counter(state for user in users for state in states(current, user))
        if busy or now != seen:
            seen, since = now, time.monotonic()
        if plugs.pulled < most:
            plugs.pull_sometimes(busy)
    return seen.keys() <= set(ENDED)


@pytest.mark.usefixtures("unscheduled")
@pytest.mark.parametrize(
    "crowd", [FORTY, pytest.param(TWO_HUNDRED, marks=pytest.mark.long)], ids=lambda c: f"{sum(c.values())}"
)
def test_every_job_of_a_crowd_ends_saved_and_paid_for_once(
    crowd: dict[str, int],
    new_user: NewUser,
    stand_in: StandIn,
    engine_state: State,
    advance: Advance,
    reconcile: Reconcile,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    total, passed_s = sum(crowd.values()), 0
    parties = {new_user(plan, credits=jobs): jobs for plan, jobs in crowd.items()}
    stand_in.order(slow_predictions={"count": total // 2, "queue_s": 0.1, "predict_s": 20})
    plugs = Plugs(engine_state, ["start_generation", "finish_generation"], seed=7)

    with ExitStack() as door:
        door.enter_context(door_closed(engine_state))
        asked = ask_for_all(parties)
        while passed_s < DOOR_CLOSED_S:
            work_until_still(engine_state, parties, plugs, most=total // JOBS_PER_PLUG)
            advance(STEP_S)
            passed_s += STEP_S
            reconcile()
    while not work_until_still(engine_state, parties, plugs, most=0):
        assert passed_s < OUTPUTS_KEPT_S, {user.name: states(engine_state, user) for user in parties}
        advance(STEP_S)
        passed_s += STEP_S
        reconcile()

    assert plugs.pulled > 0
    ended: list[tuple[User, Json]] = [(user, g) for user in parties for g in user.all(PATH)]
    assert {g["params"]["prompt"]: user for user, g in ended} == asked
    made = stand_in.predictions_by_prompt()
    for user, g in ended:
        assert_saved(user, g, made[g["params"]["prompt"]], stand_in)
    for user in parties:
        assert_credits_add_up(user)
        assert waiting_pointers(engine_state, user) == []
    # Only who dies between settling and tidying up leaves something: the bucket's lifecycle removes it.
    left = [g["id"] for user, g in ended if quarantined(engine_state, user, g["id"])]
    assert len(left) <= plugs.pulled
    for name, number in {
        "killed": plugs.pulled,
        "minutes of the shared clock": passed_s // 60,
        "left in quarantine": len(left),
    }.items():
        record_testsuite_property(f"{total}: {name}", number)
