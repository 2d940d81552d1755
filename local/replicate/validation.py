"""Request bodies and model inputs held against their schemas, with the phrases of Replicate's validator."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from local.replicate.loopback import is_loopback
from local.replicate.models.model import Model, Parameter
from local.replicate.problems import InvalidField

EVENTS = ("start", "output", "logs", "completed")
NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")  # of a model or deployment; the rule is a guess

_WEBHOOK = {"webhook": "string", "webhook_events_filter": "array"}


def check_prediction_request(body: Any, *, with_version: bool) -> list[InvalidField]:
    """The body of a create, by the OpenAPI document's `schemas_(version_)prediction_request`."""
    own = {"version": "string"} if with_version else {}
    types = {**own, "input": "object", **_WEBHOOK, "stream": "boolean"}
    return _check_job_request(body, types, [*own, "input"], additional=False)


def check_training_request(body: Any) -> list[InvalidField]:
    """By `schemas_training_request`, which says nothing against additional properties."""
    types = {"destination": "string", "input": "object", **_WEBHOOK}
    return _check_job_request(body, types, ["destination", "input"], additional=True)


def _check_job_request(
    body: Any, types: Mapping[str, str], required: list[str], *, additional: bool
) -> list[InvalidField]:
    if not isinstance(body, dict):
        return [_wrong_type("", "object", body)]
    found = [InvalidField("required", "", f"{name} is required") for name in required if name not in body]
    found += [
        InvalidField("additional_property_not_allowed", "", f"Additional property {name} is not allowed")
        for name in body
        if name not in types and not additional
    ]
    wrong = {name for name, type_ in types.items() if name in body and not _is(body[name], type_)}
    found += [_wrong_type(name, types[name], body[name]) for name in types if name in wrong]
    if "webhook" in body and "webhook" not in wrong and not _is_webhook_url(body["webhook"]):
        found.append(InvalidField("format", "webhook", "Does not match format 'uri'"))
    if "webhook_events_filter" in body and "webhook_events_filter" not in wrong:
        found += [
            _not_among(f"webhook_events_filter.{place}", EVENTS)
            for place, event in enumerate(body["webhook_events_filter"])
            if event not in EVENTS
        ]
    return found


def check_fields(body: Any, rules: tuple[Parameter, ...]) -> list[InvalidField]:
    """The body of any other create or update; what no rule names passes, as the document lets it."""
    if not isinstance(body, dict):
        return [_wrong_type("", "object", body)]
    found = [
        InvalidField("required", "", f"{rule.name} is required")
        for rule in rules
        if rule.required and rule.name not in body
    ]
    for rule in rules:
        if rule.name in body:
            found += _check_value(rule, rule.name, body[rule.name])
    return found


def check_input(model: Model, given: Mapping[str, Any]) -> list[InvalidField]:
    return check_parameters(model.parameters, given)


def check_parameters(parameters: tuple[Parameter, ...], given: Mapping[str, Any]) -> list[InvalidField]:
    """Names that the schema does not know pass: it says nothing against additional properties."""
    found = [
        InvalidField("required", "input", f"{p.name} is required")
        for p in parameters
        if p.required and p.name not in given
    ]
    for parameter in parameters:
        if parameter.name in given:
            found += _check_value(parameter, f"input.{parameter.name}", given[parameter.name])
    return found


def _check_value(parameter: Parameter, field: str, value: Any) -> list[InvalidField]:
    if not _is(value, parameter.type):
        return [_wrong_type(field, parameter.type, value)]
    if parameter.choices and value not in parameter.choices:
        return [_not_among(field, parameter.choices)]
    if parameter.minimum is not None and value < parameter.minimum:
        return [InvalidField("number_gte", field, f"Must be greater than or equal to {parameter.minimum:g}")]
    if parameter.maximum is not None and value > parameter.maximum:
        return [InvalidField("number_lte", field, f"Must be less than or equal to {parameter.maximum:g}")]
    if parameter.is_file and urlsplit(value).scheme not in {"http", "https", "data"}:
        return [InvalidField("format", field, "Does not match format 'uri'")]
    return []


def _is(value: Any, type_: str) -> bool:
    match type_:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "integer":  # 4.0 is an integer in JSON Schema
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong_type(field: str, expected: str, value: Any) -> InvalidField:
    given = next(
        (t for t in ("boolean", "integer", "number", "string", "array", "object") if _is(value, t)), "null"
    )
    return InvalidField("invalid_type", field, f"Invalid type. Expected: {expected}, given: {given}")


def _not_among(field: str, choices: tuple[str, ...]) -> InvalidField:
    quoted = ", ".join(f'"{choice}"' for choice in choices)
    return InvalidField("enum", field, f"{field.rpartition('.')[2]} must be one of the following: {quoted}")


def _is_webhook_url(url: str) -> bool:
    """HTTPS, as documented; plain HTTP only to this machine, which Replicate could not reach at all."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    if not parsed.host:
        return False
    return parsed.scheme == "https" or (parsed.scheme == "http" and is_loopback(parsed.host))
