"""A POST that spends is safe to repeat: one key, one generation, one answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.e2e.conftest import NewUser
from tests.e2e.users import PATH, assert_credits_add_up

BODY = {"model": "flux-schnell", "prompt": "a lighthouse at dawn", "num_outputs": 1}


def test_a_repeated_key_gets_the_first_answer_to_the_byte(new_user: NewUser) -> None:
    user = new_user()
    first = user.post(BODY, key="press-1")
    user.wait(first.json()["id"], "succeeded")

    again = user.post(BODY, key="press-1")

    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert [g["id"] for g in user.all(PATH)] == [first.json()["id"]]
    assert_credits_add_up(user)


def test_a_key_cannot_be_used_for_another_body(new_user: NewUser) -> None:
    user = new_user()
    first = user.post(BODY, key="press-1").json()

    other = user.post(BODY | {"num_outputs": 2}, key="press-1")

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert [g["id"] for g in user.all(PATH)] == [first["id"]]
    user.wait(first["id"])
    assert_credits_add_up(user)


def test_a_refused_request_leaves_its_key_free(new_user: NewUser) -> None:
    user = new_user()
    assert user.post(BODY | {"num_outputs": 9}, key="press-1").status_code == 422
    assert user.post(BODY, key="press-1").status_code == 202


def test_twins_sent_at_once_make_one_generation(new_user: NewUser) -> None:
    user = new_user()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: user.post(BODY, key="press-1"), range(8)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    (generation,) = user.all(PATH)
    user.wait(generation["id"], "succeeded")
    assert_credits_add_up(user)
