"""Files: multipart uploads, kept for a day; what is inside is for the account's own jobs."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.multipart import Part, parse
from local.replicate.problems import file_not_found, file_too_large, invalid_request
from local.replicate.routes import Json, stand_in_of
from local.replicate.routes.listing import listing
from local.replicate.uploads import LIMIT_BYTES, Upload

OVERHEAD_BYTES = 64 * 1024  # of the form around the file
FILENAME_MAX_BYTES = 255


async def create(request: Request) -> Response:
    stand_in = stand_in_of(request)
    try:
        parts = parse(request.headers.get("content-type", ""), await _bounded_body(request))
    except ValueError as error:
        raise invalid_request(str(error)) from error
    content = parts.get("content")
    if content is None:
        raise invalid_request("content is required")
    if len(content.content) >= LIMIT_BYTES:
        raise file_too_large()
    name = _text(parts.get("filename")) or content.filename or "file"
    if len(name.encode("utf-8", "replace")) > FILENAME_MAX_BYTES:
        raise invalid_request(f"filename must be at most {FILENAME_MAX_BYTES} bytes")
    upload = stand_in.uploads.create(
        content.content,
        name=name,
        content_type=_text(parts.get("type")) or content.content_type or "application/octet-stream",
        metadata=_metadata(parts.get("metadata")),
    )
    stand_in.counters.uploads += 1
    return Json(upload.to_json(stand_in.settings.origin), 201)


async def index(request: Request) -> Response:
    stand_in = stand_in_of(request)
    origin = stand_in.settings.origin
    return listing(request, stand_in.uploads.newest_first(), lambda u: u.to_json(origin), lambda u: u.number)


async def show(request: Request) -> Response:
    return Json(_find(request).to_json(stand_in_of(request).settings.origin))


async def delete(request: Request) -> Response:
    stand_in_of(request).uploads.delete(_find(request).id)
    return Response(status_code=204)


async def download(request: Request) -> Response:
    """Without a token: the signature is the permission."""
    query = request.query_params
    try:
        expiry = int(query.get("expiry", ""))
    except ValueError as error:
        raise file_not_found() from error
    upload = stand_in_of(request).uploads.signed(
        request.path_params["id"],
        owner=query.get("owner", ""),
        expiry=expiry,
        signature=query.get("signature", ""),
    )
    if upload is None:
        raise file_not_found()
    return Response(upload.read(), media_type="application/octet-stream")


ROUTES = [
    Route("/v1/files", create, methods=["POST"]),
    Route("/v1/files", index, methods=["GET"]),
    Route("/v1/files/{id}", show, methods=["GET"]),
    Route("/v1/files/{id}", delete, methods=["DELETE"]),
    Route("/v1/files/{id}/download", download, methods=["GET"]),
]


async def _bounded_body(request: Request) -> bytes:
    """Raises the 413 problem, after the whole body was sent: many clients hear nothing before."""
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= LIMIT_BYTES + OVERHEAD_BYTES:
            body += chunk
    if size > LIMIT_BYTES + OVERHEAD_BYTES:
        raise file_too_large()
    return bytes(body)


def _find(request: Request) -> Upload:
    found = stand_in_of(request).uploads.find(request.path_params["id"])
    if found is None:
        raise file_not_found()
    return found


def _text(part: Part | None) -> str:
    try:
        return part.content.decode() if part else ""
    except UnicodeDecodeError as error:
        raise invalid_request("filename and type must be UTF-8") from error


def _metadata(part: Part | None) -> dict[str, Any]:
    try:
        metadata = json.loads(part.content) if part else {}
    except (ValueError, RecursionError) as error:
        raise invalid_request("metadata must be valid JSON") from error
    if not isinstance(metadata, dict):
        raise invalid_request("metadata must be a JSON object")
    return metadata
