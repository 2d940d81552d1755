"""Output files: addressed by chance, drawn when first asked for, gone when deleted."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from local.replicate.drawing.picture import Picture
from local.replicate.drawing.render import render

PATH = "/delivery"
KEPT_BYTES = 64_000_000  # drawn files kept at hand; any other is drawn anew
DRAWING_AT_ONCE = 2


@dataclass(frozen=True)
class Weights:
    """What a training learned, in a tar."""

    data: bytes
    file_name: str = "trained_model.tar"
    content_type: str = "application/x-tar"


class Deliveries:
    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._files: dict[str, Picture | Weights] = {}
        self._drawn: OrderedDict[str, bytes] = OrderedDict()
        self._drawn_bytes = 0
        self._pen = asyncio.Semaphore(DRAWING_AT_ONCE)

    def publish(self, file: Picture | Weights) -> str:
        """The URL that the file has from now on."""
        key = f"{secrets.token_urlsafe(24)}/{file.file_name}"
        self._files[key] = file
        return f"{self._origin}{PATH}/{key}"

    async def read(self, key: str) -> tuple[Picture | Weights, bytes] | None:
        file = self._files.get(key)
        if file is None:
            return None
        if isinstance(file, Weights):
            return file, file.data
        async with self._pen:
            data = self._drawn.get(key)
            if data is None:
                data = await asyncio.to_thread(render, file)
        if key not in self._files:  # deleted while it was being drawn
            return None
        self._keep(key, data)
        return file, data

    def delete(self, urls: Sequence[str]) -> None:
        for url in urls:
            key = url.removeprefix(f"{self._origin}{PATH}/")
            self._files.pop(key, None)
            self._drop(key)

    def clear(self) -> None:
        self._files.clear()
        self._drawn.clear()
        self._drawn_bytes = 0

    def _keep(self, key: str, data: bytes) -> None:
        self._drop(key)
        self._drawn[key] = data
        self._drawn_bytes += len(data)
        while self._drawn_bytes > KEPT_BYTES:
            _, dropped = self._drawn.popitem(last=False)
            self._drawn_bytes -= len(dropped)

    def _drop(self, key: str) -> None:
        self._drawn_bytes -= len(self._drawn.pop(key, b""))
