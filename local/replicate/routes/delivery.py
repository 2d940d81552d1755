"""Output files, in place of replicate.delivery: the address is the only key, no token is asked for."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from local.replicate.deliveries import PATH
from local.replicate.problems import not_found
from local.replicate.routes import stand_in_of
from local.replicate.spoiling import spoiled

CHUNK_BYTES = 64 * 1024


async def deliver(request: Request) -> Response:
    stand_in = stand_in_of(request)
    found = await stand_in.deliveries.read(
        f"{request.path_params['random']}/{request.path_params['file_name']}"
    )
    if found is None:
        raise not_found()
    file, data = found
    is_get = request.method == "GET"
    stand_in.counters.deliveries += is_get
    order = stand_in.faults.spoil_outputs.take() if is_get else None
    if order is not None:
        return spoiled(order, data, file.content_type)
    return StreamingResponse(
        _chunks(data), media_type=file.content_type, headers={"content-length": str(len(data))}
    )


ROUTES = [Route(f"{PATH}/{{random}}/{{file_name}}", deliver, methods=["GET"])]


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]
