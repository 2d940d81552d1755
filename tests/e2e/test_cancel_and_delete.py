"""Changing one's mind: a cancel in every state, and a delete that leaves nothing."""

from __future__ import annotations

from typing import Any

from local import aws
from local.state import State
from tests.e2e.conftest import NewUser
from tests.e2e.stand_in import StandIn
from tests.e2e.users import PATH, User, assert_credits_add_up, eventually

SLOW = {"count": "all", "queue_s": 0.1, "predict_s": 60}


def keys_of(current: State, user: User, id_: str) -> list[str]:
    """Return the keys of all objects that are stored for a generation."""
    s3: Any = aws.client("s3", current.aws_endpoint_url)
    return [
        found["Key"]
        for prefix in (f"users/{user.name}/generations/{id_}/", f"quarantine/{user.name}/{id_}/")
        for found in s3.list_objects_v2(Bucket=current.bucket, Prefix=prefix).get("Contents", [])
    ]


def test_one_that_waits_is_canceled_at_once(new_user: NewUser, stand_in: StandIn) -> None:
    user = new_user()
    stand_in.order(slow_predictions=SLOW)
    running, waiting = user.create(), user.create()
    assert waiting["status"] == "waiting"

    canceled = user.cancel(waiting["id"])

    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    assert canceled.json()["credits"] == {"estimated": 1, "held": 0, "charged": 0, "refunded": 1}
    assert user.account()["waiting"] == 0
    user.cancel(running["id"])
    user.wait(running["id"], "canceled")
    assert_credits_add_up(user)


def test_one_that_runs_is_canceled_at_replicate_and_refunded(user: User, stand_in: StandIn) -> None:
    stand_in.order(slow_predictions=SLOW)
    prompt = f"to be canceled by {user.name}"
    id_ = user.create(prompt=prompt)["id"]
    user.wait(id_, "processing")

    asked = user.cancel(id_)

    assert (asked.status_code, asked.json()["cancel_requested"]) == (202, True)
    done = user.wait(id_, "canceled")
    assert done["credits"] == {"estimated": 1, "held": 0, "charged": 0, "refunded": 1}
    assert [p["status"] for p in stand_in.predictions(prompt)] == ["canceled"]
    assert_credits_add_up(user)


def test_a_cancel_at_any_moment_ends_it_once(user: User) -> None:
    """Sent right after the request, it meets whatever state the workers have reached."""
    ids = [user.create()["id"] for _ in range(8)]
    for id_ in ids:
        assert user.cancel(id_).status_code in (200, 202, 409)

    for done in user.wait_all(ids):
        assert done["status"] in ("canceled", "succeeded")
    assert_credits_add_up(user)


def test_asking_twice_changes_nothing(user: User, stand_in: StandIn) -> None:
    stand_in.order(slow_predictions=SLOW)
    id_ = user.create()["id"]
    user.wait(id_, "processing")
    user.cancel(id_)
    user.cancel(id_)
    done = user.wait(id_, "canceled")

    again = user.cancel(id_)

    assert (again.status_code, again.json()["updated_at"]) == (200, done["updated_at"])
    assert_credits_add_up(user)


def test_what_has_ended_is_not_canceled(user: User) -> None:
    id_ = user.wait(user.create()["id"], "succeeded")["id"]

    refused = user.cancel(id_)

    assert (refused.status_code, refused.json()["code"]) == (409, "generation_ended")
    assert user.generation(id_)["status"] == "succeeded"


def test_deleting_leaves_no_object_and_no_row(user: User, engine_state: State) -> None:
    done = user.wait(user.create(num_outputs=3)["id"], "succeeded")
    assert len(keys_of(engine_state, user, done["id"])) == 6
    spent = user.account()["credits"]["spent"]
    others = [g["id"] for g in user.all(PATH) if g["id"] != done["id"]]

    deleted = user.delete(done["id"])

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert keys_of(engine_state, user, done["id"]) == []
    assert user.http.get(f"{PATH}/{done['id']}").status_code == 404
    assert user.delete(done["id"]).status_code == 404
    assert [g["id"] for g in user.all(PATH)] == others
    # What was delivered stays paid.
    assert user.account()["credits"]["spent"] == spent
    assert_credits_add_up(user)


def test_what_runs_is_not_deleted(user: User, stand_in: StandIn) -> None:
    stand_in.order(slow_predictions=SLOW)
    id_ = user.create()["id"]

    refused = user.delete(id_)

    assert (refused.status_code, refused.json()["code"]) == (409, "generation_running")
    user.cancel(id_)
    assert user.wait(id_)["status"] == "canceled"
    assert user.delete(id_).status_code == 204


def test_nothing_stays_in_quarantine(user: User, engine_state: State) -> None:
    ids = [user.create(num_outputs=2)["id"] for _ in range(3)]
    user.wait_all(ids)

    stored = eventually(
        lambda: [key for id_ in ids for key in keys_of(engine_state, user, id_)],
        lambda keys: not any(key.startswith("quarantine/") for key in keys),
    )
    assert len(stored) == 12
