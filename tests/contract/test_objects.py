from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from revela.adapters import s3
from revela.adapters.s3 import S3Objects
from revela.domain.errors import Transient
from revela.ports import Objects
from tests.contract.aws import REGION, aws
from tests.contract.wire import Send, Wire, raising, refused, wire
from tests.fakes import FakeClock, FakeObjects

WINDOW = datetime(2026, 3, 2, 12, 5, tzinfo=UTC)


class Bucket(Protocol):
    """What lies in the bucket, seen from the side."""

    def keys(self) -> set[str]: ...

    def content(self, key: str) -> tuple[bytes, str]: ...


@dataclass
class Ports:
    objects: Objects
    bucket: Bucket
    clock: FakeClock


class FakeBucket:
    def __init__(self, objects: FakeObjects) -> None:
        self._objects = objects

    def keys(self) -> set[str]:
        return set(self._objects.stored)

    def content(self, key: str) -> tuple[bytes, str]:
        stored = self._objects.stored[key]
        return stored.data, stored.content_type


class S3Bucket:
    def __init__(self, client: Any) -> None:
        self._client = client

    def keys(self) -> set[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket="images")
        return {found["Key"] for page in pages for found in page.get("Contents", [])}

    def content(self, key: str) -> tuple[bytes, str]:
        found = self._client.get_object(Bucket="images", Key=key)
        return found["Body"].read(), found["ContentType"]


@pytest.fixture
def on_aws() -> Iterator[Ports]:
    with aws():
        client = boto3.client("s3", region_name=REGION)
        client.create_bucket(Bucket="images")
        clock = FakeClock(WINDOW)
        yield Ports(S3Objects(client, "images", world_time=clock.now), S3Bucket(client), clock)


@pytest.fixture(params=["memory", "s3"])
def ports(request: pytest.FixtureRequest) -> Ports:
    if request.param == "s3":
        found: Ports = request.getfixturevalue("on_aws")
        return found
    clock = FakeClock(WINDOW)
    objects = FakeObjects(clock=clock)
    return Ports(objects, FakeBucket(objects), clock)


def put(ports: Ports, *keys: str) -> None:
    for key in keys:
        ports.objects.put_bytes(key, key.encode(), content_type="image/webp")


def test_a_file_is_stored_with_its_type(ports: Ports, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"\x89PNG" * 1000)

    ports.objects.put_file("quarantine/ana/gen_1/1/0", path, content_type="image/png")

    assert ports.bucket.content("quarantine/ana/gen_1/1/0") == (b"\x89PNG" * 1000, "image/png")


def test_a_copy_has_the_content_and_a_type_of_its_own(ports: Ports) -> None:
    put(ports, "quarantine/ana/gen_1/1/0")

    ports.objects.copy("quarantine/ana/gen_1/1/0", "users/ana/ü b.png", content_type="image/png")

    assert ports.bucket.content("users/ana/ü b.png") == (b"quarantine/ana/gen_1/1/0", "image/png")
    assert len(ports.bucket.keys()) == 2


def test_a_copy_over_what_is_there_replaces_it(ports: Ports) -> None:
    put(ports, "a/1", "b/1")

    ports.objects.copy("a/1", "b/1", content_type="image/png")

    assert ports.bucket.content("b/1") == (b"a/1", "image/png")


def test_what_is_not_there_cannot_be_copied(ports: Ports) -> None:
    with pytest.raises(Transient, match="NoSuchKey"):
        ports.objects.copy("quarantine/none", "users/none", content_type="image/png")


def test_everything_below_a_prefix_is_deleted_and_nothing_beside_it(ports: Ports) -> None:
    put(ports, "users/ana/gen_1/0", "users/ana/gen_1/1/deep", "users/ana/gen_10/0", "users/bia/gen_1/0")

    assert ports.objects.delete_prefix("users/ana/gen_1/") == 2
    assert ports.bucket.keys() == {"users/ana/gen_10/0", "users/bia/gen_1/0"}
    assert ports.objects.delete_prefix("users/ana/gen_1/") == 0


@pytest.mark.parametrize("prefix", ["", "users/ana/gen_1"])
def test_a_prefix_that_would_reach_its_neighbours_is_refused(ports: Ports, prefix: str) -> None:
    put(ports, "users/ana/gen_10/0")

    with pytest.raises(ValueError, match="neighbours"):
        ports.objects.delete_prefix(prefix)
    assert ports.bucket.keys() == {"users/ana/gen_10/0"}


def test_named_objects_are_deleted_there_or_not(ports: Ports) -> None:
    put(ports, "a/1", "a/2", "a/3")

    ports.objects.delete(["a/1", "a/3", "a/none"])
    ports.objects.delete([])

    assert ports.bucket.keys() == {"a/2"}


