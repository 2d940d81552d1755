"""The Faces port over Amazon Rekognition's DetectFaces. Unverified: tested against AWS's own model of the
service, never against the service.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from revela.domain.errors import Transient
from revela.domain.photo import AgeRange, Box, Face, FaceReport, Pose, Remark, Unreadable

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_rekognition.type_defs import FaceDetailTypeDef

# API reference, DetectFaces: what it says of a picture that it will never take.
_NEVER = {"InvalidImageFormatException", "ImageTooLargeException", "InvalidParameterException"}


class RekognitionFaces:
    def __init__(self, client: RekognitionClient) -> None:
        self._client = client

    def inspect(self, jpeg: Path) -> FaceReport | Unreadable:
        try:
            answer = self._client.detect_faces(Image={"Bytes": jpeg.read_bytes()}, Attributes=["ALL"])
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _NEVER:
                return Unreadable(Remark(code="broken"), detail=code)
            # Throttled, broken there, or not allowed to us: each may be mended without another photo.
            raise Transient(f"rekognition: {code}") from error
        except BotoCoreError as error:
            raise Transient(f"rekognition: {type(error).__name__}") from error
        faces = (_face(detail) for detail in answer["FaceDetails"])
        return FaceReport(
            tuple(sorted(faces, key=lambda face: face.box.height, reverse=True)), knows_age=True
        )


def _face(detail: FaceDetailTypeDef) -> Face:
    # Attributes are missing where Rekognition is not sure of the face; then nothing is known.
    box, age, pose = detail["BoundingBox"], detail.get("AgeRange"), detail.get("Pose")
    occluded, sunglasses = detail.get("FaceOccluded"), detail.get("Sunglasses")
    eyes_open = detail.get("EyesOpen")
    return Face(
        Box(box["Left"], box["Top"], box["Width"], box["Height"]),
        confidence=detail["Confidence"] / 100,
        age=AgeRange(age["Low"], age["High"]) if age else None,
        occluded=occluded["Value"] if occluded else None,
        sunglasses=sunglasses["Value"] if sunglasses else None,
        eyes_open=eyes_open["Value"] if eyes_open else None,
        pose=Pose(pose["Yaw"], pose["Pitch"], pose["Roll"]) if pose else None,
    )
