"""Files among a prediction's inputs: data URIs, and URLs that are fetched when the run starts."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import httpx

from local.replicate.loopback import reachable
from local.replicate.models.model import RunFailed

MAX_BYTES = 20_000_000


async def fetch_files(client: httpx.AsyncClient, urls: Mapping[str, str]) -> dict[str, bytes]:
    """Bytes by parameter name. Raises RunFailed where a model's worker could not read its input."""
    return {name: await _fetch(client, url) for name, url in urls.items()}


async def _fetch(client: httpx.AsyncClient, url: str) -> bytes:
    if url.startswith("data:"):
        return _decode(url)
    address, headers = reachable(url)
    data = bytearray()
    try:
        async with client.stream("GET", address, headers=headers, follow_redirects=True) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise RunFailed(f"The input file is larger than {MAX_BYTES} bytes")
    except httpx.HTTPStatusError as error:
        raise RunFailed(f"Failed to download an input file: HTTP {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise RunFailed(f"Failed to download an input file: {type(error).__name__}") from error
    return bytes(data)


def _decode(url: str) -> bytes:
    head, comma, body = url.partition(",")
    if not comma:
        raise RunFailed("The input file is not a valid data URI")
    try:
        return base64.b64decode(body, validate=True) if head.endswith(";base64") else unquote_to_bytes(body)
    except binascii.Error as error:
        raise RunFailed("The input file is not a valid data URI") from error
