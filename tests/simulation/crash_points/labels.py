"""What a call is named: the same in every run, whatever ids, keys and times it carries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

_ID = re.compile(r"((?<=/predictions/)|(?<=/trainings/)|(?<=/files/)|(?<=/versions/))[^/]+")
_FILE = re.compile(r"(?<=^/delivery/).+")
# Items are told apart by what stands before the first of these in their sort key.
_KIND_ENDS = re.compile(r"[_#]")
# What a model has is stored below its own id.
_OF_MODEL = re.compile(r"mdl_[^#]+#(?P<kind>trn|pho)_")


def of_aws(service: str, operation: str, parameters: Mapping[str, Any]) -> str:
    """Return service, operation, and which kinds of things it touches, if it can touch several."""
    touched = _touched(service, parameters)
    return f"{service}.{operation}" + (f" · {touched}" if touched else "")


def of_http(request: httpx.Request, judge: str | None = None) -> str:
    """`judge`: whom it asks, when it asks one and not for a job's images."""
    path = _FILE.sub("{file}", _ID.sub("{id}", request.url.path))
    return f"{request.method} {path}" + (f" · {judge}" if judge else "")


def _touched(service: str, parameters: Mapping[str, Any]) -> str:
    match service:
        case "dynamodb":
            return _kinds(parameters)
        case "s3":
            key = parameters.get("Key") or parameters.get("Prefix") or _first_key(parameters)
            return str(key).partition("/")[0]
        case "sqs":
            return str(parameters["QueueUrl"]).rpartition("/")[2]
        case "secretsmanager":
            return str(parameters["SecretId"])
        case _:
            return ""


def _first_key(parameters: Mapping[str, Any]) -> str:
    return str(parameters["Delete"]["Objects"][0]["Key"])


def _kinds(parameters: Mapping[str, Any]) -> str:
    if "TransactItems" in parameters:
        return " + ".join(sorted({_kind(_id_of(part)) for part in _parts(parameters["TransactItems"])}))
    if "RequestItems" in parameters:
        return ", ".join(sorted(parameters["RequestItems"]))
    if "KeyConditionExpression" in parameters:
        return f"{parameters['TableName']} {parameters.get('IndexName', _range(parameters))}"
    return _kind(_id_of(parameters))


def _parts(items: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    return (part for item in items for part in item.values())


def _id_of(part: Mapping[str, Any]) -> str:
    return str((part.get("Item") or part["Key"])["id"]["S"])


def _kind(id_: str) -> str:
    """Return the kind of an id: `trn` of `mdl_…#trn_…`, `wait` of `wait#…`."""
    inner = _OF_MODEL.match(id_)
    return inner["kind"] if inner else _KIND_ENDS.split(id_)[0]


def _range(parameters: Mapping[str, Any]) -> str:
    """Return the kind of the sort keys that a query asks for."""
    values = (value.get("S", "") for value in parameters["ExpressionAttributeValues"].values())
    return ", ".join(sorted({_kind(value) for value in values if _KIND_ENDS.search(value)}))
