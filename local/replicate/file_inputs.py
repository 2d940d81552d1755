"""Files among the inputs: data URIs, uploaded files, and URLs that are fetched when the run starts."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import httpx

from local.replicate.loopback import reachable
from local.replicate.models.model import RunFailed
from local.replicate.uploads import Uploads

MAX_BYTES = 20_000_000
ARCHIVE_MAX_BYTES = 1_000_000_000


class FileInputs:
    def __init__(self, client: httpx.AsyncClient, uploads: Uploads) -> None:
        self._client = client
        self._uploads = uploads

    async def fetch(self, urls: Mapping[str, str], *, max_bytes: int = MAX_BYTES) -> dict[str, bytes]:
        """Bytes by parameter name. Raises RunFailed where a model's worker could not read its input."""
        return {name: await self._fetch(url, max_bytes) for name, url in urls.items()}

    async def _fetch(self, url: str, max_bytes: int) -> bytes:
        if url.startswith("data:"):
            return _decode(url)
        if self._uploads.is_of_here(url):
            upload = self._uploads.by_url(url)
            if upload is None:
                raise RunFailed("Failed to download an input file: HTTP 404")
            return upload.read()
        return await _download(self._client, url, max_bytes)


async def _download(client: httpx.AsyncClient, url: str, max_bytes: int) -> bytes:
    address, headers = reachable(url)
    data = bytearray()
    try:
        async with client.stream("GET", address, headers=headers, follow_redirects=True) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > max_bytes:
                    raise RunFailed(f"The input file is larger than {max_bytes} bytes")
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
