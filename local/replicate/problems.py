"""Replicate's error replies, word for word where they have been recorded.

What has not been recorded is marked below: the product must not lean on its wording.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from starlette.responses import JSONResponse


@dataclass(frozen=True)
class InvalidField:
    """One broken rule of a schema. `field` is a dotted path, empty for the body itself."""

    type: str
    field: str
    description: str


class Problem(Exception):
    """A request refused; becomes the reply at the edge of the application."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"detail": detail, "status": status, **more}
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        return JSONResponse(
            self.body, self.status, headers=self.headers, media_type="application/problem+json"
        )


def unauthenticated() -> Problem:
    return Problem(401, "You did not pass a valid authentication token", title="Unauthenticated")


def not_found() -> Problem:
    return Problem(404, "The requested resource could not be found.")


def destination_not_found() -> Problem:
    return Problem(404, "The specified training destination does not exist")


def file_not_found() -> Problem:
    return Problem(404, "File not found")


def file_too_large() -> Problem:
    return Problem(413, "Files must be less than 100MB in size")


def query_missing() -> Problem:
    return Problem(400, 'Query parameter "query" is required')


def not_permitted() -> Problem:
    """Not recorded."""
    return Problem(403, "You do not have permission to perform this action.", title="Forbidden")


def method_not_allowed() -> Problem:
    """Not recorded."""
    return Problem(405, "Method not allowed.")


def not_json() -> Problem:
    """Not recorded."""
    return Problem(400, "The request body is not valid JSON.", title="Bad request")


def invalid_version() -> Problem:
    return Problem(
        422,
        "The specified version does not exist (or perhaps you don't have permission to use it?)",
        title="Invalid version or not permitted",
    )


def invalid_fields(fields: Sequence[InvalidField]) -> Problem:
    lines = (f"- {f.field}: {f.description}\n" if f.field else f"- {f.description}\n" for f in fields)
    return Problem(
        422, "".join(lines), title="Input validation failed", invalid_fields=[asdict(f) for f in fields]
    )


def invalid_request(what: str) -> Problem:
    """A header or a query parameter that cannot be read. Not recorded."""
    return Problem(422, what, title="Invalid request")


def throttled(retry_after_s: int) -> Problem:
    return Problem(
        429,
        f"Request was throttled. Your rate limit resets in ~{retry_after_s}s.",
        headers={"ratelimit-remaining": "0", "ratelimit-reset": str(retry_after_s)},
        retry_after=retry_after_s,
    )
