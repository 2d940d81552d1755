"""What comes into the bucket: the same cases over the fake bucket and over S3's adapter."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.response import StreamingBody
from urllib3.exceptions import ProtocolError

from revela.adapters.s3 import S3Objects
from revela.domain.errors import Transient
from revela.ports import Objects
from tests.contract.aws import REGION, aws
from tests.contract.wire import Send, raising, refused, wire
from tests.fakes import FakeClock, FakeObjects

NOW = datetime(2026, 3, 2, 12, 7, tzinfo=UTC)
KEY = "incoming/ana/mdl_1/pho_1"
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def on_s3() -> Iterator[Objects]:
    with aws():
        client = boto3.client("s3", region_name=REGION)
        client.create_bucket(Bucket="images")
        yield S3Objects(client, "images", world_time=FakeClock(NOW).now)


@pytest.fixture(params=["memory", "s3"])
def objects(request: pytest.FixtureRequest) -> Objects:
    if request.param == "memory":
        return FakeObjects()
    found: Objects = request.getfixturevalue("on_s3")
    return found


def upload(objects: Objects, data: bytes) -> None:
    objects.put_bytes(KEY, data, content_type="image/jpeg")


# Fetching


def test_an_object_is_on_disk_until_its_context_ends(objects: Objects) -> None:
    upload(objects, b"a photo" * 100_000)

    with objects.fetch(KEY, max_bytes=1_000_000) as found:
        assert found is not None
        assert found.path.read_bytes() == b"a photo" * 100_000
        assert found.size_bytes == 700_000

    assert not found.path.exists()


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_what_is_not_too_large_is_whole(objects: Objects, size: int) -> None:
    upload(objects, b"x" * size)

    with objects.fetch(KEY, max_bytes=100) as found:
        assert found is not None
        assert (found.size_bytes, found.path.stat().st_size) == (size, size)


@pytest.mark.parametrize("size", [101, 5_000_000])
def test_of_what_is_too_large_one_byte_more_is_read(objects: Objects, size: int) -> None:
    upload(objects, b"x" * size)

    with objects.fetch(KEY, max_bytes=100) as found:
        assert found is not None
        assert (found.size_bytes, found.path.stat().st_size) == (101, 101)


def test_what_is_not_there_is_none(objects: Objects) -> None:
    with objects.fetch(KEY, max_bytes=100) as found:
        assert found is None


def test_a_version_names_the_bytes_that_were_read(objects: Objects) -> None:
    versions = []
    for data in (b"one", b"other"):
        upload(objects, data)
        with objects.fetch(KEY, max_bytes=100) as found:
            assert found is not None
            versions.append(found.version)
            upload(objects, b"replaced meanwhile")
            assert found.path.read_bytes() == data

    assert all(versions)
    assert len(set(versions)) == 2


def test_a_version_is_s3s_own_where_the_bucket_keeps_versions(on_s3: Objects) -> None:
    client = boto3.client("s3", region_name=REGION)
    client.put_bucket_versioning(Bucket="images", VersioningConfiguration={"Status": "Enabled"})
    upload(on_s3, b"one")

    with on_s3.fetch(KEY, max_bytes=100) as found:
        assert found is not None
        assert found.version == client.head_object(Bucket="images", Key=KEY)["VersionId"]


@pytest.mark.parametrize(
    "fault",
    [refused("AccessDenied"), refused("SlowDown"), raising(ConnectionClosedError(endpoint_url="s3"))],
    ids=["denied", "slow", "cut"],
)
def test_a_bucket_that_does_not_answer_as_it_should_is_transient(on_s3: Objects, fault: Any) -> None:
    upload(on_s3, b"one")
    with wire() as between:
        between.break_next("GetObject", fault)
        with pytest.raises(Transient), on_s3.fetch(KEY, max_bytes=100):
            pass


def test_a_body_that_is_cut_short_is_transient(on_s3: Objects) -> None:
    class Cut(io.BytesIO):
        def read(self, _amount: int | None = None) -> bytes:
            raise ProtocolError("connection broken")

    def cut(send: Send) -> Any:
        return {**send(), "Body": StreamingBody(Cut(), 3)}

    upload(on_s3, b"one")
    with wire() as between:
        between.break_next("GetObject", cut)
        with pytest.raises(Transient), on_s3.fetch(KEY, max_bytes=100):
            pass


# Forms


def policy_of(fields: Any) -> dict[str, Any]:
    policy: dict[str, Any] = json.loads(base64.b64decode(fields["policy"]))
    return policy


def test_a_form_allows_one_key_one_type_some_sizes_and_a_while(on_s3: Objects) -> None:
    form = on_s3.presign_upload(KEY, content_type="image/png", max_bytes=30, valid_for=HALF_AN_HOUR)

    policy = policy_of(form.fields)
    assert policy["expiration"] == "2026-03-02T12:37:00Z"
    assert {"bucket": "images"} in policy["conditions"]
    assert {"key": KEY} in policy["conditions"]
    assert {"Content-Type": "image/png"} in policy["conditions"]
    assert ["content-length-range", 1, 30] in policy["conditions"]
    assert not [c for c in policy["conditions"] if isinstance(c, list) and c[0] == "starts-with"]


def test_every_field_of_a_form_is_in_its_policy(on_s3: Objects) -> None:
    form = on_s3.presign_upload(KEY, content_type="image/png", max_bytes=30, valid_for=HALF_AN_HOUR)

    named = {name for c in policy_of(form.fields)["conditions"] if isinstance(c, dict) for name in c}
    assert set(form.fields) - {"policy", "x-amz-signature"} == named - {"bucket"}
    # S3 has refused all signatures but this kind since 2020, for new buckets.
    assert form.fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"


@pytest.mark.parametrize("region", ["us-east-1", "sa-east-1"])
def test_a_form_is_posted_to_the_buckets_own_region(region: str) -> None:
    with aws():
        client = boto3.client("s3", region_name=region)
        form = S3Objects(client, "images").presign_upload(
            KEY, content_type="image/png", max_bytes=30, valid_for=HALF_AN_HOUR
        )

    assert form.url == f"https://images.{httpx.URL(client.meta.endpoint_url).host}/"
    assert f"/{region}/s3/aws4_request" in form.fields["x-amz-credential"]


def test_any_bucket_names_the_key_and_type_in_its_form(objects: Objects) -> None:
    form = objects.presign_upload(KEY, content_type="image/png", max_bytes=30, valid_for=HALF_AN_HOUR)

    assert form.url.startswith("https://")
    assert (form.fields["key"], form.fields["Content-Type"]) == (KEY, "image/png")


def test_what_is_denied_is_looked_for_under_its_own_key(on_s3: Objects) -> None:
    """S3 denies what is gone to whoever may list some prefixes only."""
    with wire() as between:
        between.break_next("GetObject", refused("AccessDenied"))
        with on_s3.fetch(KEY, max_bytes=100) as found:
            assert found is None
    assert [(name, asked.get("Prefix")) for name, asked in between.calls][1:] == [("ListObjectsV2", KEY)]


def test_what_is_denied_although_it_is_there_is_no_news_of_its_end(on_s3: Objects) -> None:
    upload(on_s3, b"one")
    on_s3.put_bytes(f"{KEY}0", b"a neighbour", content_type="image/jpeg")
    with wire() as between:
        between.break_next("GetObject", refused("AccessDenied"))
        with pytest.raises(Transient), on_s3.fetch(KEY, max_bytes=100):
            pass
