"""Reading a request: who asks, in what language, for what. Whatever cannot be read is refused here."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar, get_args

from annotated_types import Ge, Le
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, from_json

from api.problems import UnsupportedMediaType
from revela import bootstrap
from revela.domain import messages
from revela.domain.errors import InvalidParam, InvalidRequest, Malformed, NotFound, TooLarge, Unauthorized
from revela.observability import user_hash
from revela.ports import Ref

BODY_MAX_BYTES = 64 * 1024
# The subject becomes part of object keys and of webhook URLs: no slash, and not "." or "..".
# Cognito's are UUIDs; other issuers' look like "auth0|5f7c" or "ana@example.com".
USER_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9_:|@.+=-]{1,128}")
GENERATION_ID = re.compile(r"gen_[0-7][0-9A-HJKMNP-TV-Z]{25}")
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')
USERS_REMEMBERED = 1024

Parsed = TypeVar("Parsed", bound=BaseModel)


def signed_in_user(event: APIGatewayProxyEventV2) -> str:
    """Return the id of the user who asks; the first call of a new one opens an account.

    API Gateway has verified the token. Raises Unauthorized when it left no usable subject.
    """
    user_id = event.request_context.authorizer.jwt_claim.get("sub")
    if not isinstance(user_id, str) or not USER_ID.fullmatch(user_id):
        raise Unauthorized("unauthorized")
    bootstrap.logger().append_keys(user=user_hash(user_id))
    open_once(user_id)
    return user_id


@lru_cache(maxsize=USERS_REMEMBERED)
def open_once(user_id: str) -> None:
    bootstrap.open_account()(user_id)


def generation_ref(event: APIGatewayProxyEventV2, generation_id: str) -> Ref:
    """Return the name of the caller's generation. Raises NotFound when there can be no such id."""
    user_id = signed_in_user(event)
    if not GENERATION_ID.fullmatch(generation_id):
        raise NotFound("not_found")
    bootstrap.logger().append_keys(generation_id=generation_id)
    return Ref(user_id, generation_id)


def language(event: APIGatewayProxyEventV2) -> messages.Language:
    return messages.language_of(event.headers.get("accept-language"))


def idempotency_key(event: APIGatewayProxyEventV2) -> str | None:
    """Raises InvalidRequest unless it is 1 to 255 visible ASCII characters, or absent."""
    key: str | None = event.headers.get("idempotency-key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidRequest(
            "invalid_request", invalid_params=[InvalidParam("Idempotency-Key", "not_visible_ascii")]
        )
    return key


def matches(event: APIGatewayProxyEventV2, etag: str) -> bool:
    """Tell whether If-None-Match names `etag`, by the weak comparison of RFC 9110."""
    wanted = event.headers.get("if-none-match") or ""
    return wanted.strip() == "*" or etag.removeprefix("W/") in ENTITY_TAG.findall(wanted)


def json_object(event: APIGatewayProxyEventV2) -> dict[str, Any]:
    """Return the body.

    Raises:
        UnsupportedMediaType: it is declared to be something else than JSON.
        TooLarge: it has more than BODY_MAX_BYTES.
        Malformed: it is no JSON object in UTF-8.
    """
    declared = (event.headers.get("content-type") or "application/json").partition(";")[0]
    if declared.strip().lower() != "application/json":
        raise UnsupportedMediaType("unsupported_media_type")
    try:
        body = from_json(_raw_body(event), allow_inf_nan=False)
    except ValueError as error:
        raise Malformed("malformed_json") from error
    if not isinstance(body, dict):
        raise Malformed("malformed_json")
    return body


def query(event: APIGatewayProxyEventV2, schema: type[Parsed]) -> Parsed:
    return validated(schema, event.query_string_parameters or {})


def validated(schema: type[Parsed], values: Mapping[str, Any]) -> Parsed:
    """Raises InvalidRequest, naming everything that the schema does not take."""
    try:
        return schema.model_validate(dict(values))
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        invalid = {str(d["loc"][0]): _invalid_param(schema, d) for d in details}
        raise InvalidRequest("invalid_request", invalid_params=invalid.values()) from None


def _raw_body(event: APIGatewayProxyEventV2) -> bytes:
    """Raises TooLarge, and ValueError when the body is not encoded as it claims to be."""
    body = event.body or ""
    # Base64 is four characters for three bytes; refused before anything is decoded.
    if len(body) > BODY_MAX_BYTES * (4 / 3 if event.is_base64_encoded else 1) + 4:
        raise TooLarge("request_too_large", maximum=BODY_MAX_BYTES)
    raw = base64.b64decode(body, validate=True) if event.is_base64_encoded else body.encode()
    if len(raw) > BODY_MAX_BYTES:
        raise TooLarge("request_too_large", maximum=BODY_MAX_BYTES)
    return raw


def _invalid_param(schema: type[BaseModel], detail: ErrorDetails) -> InvalidParam:
    name, kind = str(detail["loc"][0]), detail["type"]
    if kind == "missing":
        return InvalidParam(name, "required")
    if kind == "extra_forbidden":
        return InvalidParam(name, "unknown_field", {"allowed": ", ".join(schema.model_fields)})
    if kind == "literal_error":
        return InvalidParam(name, "not_one_of", {"allowed": ", ".join(_literals(schema.model_fields[name]))})
    if kind in ("greater_than_equal", "less_than_equal"):
        return InvalidParam(name, "out_of_range", _range(schema.model_fields[name]))
    return InvalidParam(name, _CODES.get(kind, "invalid"))


_CODES = {
    "int_type": "must_be_integer",
    "int_parsing": "must_be_integer",
    "int_parsing_size": "must_be_integer",
    "int_from_float": "must_be_integer",
    "float_type": "must_be_number",
    "finite_number": "must_be_number",
    "string_type": "must_be_string",
}


def _literals(field: FieldInfo) -> Iterator[str]:
    for option in get_args(field.annotation):
        yield from get_args(option)


def _range(field: FieldInfo) -> dict[str, Any]:
    return {
        "minimum": next(m.ge for m in field.metadata if isinstance(m, Ge)),
        "maximum": next(m.le for m in field.metadata if isinstance(m, Le)),
    }
