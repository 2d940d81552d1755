"""The Celebrities port over Amazon Rekognition's RecognizeCelebrities. Unverified: tested against AWS's own
model of the service, never against the service.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from revela.domain.errors import Transient

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient

# In percent. Rekognition names whoever a face resembles most, people who are nobody's double included, and
# a wrong match takes a person's own photos from them; a photo of the celebrity is seldom a close call.
MATCH_CONFIDENCE_MIN = 90.0


class RekognitionCelebrities:
    def __init__(self, client: RekognitionClient) -> None:
        self._client = client

    def appears(self, jpeg: Path) -> bool:
        try:
            answer = self._client.recognize_celebrities(Image={"Bytes": jpeg.read_bytes()})
        except ClientError as error:
            # Pictures it does not take are no exception: the copy is of our own making, and whether
            # somebody famous is on it stays unknown.
            raise Transient(f"rekognition: {error.response['Error']['Code']}") from error
        except BotoCoreError as error:
            raise Transient(f"rekognition: {type(error).__name__}") from error
        return any(
            found.get("MatchConfidence", 0.0) >= MATCH_CONFIDENCE_MIN for found in answer["CelebrityFaces"]
        )
