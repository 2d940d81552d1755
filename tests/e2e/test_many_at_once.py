"""Many generations of one user at once: all are done, none twice, and no plan runs more than it allows."""

from __future__ import annotations

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.e2e.conftest import NewUser
from tests.e2e.stand_in import StandIn
from tests.e2e.users import ENDED, PATH, User, assert_credits_add_up, eventually

MANY = 100
PATIENCE_S = 180
# A function that did not answer in its time, on a machine that has a hundred of them at once; and one that
# did, to say that others wrote the account for too long.
AGAIN = (502, 409)


def request(user: User, prompt: str) -> httpx.Response:
    """Ask as clients are told to: with a key, and again with it when there was no time for an answer."""
    key = str(uuid.uuid4())
    while True:
        answer = user.post({"model": "flux-schnell", "prompt": prompt, "num_outputs": 1}, key=key)
        if answer.status_code not in AGAIN:
            assert answer.status_code == 202, answer.text
            return answer


def test_a_hundred_at_once_all_succeed_with_one_prediction_each(new_user: NewUser, stand_in: StandIn) -> None:
    user = new_user("developer", credits=MANY)
    prompt = f"a hundred lighthouses of {user.name}"

    with ThreadPoolExecutor(MANY) as pool:
        answers = list(pool.map(lambda _: request(user, prompt), range(MANY)))

    ids = {answer.json()["id"] for answer in answers}
    assert len(ids) == MANY
    done = user.wait_all(ids, patience_s=PATIENCE_S)
    assert Counter(g["status"] for g in done) == {"succeeded": MANY}
    predictions = stand_in.predictions(prompt)
    assert Counter(p["status"] for p in predictions) == {"succeeded": MANY}
    assert {p["input"]["seed"] for p in predictions} == {g["params"]["seed"] for g in done}
    assert user.account()["credits"] == {"available": 20, "held": 0, "spent": MANY}
    assert_credits_add_up(user)


def test_a_plan_with_two_places_hands_them_over_in_order(new_user: NewUser, stand_in: StandIn) -> None:
    user = new_user("essential")
    prompt = f"two places of {user.name}"
    # The first two are still at it when the last has been asked for.
    stand_in.order(slow_predictions={"count": 2, "queue_s": 0.1, "predict_s": 4})
    accepted = [request(user, prompt).json() for _ in range(6)]
    assert [g["status"] for g in accepted] == ["queued"] * 2 + ["waiting"] * 4

    seen: list[list[str]] = []

    def states() -> list[str]:
        now = {g["id"]: g["status"] for g in user.all(PATH)}
        seen.append([now[g["id"]] for g in accepted])
        return seen[-1]

    ended = eventually(states, lambda now: set(now) <= set(ENDED), patience_s=PATIENCE_S)

    assert ended == ["succeeded"] * 6
    for now in seen:
        assert sum(state not in ("waiting", *ENDED) for state in now) <= 2, seen
        # No overtaking: behind the first that waits, everybody waits.
        assert sorted(now, key=lambda state: state == "waiting") == now, seen
    assert Counter(p["status"] for p in stand_in.predictions(prompt)) == {"succeeded": 6}
    assert_credits_add_up(user)


def test_a_full_waiting_room_is_told_and_holds_nothing(new_user: NewUser, stand_in: StandIn) -> None:
    user = new_user()
    stand_in.order(slow_predictions={"count": "all", "queue_s": 0.1, "predict_s": 60})
    ids = [request(user, "x").json()["id"] for _ in range(6)]

    refused = user.post({"model": "flux-schnell", "prompt": "x", "num_outputs": 1})

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_jobs")
    assert int(refused.headers["Retry-After"]) > 0
    assert user.account()["credits"] == {"available": 14, "held": 6, "spent": 0}
    for id_ in reversed(ids[1:]):
        assert user.cancel(id_).json()["status"] == "canceled"
    user.cancel(ids[0])
    user.wait(ids[0], "canceled")
    assert_credits_add_up(user)
