"""Replies held against Replicate's OpenAPI document.

`replicate-openapi.json` beside this file is that document as Replicate publishes it at
https://api.replicate.com/openapi.json, unchanged. It is read here with three corrections:

- it calls itself 3.1 and says `nullable`, a word of 3.0: read as "or null";
- a `version` of `hidden` matches both branches of its `oneOf`: read as `anyOf`;
- `output` is required in every prediction, and in recorded traffic the reply to a create has none.

Fields that the document does not know are refused, so that the stand-in invents none.
"""

import json
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema  # type: ignore[import-untyped]  # ships no types

# Recorded traffic has `name` and `etag` of a file, which SDKs need.
_WITH_UNDOCUMENTED_FIELDS = frozenset({"schemas_file_response"})

DOCUMENT = Path(__file__).with_name("replicate-openapi.json")


def check_reply(method: str, path: str, status: int, body: Any) -> None:
    """Raises AssertionError for a status or a body that the document does not have.

    `path` begins with /v1; `body` is bytes where the answer is not JSON. Of refusals the document says
    next to nothing: they need a `detail`.
    """
    if status >= 400:
        assert isinstance(body["detail"], str), body
        assert body.get("status") in {None, status}, body
        return
    responses = _operation(method, path.removeprefix("/v1"))["responses"]
    assert str(status) in responses, f"{method} {path} is not documented to answer {status}"
    content = responses[str(status)].get("content", {})
    if "application/json" not in content:
        assert isinstance(body, bytes), f"{method} {path} is not documented to answer with JSON"
        assert bool(body) == bool(content), f"{method} {path} is documented to answer {list(content)}"
        return
    schema = content["application/json"]["schema"]
    is_create = method == "POST" and path.endswith("/predictions")
    root = {**schema, "components": _components(output_required=not is_create)}
    validator = jsonschema.Draft202012Validator(root, format_checker=_formats)
    errors = [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(body)]
    assert not errors, f"{method} {path} {status}: {errors}"


def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


_formats = jsonschema.FormatChecker(formats=[])
_formats.checks("date-time", raises=ValueError)(_is_date_time)
_formats.checks("uri")(_is_uri)


def _operation(method: str, path: str) -> Any:
    for template, operations in _document()["paths"].items():
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in operations:
            return operations[method.lower()]
    raise AssertionError(f"{method} {path} is not in the document")


@cache
def _document() -> Any:
    return _corrected(json.loads(DOCUMENT.read_text(encoding="utf-8")))


@cache
def _components(*, output_required: bool) -> Any:
    components = json.loads(json.dumps(_document()["components"]))
    schemas = components["schemas"]
    for name, schema in schemas.items():
        if name.endswith("_response") and name not in _WITH_UNDOCUMENTED_FIELDS:
            schema["additionalProperties"] = False
    if not output_required:
        schemas["schemas_prediction_response"]["required"].remove("output")
    return components


def _corrected(node: Any) -> Any:
    if isinstance(node, list):
        return [_corrected(item) for item in node]
    if not isinstance(node, dict):
        return node
    fixed = {("anyOf" if key == "oneOf" else key): _corrected(value) for key, value in node.items()}
    if fixed.pop("nullable", None) is True and "type" in fixed:
        fixed["type"] = [fixed["type"], "null"]
    return fixed
