"""The groups of a queue: one for each user, whatever users are called."""

from __future__ import annotations

import pytest

from revela.adapters.message_group import message_group

STRANGE = ["ana maria", "José", "José ", "x" * 129, "x" * 130, "", "\ud800"]


@pytest.mark.parametrize("user_id", ["ana", "auth0|5f7c", "!", "x" * 128])
def test_a_plain_name_is_its_own_group(user_id: str) -> None:
    assert message_group(user_id) == user_id


def test_strange_names_have_groups_of_their_own() -> None:
    groups = {message_group(user_id) for user_id in STRANGE}

    assert len(groups) == len(STRANGE)
    assert all(group.isascii() and group.isalnum() and len(group) <= 128 for group in groups)
