"""Presigned URLs as of a given time: AWS Signature Version 4 in query parameters.

botocore signs as of the present second, which gives another URL for the same object each time.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

from botocore.credentials import ReadOnlyCredentials

_ALGORITHM = "AWS4-HMAC-SHA256"


class GetSigner:
    """Signs URLs of objects in S3, all as of one time; the paths of the URLs are percent-encoded already."""

    def __init__(
        self, credentials: ReadOnlyCredentials, *, region: str, signed_at: datetime, valid_s: int
    ) -> None:
        self._timestamp = signed_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        day = self._timestamp[:8]
        self._scope = f"{day}/{region}/s3/aws4_request"
        self._key = f"AWS4{credentials.secret_key}".encode()
        for part in (day, region, "s3", "aws4_request"):
            self._key = self._mac(part)
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{credentials.access_key}/{self._scope}",
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

    def _mac(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode(), hashlib.sha256).digest()
