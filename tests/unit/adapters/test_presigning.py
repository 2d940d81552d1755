from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from revela.adapters.presigning import GetSigner, PostSigner

AT = datetime(2026, 3, 2, 12, 5, tzinfo=UTC)


def test_the_example_of_the_documentation_is_signed_alike() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, its example."""
    credentials = ReadOnlyCredentials(
        "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None
    )
    signer = GetSigner(
        credentials, region="us-east-1", signed_at=datetime(2013, 5, 24, tzinfo=UTC), valid_s=86400
    )

    url = signer.sign("https://examplebucket.s3.amazonaws.com/test.txt")

    assert parse_qs(urlsplit(url).query) == {
        "X-Amz-Algorithm": ["AWS4-HMAC-SHA256"],
        "X-Amz-Credential": ["AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"],
        "X-Amz-Date": ["20130524T000000Z"],
        "X-Amz-Expires": ["86400"],
        "X-Amz-SignedHeaders": ["host"],
        "X-Amz-Signature": ["aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"],
    }


@pytest.mark.parametrize("token", [None, "IQoJb3JpZ2luX2VjE+/=="])
@pytest.mark.parametrize(
    "url",
    [
        "https://images.s3.sa-east-1.amazonaws.com/users/ana/generations/gen_1/1-0.webp",
        "http://localhost:4566/images/users/ana%20b/%C3%BC%2B~.webp",
    ],
)
def test_botocore_signs_alike(monkeypatch: pytest.MonkeyPatch, token: str | None, url: str) -> None:
    credentials = ReadOnlyCredentials("AKIDEXAMPLE", "secret/+", token)
    monkeypatch.setattr(auth, "get_current_datetime", lambda: AT.replace(tzinfo=None))
    request = AWSRequest("GET", url)
    auth.S3SigV4QueryAuth(credentials, "s3", "sa-east-1", expires=900).add_auth(request)

    ours = GetSigner(credentials, region="sa-east-1", signed_at=AT, valid_s=900).sign(url)

    assert parse_qs(urlsplit(ours).query) == parse_qs(urlsplit(str(request.url)).query)
    assert ours.split("?")[0] == url


@pytest.mark.parametrize("token", [None, "IQoJb3JpZ2luX2VjE+/=="])
def test_a_form_is_signed_as_botocore_signs_it(monkeypatch: pytest.MonkeyPatch, token: str | None) -> None:
    credentials = ReadOnlyCredentials("AKIDEXAMPLE", "secret/+", token)
    monkeypatch.setattr(auth, "get_current_datetime", lambda: AT.replace(tzinfo=None))
    ours = PostSigner(credentials, region="sa-east-1", signed_at=AT).sign(
        "images",
        "incoming/ana/1",
        content_type="image/png",
        max_bytes=5,
        expires_at=AT + timedelta(minutes=30),
    )
    fields: dict[str, str] = {}
    policy: dict[str, Any] = {
        "expiration": "2026-03-02T12:35:00Z",
        "conditions": [
            {"bucket": "images"},
            {"key": "incoming/ana/1"},
            {"Content-Type": "image/png"},
            ["content-length-range", 1, 5],
        ],
    }
    request = AWSRequest("POST", "https://images.s3.sa-east-1.amazonaws.com/")
    request.context.update({"s3-presign-post-fields": fields, "s3-presign-post-policy": policy})
    auth.S3SigV4PostAuth(credentials, "s3", "sa-east-1").add_auth(request)

    theirs = json.loads(base64.b64decode(fields["policy"]))
    said = json.loads(base64.b64decode(ours["policy"]))
    assert said["expiration"] == theirs["expiration"]
    assert sorted(map(str, said["conditions"])) == sorted(map(str, theirs["conditions"]))
    assert {**ours, **{name: fields[name] for name in ("policy", "x-amz-signature")}} == {
        "key": "incoming/ana/1",
        "Content-Type": "image/png",
        **fields,
    }


def test_a_forms_signature_is_of_its_policy() -> None:
    credentials = ReadOnlyCredentials("AKIDEXAMPLE", "secret/+", None)
    fields = PostSigner(credentials, region="sa-east-1", signed_at=AT).sign(
        "images", "incoming/ana/1", content_type="image/png", max_bytes=5, expires_at=AT
    )
    request = AWSRequest("POST", "https://images.s3.sa-east-1.amazonaws.com/")
    request.context["timestamp"] = fields["x-amz-date"]

    signed = auth.SigV4Auth(credentials, "s3", "sa-east-1").signature(fields["policy"], request)

    assert fields["x-amz-signature"] == signed
