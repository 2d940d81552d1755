"""Output files as they must not be taken: spoiled on order."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from functools import cache

from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from local.replicate.faults import Spoiled
from local.replicate.problems import Problem, not_found

DRIP_PAUSE_S = 1.0  # of real time: it is for time-outs of real sockets
CHUNK_BYTES = 64 * 1024
BOMB_BYTES = 64 * 1024 * 1024

PAGE = "<!doctype html><title>Sign in</title><p>You are not signed in.</p>"


class ConnectionDropped(Exception):  # what happened to the client
    """The answer ends here, whole or not."""


def spoiled(order: Spoiled, data: bytes, content_type: str) -> Response:
    match order.how:
        case "truncated":
            length = {"content-length": str(len(data))}
            return StreamingResponse(_half(data), media_type=content_type, headers=length)
        case "wrong_type":
            return HTMLResponse(PAGE)
        case "redirect":
            return RedirectResponse(order.location, 302)
        case "drip":
            return StreamingResponse(_drip(data), media_type=content_type)
        case "endless":
            return StreamingResponse(_endless(data), media_type=content_type)
        case "gzip_bomb":
            return Response(_bomb(), media_type=content_type, headers={"content-encoding": "gzip"})
        case "gone":
            return not_found().response()
        case _:
            return Problem(503, "Service unavailable").response()


async def _half(data: bytes) -> AsyncIterator[bytes]:
    yield data[: len(data) // 2]
    raise ConnectionDropped


async def _drip(data: bytes) -> AsyncIterator[bytes]:
    for place in range(len(data)):
        yield data[place : place + 1]
        await asyncio.sleep(DRIP_PAUSE_S)


async def _endless(data: bytes) -> AsyncIterator[bytes]:
    yield data
    while True:
        yield bytes(CHUNK_BYTES)
        await asyncio.sleep(0)


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1024 * 1024)
    return b"".join(packer.compress(zeros) for _ in range(BOMB_BYTES // len(zeros))) + packer.flush()
