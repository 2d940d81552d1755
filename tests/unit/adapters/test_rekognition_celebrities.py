"""Whom Rekognition recognises; AWS's own model of the service checks both sides' shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from revela.adapters.gates_off import NoCelebrities
from revela.adapters.rekognition_celebrities import RekognitionCelebrities
from revela.domain.errors import Transient

JPEG = b"\xff\xd8\xff a clean copy"


class Service:
    def __init__(self) -> None:
        client = boto3.client(
            "rekognition",
            region_name="us-east-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.stub = Stubber(client)
        self.client = client
        self.celebrities = RekognitionCelebrities(client)

    def finds(self, *famous: dict[str, Any], strangers: int = 0) -> None:
        self.stub.add_response(
            "recognize_celebrities",
            {
                "CelebrityFaces": list(famous),
                "UnrecognizedFaces": [{"Confidence": 99.9}] * strangers,
            },
            {"Image": {"Bytes": JPEG}},
        )


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with service.stub:
        yield service
    service.stub.assert_no_pending_responses()


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    path = tmp_path / "clean.jpg"
    path.write_bytes(JPEG)
    return path


def celebrity(confidence: float) -> dict[str, Any]:
    return {"Id": "1SK7cR8M", "Name": "Somebody Famous", "MatchConfidence": confidence, "Urls": []}


@pytest.mark.parametrize(
    ("confidences", "appears"),
    [
        ([], False),
        ([89.9], False),
        ([90.0], True),
        ([99.2], True),
        ([60.0, 95.0], True),
        ([60.0, 70.0], False),
    ],
)
def test_a_sure_match_is_a_celebrity_a_likeness_is_not(
    confidences: list[float], appears: bool, service: Service, clean: Path
) -> None:
    service.finds(*(celebrity(confidence) for confidence in confidences), strangers=1)

    assert service.celebrities.appears(clean) is appears


def test_a_match_that_says_not_how_sure_it_is_is_none(service: Service, clean: Path) -> None:
    service.finds({"Name": "Somebody Famous"})

    assert service.celebrities.appears(clean) is False


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("InternalServerError", 500),
        ("AccessDeniedException", 400),
        ("InvalidImageFormatException", 400),
        ("ImageTooLargeException", 400),
        ("InvalidParameterException", 400),
    ],
)
def test_while_the_service_says_nothing_nothing_is_known(
    code: str, status: int, service: Service, clean: Path
) -> None:
    service.stub.add_client_error("recognize_celebrities", code, http_status_code=status)

    with pytest.raises(Transient) as raised:
        service.celebrities.appears(clean)

    assert str(raised.value) == f"rekognition: {code}"


def test_a_service_that_does_not_answer_is_tried_again(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()

    def unreachable(**_: Any) -> None:
        raise ConnectTimeoutError(endpoint_url="https://rekognition")

    monkeypatch.setattr(service.client, "recognize_celebrities", unreachable)

    with pytest.raises(Transient, match="ConnectTimeoutError"):
        service.celebrities.appears(clean)


def test_with_the_gate_switched_off_nobody_is_famous(clean: Path) -> None:
    assert NoCelebrities().appears(clean) is False
