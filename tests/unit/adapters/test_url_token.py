"""The token in a webhook's URL: for one user, one generation and one attempt, and ours alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revela.adapters.url_token import is_url_token, url_token
from revela.adapters.webhook_urls import SignedWebhookUrls
from revela.ports import Ref

KEY = "k" * 64
JOB: dict[str, Any] = {
    "user_id": "auth0|ana",
    "generation_id": "gen_01JD0000000000000000000000",
    "attempt": 1,
}


def test_a_token_is_for_all_three() -> None:
    token = url_token(KEY, **JOB)

    assert is_url_token([KEY], token, **JOB)
    for other in ({"user_id": "auth0|eva"}, {"generation_id": "gen_2"}, {"attempt": 2}):
        assert not is_url_token([KEY], token, **JOB | other)


def test_a_token_needs_no_escape_in_a_url() -> None:
    for attempt in range(1, 200):
        token = url_token(KEY, **JOB | {"attempt": attempt})
        assert len(token) == 43
        assert token.replace("-", "").replace("_", "").isalnum()


def test_two_keys_pass_while_one_is_replaced_by_the_other() -> None:
    old, new = url_token("old", **JOB), url_token("new", **JOB)

    assert is_url_token(["new", "old"], old, **JOB)
    assert is_url_token(["new", "old"], new, **JOB)
    assert not is_url_token(["new"], old, **JOB)


def test_without_a_key_nothing_passes() -> None:
    assert not is_url_token([], url_token(KEY, **JOB), **JOB)
    assert not is_url_token([""], url_token("", **JOB), **JOB)


GOOD = url_token(KEY, **JOB)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " ",
        "ü",
        "\ud800",
        "A" * 43,
        "A" * 100_000,
        GOOD[:-1],
        GOOD + "=",
        GOOD + "A",
        GOOD.swapcase(),
        f" {GOOD}",
        f"{GOOD},{GOOD}",
    ],
)
def test_what_is_no_token_does_not_pass(wrong: str) -> None:
    assert is_url_token([KEY], GOOD, **JOB)
    assert not is_url_token([KEY], wrong, **JOB)


names = st.text(max_size=12)


@given(names, names, st.integers(1, 99), names, names, st.integers(1, 99))
def test_no_two_jobs_share_a_token(
    user: str, generation: str, attempt: int, other_user: str, other_generation: str, other_attempt: int
) -> None:
    token = url_token(KEY, user_id=user, generation_id=generation, attempt=attempt)
    other = url_token(KEY, user_id=other_user, generation_id=other_generation, attempt=other_attempt)

    assert (token == other) == ((user, generation, attempt) == (other_user, other_generation, other_attempt))


def test_what_joining_would_confuse_is_kept_apart() -> None:
    first = url_token(KEY, user_id="a,b", generation_id="c", attempt=1)
    second = url_token(KEY, user_id="a", generation_id="b,c", attempt=1)

    assert first != second


# The URL


@pytest.mark.parametrize("user_id", ["ana", "auth0|ana", "a b&c=d?e#f/g+h%20i", "josé@example.com", "用户"])
def test_a_url_names_its_job_and_proves_it(user_id: str) -> None:
    urls = SignedWebhookUrls("https://api.revela.test", lambda: KEY)

    url = urls.for_job(Ref(user_id, "gen_1"), 3)

    assert url is not None
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == (
        "https",
        "api.revela.test",
        "/api/webhooks/generation",
    )
    query = parse_qs(parts.query, strict_parsing=True)
    assert list(query) == ["user", "id", "attempt", "token"]
    assert (query["user"], query["id"], query["attempt"]) == ([user_id], ["gen_1"], ["3"])
    assert is_url_token([KEY], query["token"][0], user_id=user_id, generation_id="gen_1", attempt=3)


@pytest.mark.parametrize(
    ("base", "begin"),
    [
        ("https://api.revela.test/", "https://api.revela.test/api/webhooks/generation?"),
        ("https://revela.test/stage", "https://revela.test/stage/api/webhooks/generation?"),
    ],
)
def test_the_base_may_have_a_path_and_a_slash(base: str, begin: str) -> None:
    url = SignedWebhookUrls(base, lambda: KEY).for_job(Ref("ana", "gen_1"), 1)

    assert url is not None
    assert url.startswith(begin)


def test_without_a_base_there_is_no_url_and_no_key_is_needed() -> None:
    def none() -> str:
        raise AssertionError("nobody needs the key")

    assert SignedWebhookUrls(None, none).for_job(Ref("ana", "gen_1"), 1) is None


def test_a_new_key_signs_the_next_url() -> None:
    keys = iter(["old", "new"])
    urls = SignedWebhookUrls("https://api.revela.test", lambda: next(keys))

    assert urls.for_job(Ref("ana", "gen_1"), 1) != urls.for_job(Ref("ana", "gen_1"), 1)
