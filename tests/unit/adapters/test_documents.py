from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revela.adapters.dynamodb.documents import ListDocument, MapDocument

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**37), 10**37)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(derandomize=True, database=None, deadline=None)
@given(st.dictionaries(st.text(), json_values))
def test_a_map_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    assert MapDocument().deserialize(MapDocument().serialize(value)) == value


@settings(derandomize=True, database=None, deadline=None)
@given(st.lists(json_values))
def test_a_list_is_read_as_it_was_written(value: list[Any]) -> None:
    assert ListDocument().deserialize(ListDocument().serialize(value)) == value


def test_true_is_not_one() -> None:
    read = MapDocument().deserialize(
        MapDocument().serialize({"a": True, "b": 1, "c": 1.0, "d": False, "e": 0})
    )

    assert [type(value) for value in read.values()] == [bool, int, float, bool, int]


def test_a_tuple_is_a_list() -> None:
    assert ListDocument().serialize([("a",)]) == [{"L": [{"S": "a"}]}]


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="not a JSON value"):
        MapDocument().serialize({"a": value})
