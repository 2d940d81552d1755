from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote, urlsplit

from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.session import get_session

from revela.adapters.presigning import GetSigner, PostSigner
from revela.domain.errors import Transient
from revela.ports import SHOWN, Fetched, Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The same URL comes for five minutes, so that an ETag over it stays; it works for fifteen, so that
# the youngest and the oldest one handed out are both worth having.
WINDOW = timedelta(minutes=5)
VALID = timedelta(minutes=15)
# AWS: DeleteObjects takes a thousand keys.
_BATCH = 1000
_CHUNK = 256 * 1024


@cache
def _credentials() -> Credentials:
    credentials = get_session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    return credentials


def _current_credentials() -> ReadOnlyCredentials:
    return _credentials().get_frozen_credentials()


class S3Objects:
    """One bucket. URLs are signed by the world's time, whatever the Clock says: S3 checks them by it."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        *,
        world_time: Callable[[], datetime] = lambda: datetime.now(UTC),
        credentials: Callable[[], ReadOnlyCredentials] = _current_credentials,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._world_time = world_time
        self._credentials = credentials

    def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        with _transient(), path.open("rb") as file:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=file, ContentType=content_type)

    def put_bytes(self, key: str, data: bytes, *, content_type: str) -> None:
        with _transient():
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type)

    def copy(self, source: str, target: str, *, content_type: str) -> None:
        with _transient():
            self._client.copy_object(
                Bucket=self._bucket,
                Key=target,
                CopySource={"Bucket": self._bucket, "Key": source},
                ContentType=content_type,
                MetadataDirective="REPLACE",
            )

    def delete(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _BATCH):
            self._delete(keys[start : start + _BATCH])

    def delete_prefix(self, prefix: str) -> int:
        if not prefix.endswith("/"):
            raise ValueError("a prefix that does not end with / would reach its neighbours")
        deleted = 0
        with _transient():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                keys = [found["Key"] for found in page.get("Contents", [])]
                self.delete(keys)
                deleted += len(keys)
        return deleted

    @contextmanager
    def fetch(self, key: str, *, max_bytes: int) -> Iterator[Fetched | None]:
        with tempfile.NamedTemporaryFile(prefix="object-") as file:
            found = self._read(key, file, max_bytes)
            file.flush()
            yield Fetched(Path(file.name), *found) if found else None

    def presign_upload(self, key: str, *, content_type: str, max_bytes: int, valid_for: timedelta) -> Upload:
        now = self._world_time()
        signer = PostSigner(self._credentials(), region=self._client.meta.region_name, signed_at=now)
        fields = signer.sign(
            self._bucket, key, content_type=content_type, max_bytes=max_bytes, expires_at=now + valid_for
        )
        return Upload(self._base_url(), fields)

    def presign(self, keys: Sequence[str]) -> tuple[dict[str, str], datetime]:
        if not all(key.startswith(SHOWN) for key in keys):
            raise ValueError("a URL of what nobody may be shown")
        now = self._world_time()
        signed_at = now - timedelta(seconds=now.timestamp() % WINDOW.total_seconds())
        signer = GetSigner(
            self._credentials(),
            region=self._client.meta.region_name,
            signed_at=signed_at,
            valid_s=int(VALID.total_seconds()),
        )
        base = self._base_url()
        urls = {key: signer.sign(base + quote(key, safe="/~")) for key in keys}
        return urls, signed_at + VALID

    def _read(self, key: str, file: IO[bytes], max_bytes: int) -> tuple[int, str] | None:
        """Return size and version of what was read, at most a byte more than `max_bytes`."""
        with _transient():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if self._is_missing(key, error):
                    return None
                raise
            body, left = answer["Body"], max_bytes + 1
            try:
                while left and (chunk := body.read(min(_CHUNK, left))):
                    file.write(chunk)
                    left -= len(chunk)
            except OSError as error:
                raise Transient(f"S3: {type(error).__name__}") from error
            finally:
                body.close()
        return max_bytes + 1 - left, answer.get("VersionId") or answer["ETag"]

    def _is_missing(self, key: str, error: ClientError) -> bool:
        """Tell an object that is not there: S3 says so only to who may list all of the bucket.

        To a role that may list some prefixes it denies access, as if the object were another's.
        """
        code = error.response.get("Error", {}).get("Code")
        if code != "AccessDenied":
            return code == "NoSuchKey"
        found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return key not in [there["Key"] for there in found.get("Contents", [])]

    def _delete(self, keys: Sequence[str]) -> None:
        with _transient():
            answer = self._client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
        if errors := answer.get("Errors"):
            codes = {error.get("Code", "") for error in errors}
            raise Transient(f"S3: {len(errors)} objects not deleted: {', '.join(sorted(codes))}")

    def _base_url(self) -> str:
        """Return the bucket's address: its own host at AWS, a path of an endpoint that was set instead."""
        endpoint = urlsplit(self._client.meta.endpoint_url)
        if ".amazonaws.com" in endpoint.netloc:
            return f"{endpoint.scheme}://{self._bucket}.{endpoint.netloc}/"
        return f"{endpoint.scheme}://{endpoint.netloc}/{self._bucket}/"


@contextmanager
def _transient() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise Transient(f"S3: {error.response.get('Error', {}).get('Code', 'unknown')}") from error
    except BotoCoreError as error:
        raise Transient(f"S3: {type(error).__name__}") from error
