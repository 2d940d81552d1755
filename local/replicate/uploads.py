"""Files that the account uploaded: under 100 MB each, gone after 24 hours, readable by signature."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

from local.replicate.clock import Clock, Scheduler, iso
from local.replicate.models.model import Json
from local.replicate.registry import OWNER

LIMIT_BYTES = 100_000_000
KEPT_S = 24 * 3600
IN_MEMORY_BYTES = 256 * 1024  # what is larger lies on disk, in a file without a name


@dataclass(frozen=True)
class Upload:
    number: int
    id: str
    name: str
    content_type: str
    metadata: Json
    size: int
    sha256: str
    md5: str
    created_s: float
    content: "SpooledTemporaryFile[bytes]"

    def read(self) -> bytes:
        self.content.seek(0)
        return self.content.read()

    def to_json(self, origin: str) -> Json:
        """`name`, `etag` and `md5` are not documented, but are in recorded traffic, and SDKs need them."""
        return {
            "id": self.id,
            "name": self.name,
            "content_type": self.content_type,
            "size": self.size,
            "etag": self.md5,
            "checksums": {"sha256": self.sha256, "md5": self.md5},
            "metadata": self.metadata,
            "created_at": iso(self.created_s),
            "expires_at": iso(self.created_s + KEPT_S),
            "urls": {"get": f"{origin}/v1/files/{self.id}"},
        }


class Uploads:
    def __init__(self, *, origin: str, signing_secret: str, clock: Clock, scheduler: Scheduler) -> None:
        self._origin = origin
        self._signing_secret = signing_secret
        self._clock = clock
        self._scheduler = scheduler
        self._uploads: dict[str, Upload] = {}
        self._created = 0

    def create(self, content: bytes, *, name: str, content_type: str, metadata: Json) -> Upload:
        now_s = self._clock.now_s()
        kept: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115  # closed when deleted
        kept.write(content)
        self._created += 1
        upload = Upload(
            number=self._created,
            id=base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26],
            name=name,
            content_type=content_type,
            metadata=metadata,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
            created_s=now_s,
            content=kept,
        )
        self._uploads[upload.id] = upload
        self._scheduler.at(now_s + KEPT_S, lambda _: self.delete(upload.id))
        return upload

    def find(self, upload_id: str) -> Upload | None:
        return self._uploads.get(upload_id)

    def by_url(self, url: str) -> Upload | None:
        """The upload that an input names by its `urls.get`."""
        prefix = f"{self._origin}/v1/files/"
        return self._uploads.get(url.removeprefix(prefix)) if url.startswith(prefix) else None

    def is_of_here(self, url: str) -> bool:
        return url.startswith(f"{self._origin}/v1/files/")

    def signed(self, upload_id: str, *, owner: str, expiry: int, signature: str) -> Upload | None:
        """The upload, when the signature over owner, id and expiry is good and not expired."""
        text = f"{owner} {upload_id} {expiry}".encode()
        expected = base64.b64encode(hmac.digest(self._signing_secret.encode(), text, hashlib.sha256))
        is_good = hmac.compare_digest(expected, signature.encode("utf-8", "replace"))
        if not is_good or owner != OWNER or expiry <= self._clock.now_s():
            return None
        return self.find(upload_id)

    def newest_first(self) -> Sequence[Upload]:
        return list(reversed(self._uploads.values()))

    def delete(self, upload_id: str) -> None:
        upload = self._uploads.pop(upload_id, None)
        if upload is not None:
            upload.content.close()

    def clear(self) -> None:
        for upload_id in list(self._uploads):
            self.delete(upload_id)
