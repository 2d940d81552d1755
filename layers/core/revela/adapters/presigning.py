"""Presigned URLs and forms: AWS Signature Version 4 in query parameters and in a form's fields.

botocore signs URLs as of the present second, which gives another one for the same object each time; and
forms by Signature Version 2 unless told otherwise, which buckets made since 2020 refuse, for an address
that is not the region's.
Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

from botocore.credentials import ReadOnlyCredentials

_ALGORITHM = "AWS4-HMAC-SHA256"


class _Signer:
    """Has the key of one day, region and service, which all else is signed with."""

    def __init__(self, credentials: ReadOnlyCredentials, *, region: str, signed_at: datetime) -> None:
        self._timestamp = signed_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        day = self._timestamp[:8]
        self._scope = f"{day}/{region}/s3/aws4_request"
        self._credential = f"{credentials.access_key}/{self._scope}"
        self._key = f"AWS4{credentials.secret_key}".encode()
        for part in (day, region, "s3", "aws4_request"):
            self._key = self._mac(part)

    def _mac(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode(), hashlib.sha256).digest()


class GetSigner(_Signer):
    """Signs URLs of objects in S3, all as of one time; the paths of the URLs are percent-encoded already."""

    def __init__(
        self, credentials: ReadOnlyCredentials, *, region: str, signed_at: datetime, valid_s: int
    ) -> None:
        super().__init__(credentials, region=region, signed_at=signed_at)
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": self._credential,
            "X-Amz-Date": self._timestamp,
            "X-Amz-Expires": str(valid_s),
            "X-Amz-SignedHeaders": "host",
        }
        if credentials.token:
            query["X-Amz-Security-Token"] = credentials.token
        # Signed in the order of their names, encoded as RFC 3986 says (a blank is %20, not +).
        self._query = urlencode(sorted(query.items()), quote_via=quote, safe="~")

    def sign(self, url: str) -> str:
        parts = urlsplit(url)
        request = "\n".join(
            ("GET", parts.path, self._query, f"host:{parts.netloc}", "", "host", "UNSIGNED-PAYLOAD")
        )
        digest = hashlib.sha256(request.encode()).hexdigest()
        signature = self._mac("\n".join((_ALGORITHM, self._timestamp, self._scope, digest))).hex()
        return f"{url}?{self._query}&X-Amz-Signature={signature}"


class PostSigner(_Signer):
    """Signs forms that post one object to a bucket."""

    def __init__(self, credentials: ReadOnlyCredentials, *, region: str, signed_at: datetime) -> None:
        super().__init__(credentials, region=region, signed_at=signed_at)
        self._token = credentials.token

    def sign(
        self, bucket: str, key: str, *, content_type: str, max_bytes: int, expires_at: datetime
    ) -> dict[str, str]:
        """Return the form's fields; with any other key, type or size the bucket refuses the file."""
        fields = {
            "key": key,
            "Content-Type": content_type,
            "x-amz-algorithm": _ALGORITHM,
            "x-amz-credential": self._credential,
            "x-amz-date": self._timestamp,
        }
        if self._token:
            fields["x-amz-security-token"] = self._token
        policy = {
            "expiration": expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "conditions": [
                {"bucket": bucket},
                *({name: value} for name, value in fields.items()),
                ["content-length-range", 1, max_bytes],
            ],
        }
        encoded = base64.b64encode(json.dumps(policy).encode()).decode()
        return {**fields, "policy": encoded, "x-amz-signature": self._mac(encoded).hex()}
