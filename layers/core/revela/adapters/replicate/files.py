"""Replicate's files: inputs of under 100 MB, kept for 24 hours, readable by predictions of the account."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import IO, Any
from urllib.parse import quote, urlencode

from pydantic import Field

from revela.adapters.replicate import fields
from revela.adapters.replicate.client import Endpoint, ReplicateClient, endpoint
from revela.adapters.replicate.pages import pages

OCTET_STREAM = "application/octet-stream"

_ALL = endpoint("/files")


class FileUrls(fields.Body):
    """`get` is what an input names the file by; nobody but the account's own jobs can read it."""

    get: str


class FileBody(fields.Body):
    id: str = Field(min_length=1)
    urls: FileUrls
    content_type: fields.Text = None
    size: fields.Number = None
    checksums: fields.Mapping = None
    metadata: fields.Mapping = None
    created_at: fields.Instant = None
    expires_at: fields.Instant = None


class Files:
    def __init__(self, client: ReplicateClient) -> None:
        self._client = client

    def create(
        self,
        content: IO[bytes],
        *,
        filename: str,
        content_type: str = OCTET_STREAM,
        metadata: Mapping[str, Any] | None = None,
    ) -> FileBody:
        """Upload a file, once. `filename` has at most 255 bytes. Raises ProviderRejected from 100 MB on."""
        told = {"filename": filename, "type": content_type}
        if metadata:
            told["metadata"] = json.dumps(metadata)
        file = (filename, content, content_type)
        return self._client.upload_once(_ALL, FileBody, file=file, fields=told)

    def get(self, file_id: str) -> FileBody:
        return self._client.get(_one(file_id), FileBody)

    def delete(self, file_id: str) -> None:
        self._client.delete(_one(file_id))

    def pages(self) -> Iterator[list[FileBody]]:
        return pages(self._client, _ALL, FileBody)


def download_url(
    base_url: str, file_id: str, *, owner: str, expires_at: datetime, signing_secret: str
) -> str:
    """Return the URL at which anybody can read the file until `expires_at`.

    `owner` is the account's username. The signing secret is the Files API's own, which no operation tells.
    """
    expiry = int(expires_at.timestamp())
    signed = f"{owner} {file_id} {expiry}".encode()
    signature = base64.b64encode(hmac.digest(signing_secret.encode(), signed, hashlib.sha256)).decode()
    query = urlencode({"owner": owner, "expiry": expiry, "signature": signature})
    return f"{base_url.rstrip('/')}/files/{quote(file_id, safe='')}/download?{query}"


def _one(file_id: str) -> Endpoint:
    return endpoint("/files/{file_id}", file_id=file_id)
