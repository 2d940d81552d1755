"""S3 tells a missing object only to who may list the whole bucket; roles here list prefixes alone."""

from __future__ import annotations

from collections.abc import Iterator

import botocore.session
import pytest
from botocore.stub import Stubber

from revela.adapters.s3 import S3Objects
from revela.domain.errors import Transient

BUCKET, KEY = "revela-test", "incoming/ana/mdl_1/pho_1"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    client = botocore.session.get_session().create_client("s3", region_name="us-east-1")
    with Stubber(client) as stubber:
        stubber.add_client_error(
            "get_object", "AccessDenied", http_status_code=403, expected_params={"Bucket": BUCKET, "Key": KEY}
        )
        yield stubber
        stubber.assert_no_pending_responses()


def listed(s3: Stubber, *keys: str) -> None:
    asked = {"Bucket": BUCKET, "Prefix": KEY, "MaxKeys": 1}
    s3.add_response("list_objects_v2", {"Contents": [{"Key": key} for key in keys]} if keys else {}, asked)


def objects(s3: Stubber) -> S3Objects:
    return S3Objects(s3.client, BUCKET)  # type: ignore[arg-type]  # the stubber does not say whose client it has


@pytest.mark.parametrize("there", [(), (f"{KEY}0",)])
def test_what_is_denied_and_not_listed_is_not_there(s3: Stubber, there: tuple[str, ...]) -> None:
    listed(s3, *there)

    with objects(s3).fetch(KEY, max_bytes=10) as found:
        assert found is None


def test_what_is_denied_although_it_is_there_is_a_fault(s3: Stubber) -> None:
    listed(s3, KEY)

    with (
        pytest.raises(Transient, match="AccessDenied"),
        objects(s3).fetch(KEY, max_bytes=10),
    ):
        pass
