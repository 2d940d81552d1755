"""From a create to a decoded picture over real sockets, against the stand-in as a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from revela.adapters.pictures import PillowPictures
from revela.adapters.replicate.account import account
from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.outputs import ReplicateOutputs
from revela.adapters.replicate.provider import ReplicateProvider
from revela.domain.errors import OutputUnusable, ProviderUnauthorized
from revela.domain.prediction import PredictionStatus
from revela.ports import CreatePrediction, Picture, Provenance
from tests.contract.replicate_stand_in import TOKEN, server
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.fakes.telemetry import FakeTelemetry


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with server() as origin:
        yield origin


def client(origin: str, token: str = TOKEN) -> ReplicateClient:
    return ReplicateClient(
        base_url=f"{origin}/v1/",
        token=lambda: token,
        clock=FakeClock(datetime.now(UTC)),
        entropy=FakeEntropy(),
        telemetry=FakeTelemetry(),
    )


def advance(origin: str, seconds: float) -> None:
    httpx.post(f"{origin}/_control", json={"advance_s": seconds}, trust_env=False).raise_for_status()


@pytest.mark.parametrize(
    ("output_format", "picture"),
    [
        ("webp", Picture("image/webp", "webp", 1344, 768)),
        ("jpg", Picture("image/jpeg", "jpg", 1344, 768)),
        ("png", Picture("image/png", "png", 1344, 768)),
    ],
)
def test_an_output_is_the_picture_that_was_asked_for(
    origin: str, output_format: str, picture: Picture
) -> None:
    api = client(origin)
    provider = ReplicateProvider(api)
    created = provider.create_prediction(
        CreatePrediction(
            version="black-forest-labs/flux-dev",
            input={"prompt": "a lighthouse", "aspect_ratio": "16:9", "output_format": output_format},
            webhook_url=None,
            cancel_after_s=300,
        )
    )
    advance(origin, 60)
    ended = provider.get_prediction(created.id)
    assert ended.status is PredictionStatus.SUCCEEDED
    outputs = ReplicateOutputs(origins=[origin], clock=FakeClock(), entropy=FakeEntropy())
    pictures = PillowPictures()

    with outputs.download(ended.output[0]) as file:
        assert pictures.inspect(file.path) == picture
        thumbnail = pictures.thumbnail(file.path, Provenance("gen_1", "flux-dev"))

    assert (thumbnail.width, thumbnail.height) == (512, 293)
    advance(origin, 3_700)
    with pytest.raises(OutputUnusable, match="gone"), outputs.download(ended.output[0]):
        raise AssertionError("there is no file")
    outputs.close()
    api.close()


def test_the_account_is_told_to_who_has_its_token_alone(origin: str) -> None:
    api, stranger = client(origin), client(origin, token="r8_stranger")

    assert account(api).username
    with pytest.raises(ProviderUnauthorized):
        account(stranger)
    api.close()
    stranger.close()
