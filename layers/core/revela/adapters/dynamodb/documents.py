"""Maps and lists of plain JSON values as attributes.

PynamoDB's raw MapAttribute takes keys such as `default` or `null` for its own arguments and does
not nest lists of maps alike both ways; these two do nothing but the encoding.
"""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import Attribute
from pynamodb.constants import LIST, MAP


class MapDocument(Attribute[dict[str, Any]]):
    attr_type = MAP

    def serialize(self, value: dict[str, Any]) -> dict[str, Any]:
        return {key: _encoded(item) for key, item in value.items()}

    def deserialize(self, value: dict[str, Any]) -> dict[str, Any]:
        return {key: _decoded(item) for key, item in value.items()}


class ListDocument(Attribute[list[Any]]):
    attr_type = LIST

    def serialize(self, value: list[Any]) -> list[Any]:
        return [_encoded(item) for item in value]

    def deserialize(self, value: list[Any]) -> list[Any]:
        return [_decoded(item) for item in value]


def _encoded(value: Any) -> dict[str, Any]:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):  # before int, which it is too
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": repr(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, list | tuple):
        return {"L": [_encoded(item) for item in value]}
    if isinstance(value, dict):
        return {"M": {key: _encoded(item) for key, item in value.items()}}
    raise TypeError(f"not a JSON value: {type(value).__name__}")


def _decoded(attribute: dict[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "NULL":
        return None
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    if kind == "L":
        return [_decoded(item) for item in value]
    if kind == "M":
        return {key: _decoded(item) for key, item in value.items()}
    return value
