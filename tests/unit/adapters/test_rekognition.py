"""What Rekognition's answers and errors become; AWS's own model of the service checks both sides' shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from revela.adapters.rekognition import RekognitionFaces
from revela.domain.errors import Transient
from revela.domain.photo import AgeRange, Box, Face, FaceReport, ModelKind, Pose, Unreadable
from revela.domain.photo_verdict import judge
from tests.photos.findings import facts_of

JPEG = b"\xff\xd8\xff a clean copy"
ASKED = {"Image": {"Bytes": JPEG}, "Attributes": ["ALL"]}


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
        self.faces = RekognitionFaces(client)


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


def sure(value: bool) -> dict[str, Any]:
    return {"Value": value, "Confidence": 99.1}


def detail(height: float = 0.4, **changes: Any) -> dict[str, Any]:
    return {
        "BoundingBox": {"Left": 0.31, "Top": 0.12, "Width": 0.28, "Height": height},
        "Confidence": 99.75,
        "AgeRange": {"Low": 27, "High": 37},
        "FaceOccluded": sure(False),
        "Sunglasses": sure(False),
        "EyesOpen": sure(True),
        "Pose": {"Yaw": -4.5, "Pitch": 7.25, "Roll": 1.5},
        "Landmarks": [{"Type": "eyeLeft", "X": 0.4, "Y": 0.3}],
        "Quality": {"Brightness": 80.5, "Sharpness": 92.2},
    } | changes


def test_a_face_is_told_with_all_that_rekognition_knows(service: Service, clean: Path) -> None:
    service.stub.add_response("detect_faces", {"FaceDetails": [detail()]}, ASKED)

    assert service.faces.inspect(clean) == FaceReport(
        (
            Face(
                Box(0.31, 0.12, 0.28, 0.4),
                confidence=0.9975,
                age=AgeRange(27, 37),
                occluded=False,
                sunglasses=False,
                eyes_open=True,
                pose=Pose(-4.5, 7.25, 1.5),
            ),
        ),
        knows_age=True,
    )


def test_the_largest_face_comes_first(service: Service, clean: Path) -> None:
    heights = [0.1, 0.5, 0.3]
    service.stub.add_response("detect_faces", {"FaceDetails": [detail(h) for h in heights]}, ASKED)

    report = service.faces.inspect(clean)

    assert isinstance(report, FaceReport)
    assert [face.box.height for face in report.faces] == [0.5, 0.3, 0.1]


def test_what_an_answer_lacks_is_unknown(service: Service, clean: Path) -> None:
    bare = {key: value for key, value in detail().items() if key in ("BoundingBox", "Confidence")}
    service.stub.add_response("detect_faces", {"FaceDetails": [bare]}, ASKED)

    report = service.faces.inspect(clean)

    assert isinstance(report, FaceReport)
    (face,) = report.faces
    assert (face.age, face.occluded, face.sunglasses, face.eyes_open, face.pose) == (None,) * 5


def test_nobody_is_an_answer(service: Service, clean: Path) -> None:
    service.stub.add_response("detect_faces", {"FaceDetails": []}, ASKED)

    assert service.faces.inspect(clean) == FaceReport((), knows_age=True)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"AgeRange": {"Low": 18, "High": 24}}, None),
        ({"AgeRange": {"Low": 17, "High": 25}}, "minor"),
        ({"AgeRange": {"Low": 3, "High": 8}}, "minor"),
        ({"Sunglasses": sure(True)}, "sunglasses"),
        ({"FaceOccluded": sure(True)}, "face_covered"),
        ({"FaceOccluded": sure(True), "Sunglasses": sure(True)}, "sunglasses"),
    ],
)
def test_what_rekognition_sees_decides(
    changes: dict[str, Any], code: str | None, service: Service, clean: Path
) -> None:
    service.stub.add_response("detect_faces", {"FaceDetails": [detail(**changes)]}, ASKED)

    verdict = judge(facts_of(), service.faces.inspect(clean), kind=ModelKind.FACE, others=[])

    assert [problem.code for problem in verdict.problems] == ([code] if code else [])


@pytest.mark.parametrize(
    "code", ["InvalidImageFormatException", "ImageTooLargeException", "InvalidParameterException"]
)
def test_a_picture_that_rekognition_never_takes_is_broken(code: str, service: Service, clean: Path) -> None:
    service.stub.add_client_error("detect_faces", code, http_status_code=400)

    found = service.faces.inspect(clean)

    assert isinstance(found, Unreadable)
    assert (found.remark.code, found.detail) == ("broken", code)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("ProvisionedThroughputExceededException", 400),
        ("InternalServerError", 500),
        ("ServiceUnavailable", 503),
        ("AccessDeniedException", 400),
        ("ExpiredTokenException", 400),
    ],
)
def test_trouble_that_another_photo_would_not_mend_is_tried_again(
    code: str, status: int, service: Service, clean: Path
) -> None:
    service.stub.add_client_error("detect_faces", code, http_status_code=status)

    with pytest.raises(Transient, match=code):
        service.faces.inspect(clean)


def test_a_service_that_does_not_answer_is_tried_again(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()

    def unreachable(**_: Any) -> None:
        raise ConnectTimeoutError(endpoint_url="https://rekognition")

    monkeypatch.setattr(service.client, "detect_faces", unreachable)

    with pytest.raises(Transient, match="ConnectTimeoutError"):
        service.faces.inspect(clean)
