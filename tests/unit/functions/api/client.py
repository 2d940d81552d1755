"""Calls the real handler as API Gateway does; every answer is held against docs/openapi.json."""

from __future__ import annotations

import base64
import copy
import io
import itertools
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from openapi_schema_validator import OAS31Validator

from api.handler import handler
from tests.fakes import FakePorts

ROOT = Path(__file__).parents[4]
EVENTS = ROOT / "events" / "api"
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
ANA, BIA = "ana", "bia"
UNSET = object()
_numbers = itertools.count()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def invalid(self) -> dict[str, str]:
        """What was wrong: name -> code."""
        return {param["name"]: param["code"] for param in self.json["invalid_params"]}


@dataclass
class ApiPorts(FakePorts):
    """The fakes, and a logger whose lines a test can read."""

    logged: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        super().__post_init__()
        # Powertools shares handlers between loggers of one name.
        name = f"api-test-{next(_numbers)}"
        self.logger = Logger(service=name, level="DEBUG", location=None, stream=self.logged)


@dataclass(frozen=True)
class Context:
    function_name: str = "api"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:api"
    aws_request_id: str = "5c6f0a3e-3b1e-4c4e-9f59-2f2f8ad0a001"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


def sample(name: str) -> dict[str, Any]:
    """Return a sample event of events/api."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return event


class Client:
    def __init__(self) -> None:
        self._template = sample("health")

    def get(self, path: str, **options: Any) -> Answer:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = UNSET, **options: Any) -> Answer:
        return self.call("POST", path, body, **options)

    def patch(self, path: str, body: Any = UNSET, **options: Any) -> Answer:
        return self.call("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.call("DELETE", path, **options)

    def call(
        self,
        method: str,
        path: str,
        body: Any = UNSET,
        *,
        user: object = ANA,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        binary: bool = False,
        authorizer: object = UNSET,
        overrides: Mapping[str, Any] | None = None,
    ) -> Answer:
        """`body` is sent as it is when it is text or bytes, else as JSON; `user` None sends no claims.

        `authorizer` and `overrides` replace what of the event API Gateway would have made otherwise.
        """
        event = copy.deepcopy(self._template)
        event |= {"rawPath": path, "routeKey": f"{method} {path}"}
        event["requestContext"]["http"] |= {"method": method, "path": path}
        event["headers"] |= {name.lower(): value for name, value in (headers or {}).items()}
        if query:
            event["queryStringParameters"] = dict(query)
        if user is not None:
            event["requestContext"]["authorizer"] = {"jwt": {"claims": {"sub": user}, "scopes": None}}
        if authorizer is not UNSET:
            event["requestContext"]["authorizer"] = authorizer
        if body is not UNSET:
            event["headers"].setdefault("content-type", "application/json")
            text = body if isinstance(body, str | bytes) else json.dumps(body)
            if binary or isinstance(text, bytes):
                raw = text.encode() if isinstance(text, str) else text
                event |= {"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
            else:
                event["body"] = text
        return self.send(event | dict(overrides or {}))

    def send(self, event: dict[str, Any]) -> Answer:
        with warnings.catch_warnings():
            # Powertools warns of requests that count nothing, which most of them rightly do.
            warnings.filterwarnings("ignore", "No application metrics to publish")
            raw = handler(event, Context())
        assert raw["isBase64Encoded"] is False
        assert raw["cookies"] == []
        # Not null: not everything between here and the client takes that for nothing.
        assert isinstance(raw["body"], str)
        answer = Answer(raw["statusCode"], raw["headers"], raw["body"])
        http = event["requestContext"]["http"]
        assert_documented(http["method"].lower(), event["rawPath"], answer)
        return answer


def assert_documented(method: str, path: str, answer: Answer) -> None:
    """Hold status, headers, content type and body against the document."""
    operation = operation_at(method, path)
    if operation is None:
        assert answer.status in (404, 405)
        _assert_body({"$ref": "#/components/schemas/Problem"}, answer)
        return
    described = operation["responses"].get(str(answer.status))
    assert described, f"{method} {path} -> {answer.status} is not documented"
    unremarkable = {"Content-Type", "Cache-Control", "Vary", "WWW-Authenticate"}
    assert set(answer.headers) <= unremarkable | set(described.get("headers", {}))
    content = described.get("content", {})
    if not content:
        assert answer.text == ""
        return
    described_body = content.get(answer.headers["Content-Type"])
    assert described_body, f"{answer.headers['Content-Type']} is not documented for {answer.status}"
    _assert_body(described_body["schema"], answer)
    if answer.headers["Content-Type"] == "application/problem+json":
        assert answer.json["status"] == answer.status
        assert answer.json["code"] in described_body["examples"]


def operation_at(method: str, path: str) -> dict[str, Any] | None:
    for template, operations in DOCUMENT["paths"].items():
        if method in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            found: dict[str, Any] = operations[method]
            return found
    return None


def _assert_body(schema: dict[str, Any], answer: Answer) -> None:
    root = {**schema, "components": DOCUMENT["components"]}
    OAS31Validator(root, format_checker=OAS31Validator.FORMAT_CHECKER).validate(answer.json)