def test_the_same_url_comes_for_five_minutes(ports: Ports) -> None:
    first, expires_at = ports.objects.presign(["users/a/1", "users/a/2"])
    ports.clock.advance(timedelta(minutes=4, seconds=59, microseconds=999_999))
    again, same_end = ports.objects.presign(["users/a/1"])
    ports.clock.advance(timedelta(microseconds=1))
    later, later_end = ports.objects.presign(["users/a/1"])

    assert again["users/a/1"] == first["users/a/1"] != first["users/a/2"]
    assert later["users/a/1"] != first["users/a/1"]
    assert (expires_at, same_end, later_end) == (
        WINDOW + timedelta(minutes=15),
        WINDOW + timedelta(minutes=15),
        WINDOW + timedelta(minutes=20),
    )


def test_a_url_names_its_object(ports: Ports) -> None:
    urls, _ = ports.objects.presign(["users/ana b/ü+&?#.webp"])

    assert unquote(urlsplit(urls["users/ana b/ü+&?#.webp"]).path).endswith("users/ana b/ü+&?#.webp")


@pytest.mark.parametrize(
    "key", ["quarantine/ana/gen_1/1/0", "incoming/ana/mdl_1/pho_1", "blocked/x", "/users/ana/x", ""]
)
def test_nobody_is_given_a_url_of_what_was_not_judged(ports: Ports, key: str) -> None:
    with pytest.raises(ValueError, match="nobody may be shown"):
        ports.objects.presign(["users/ana/generations/gen_1/1-0.webp", key])


# S3 alone: what goes wrong on the way


@pytest.fixture
def between() -> Iterator[Wire]:
    with wire() as found:
        yield found


def test_more_than_a_page_is_deleted(on_aws: Ports, between: Wire) -> None:
    put(on_aws, *(f"a/{n}" for n in range(5)))

    def of_two(send: Send) -> Any:
        between.calls[-1][1]["MaxKeys"] = 2
        return send()

    between.break_next("ListObjectsV2", of_two, of_two, of_two)

    assert on_aws.objects.delete_prefix("a/") == 5
    assert between.operations().count("DeleteObjects") == 3
    assert on_aws.bucket.keys() == set()


def test_a_thousand_names_go_into_one_call_and_no_more(on_aws: Ports, between: Wire) -> None:
    on_aws.objects.delete([f"a/{n}" for n in range(1001)])

    assert [len(call["Delete"]["Objects"]) for _, call in between.calls] == [1000, 1]


def test_an_object_that_was_not_deleted_is_no_success(on_aws: Ports, between: Wire) -> None:
    put(on_aws, "a/1")
    partly: dict[str, Any] = {"Errors": [{"Key": "a/1", "Code": "InternalError"}]}
    between.break_next("DeleteObjects", lambda _: partly, lambda _: partly)

    with pytest.raises(Transient, match="1 objects not deleted: InternalError"):
        on_aws.objects.delete_prefix("a/")
    with pytest.raises(Transient, match="InternalError"):
        on_aws.objects.delete(["a/1"])


def test_a_bucket_that_does_not_answer_is_transient(on_aws: Ports, between: Wire, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"1")
    away = raising(EndpointConnectionError(endpoint_url="https://s3.test"))
    between.break_next("PutObject", away, refused("SlowDown"))
    between.break_next("CopyObject", away)
    between.break_next("ListObjectsV2", away)

    with pytest.raises(Transient, match="EndpointConnectionError"):
        on_aws.objects.put_file("a/1", path, content_type="image/png")
    with pytest.raises(Transient, match="SlowDown"):
        on_aws.objects.put_bytes("a/1", b"1", content_type="image/png")
    with pytest.raises(Transient):
        on_aws.objects.copy("a/1", "a/2", content_type="image/png")
    with pytest.raises(Transient):
        on_aws.objects.delete_prefix("a/")


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        (None, "https://images.s3.amazonaws.com/"),
        ("https://s3.sa-east-1.amazonaws.com", "https://images.s3.sa-east-1.amazonaws.com/"),
        ("http://localhost:4566", "http://localhost:4566/images/"),
    ],
)
def test_a_url_goes_to_the_buckets_own_host_or_to_the_endpoint_that_was_set(
    on_aws: Ports, endpoint: str | None, base: str
) -> None:
    objects = S3Objects(boto3.client("s3", region_name=REGION, endpoint_url=endpoint), "images")

    urls, _ = objects.presign(["users/a/1"])

    assert urls["users/a/1"].startswith(f"{base}users/a/1?X-Amz-Algorithm=AWS4-HMAC-SHA256&")


def test_a_process_without_credentials_signs_nothing(on_aws: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    s3._credentials.cache_clear()
    monkeypatch.setattr(s3, "get_session", lambda: SimpleNamespace(get_credentials=lambda: None))

    with pytest.raises(NoCredentialsError):
        on_aws.objects.presign(["users/a/1"])
