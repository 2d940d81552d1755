"""Reading a request: who asks, in what language, for what. Whatever cannot be read is refused here."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, from_json

from api.problems import UnsupportedMediaType
from api.schemas.wire import OUR_OWN
from revela import bootstrap
from revela.domain import messages
from revela.domain.errors import InvalidParam, InvalidRequest, Malformed, NotFound, TooLarge, Unauthorized
from revela.observability import user_hash
from revela.ports import ModelRef, Ref

BODY_MAX_BYTES = 64 * 1024
# The subject becomes part of object keys and of webhook URLs: no slash, and not "." or "..".
# Cognito's are UUIDs; other issuers' look like "auth0|5f7c" or "ana@example.com".
USER_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9_:|@.+=-]{1,128}")
ULID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
GENERATION_ID = re.compile(rf"gen_{ULID}")
MODEL_ID = re.compile(rf"mdl_{ULID}")
PHOTO_ID = re.compile(rf"pho_{ULID}")
TRAINING_ID = re.compile(rf"trn_{ULID}")
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


def model_ref(event: APIGatewayProxyEventV2, model_id: str) -> ModelRef:
    """Return the name of the caller's model. Raises NotFound when there can be no such id."""
    user_id = signed_in_user(event)
    possible(MODEL_ID, model_id)
    bootstrap.logger().append_keys(model_id=model_id)
    return ModelRef(user_id, model_id)


def training_ref(event: APIGatewayProxyEventV2, model_id: str, training_id: str) -> Ref:
    """Return the name of a training of the caller's. Raises NotFound when there can be no such ids."""
    model = model_ref(event, model_id)
    possible(TRAINING_ID, training_id)
    bootstrap.logger().append_keys(training_id=training_id)
    return Ref(model.user_id, f"{model.id}#{training_id}")


def possible(form: re.Pattern[str], id_: str) -> str:
    """Raises NotFound when nothing can have that id: what is looked up is ours by its form."""
    if not form.fullmatch(id_):
        raise NotFound("not_found")
    return id_


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


def json_object_if_any(event: APIGatewayProxyEventV2) -> dict[str, Any]:
    """As `json_object`, of a request that needs no body: without one, an empty object."""
    return json_object(event) if event.body else {}


def query(event: APIGatewayProxyEventV2, schema: type[Parsed]) -> Parsed:
    return validated(schema, event.query_string_parameters or {})


def validated(schema: type[Parsed], values: Mapping[str, Any]) -> Parsed:
    """Raises InvalidRequest, naming everything that the schema does not take."""
    try:
        return schema.model_validate(dict(values))
    except ValidationError as error:
        invalid = {p.name: p for p in (_invalid_param(schema, d) for d in _details(error))}
        raise InvalidRequest("invalid_request", invalid_params=invalid.values()) from None


def _details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False)


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
    """Name the field by its path: `consent.accepted`, `files.0.content_type`."""
    name, kind = ".".join(map(str, detail["loc"])), detail["type"]
    if kind == "missing":
        return InvalidParam(name, "required")
    owner, field = _place(schema, detail["loc"])
    if kind == "extra_forbidden":
        return InvalidParam(name, "unknown_field", {"allowed": ", ".join(owner.model_fields)})
    if kind == OUR_OWN:
        args = dict(detail["ctx"])
        return InvalidParam(name, args.pop("code"), args)
    if field is not None and kind in _DESCRIBED:
        code, describe = _DESCRIBED[kind]
        return InvalidParam(name, code, describe(field))
    return InvalidParam(name, _CODES.get(kind, "invalid"))


_CODES = {
    "int_type": "must_be_integer",
    "int_parsing": "must_be_integer",
    "int_parsing_size": "must_be_integer",
    "int_from_float": "must_be_integer",
    "float_type": "must_be_number",
    "finite_number": "must_be_number",
    "bool_type": "must_be_boolean",
    "string_type": "must_be_string",
    "list_type": "must_be_list",
    "model_type": "must_be_object",
    "model_attributes_type": "must_be_object",
}


def _place(schema: type[BaseModel], path: tuple[int | str, ...]) -> tuple[type[BaseModel], FieldInfo | None]:
    """Return what is at the end of a path: the innermost schema on it, and its field."""
    owner, field = schema, None
    for step in path:
        if not isinstance(step, str):
            continue
        if field is not None:
            owner = next(t for t in _types(field.annotation) if issubclass(t, BaseModel))
        field = owner.model_fields.get(step)
    return owner, field


def _types(annotation: Any) -> Iterator[type[Any]]:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def _literals(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
        return
    for inner in get_args(annotation):
        yield from _literals(inner)


def _allowed(field: FieldInfo) -> dict[str, Any]:
    return {"allowed": ", ".join(_literals(field.annotation))}


def _range(field: FieldInfo) -> dict[str, Any]:
    return {
        "minimum": next(m.ge for m in field.metadata if isinstance(m, Ge)),
        "maximum": next(m.le for m in field.metadata if isinstance(m, Le)),
    }


def _length(field: FieldInfo) -> dict[str, Any]:
    return {
        "minimum": next(m.min_length for m in field.metadata if isinstance(m, MinLen)),
        "maximum": next(m.max_length for m in field.metadata if isinstance(m, MaxLen)),
    }


# Codes whose texts tell what the field's schema says.
_DESCRIBED: dict[str, tuple[str, Callable[[FieldInfo], dict[str, Any]]]] = {
    "literal_error": ("not_one_of", _allowed),
    "greater_than_equal": ("out_of_range", _range),
    "less_than_equal": ("out_of_range", _range),
    "too_short": ("number_of_entries", _length),
    "too_long": ("number_of_entries", _length),
}
