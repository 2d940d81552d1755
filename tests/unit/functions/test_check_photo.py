from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from check_photo.handler import handler
from check_photo.messages import refs_of
from revela.adapters.sqs import SqsCommands
from revela.domain.errors import Transient
from revela.domain.photo import Photo, PhotoState
from revela.ports import Ref
from revela.settings import Queues
from tests.unit.functions.worker import MODEL, PHOTO, WorkerPorts, deliver, message_ids, sample, samples
from tests.unit.usecases.model_life import ModelLife
from tests.unit.usecases.system import System

CHECK_TIMEOUT_S = 120
UPLOADED, MISSED, CONNECTED, POISON = (
    f"check_photo/{name}" for name in ("uploaded", "missed", "queue_connected", "poison")
)


@pytest.fixture(autouse=True)
def upload(workers: WorkerPorts) -> Photo:
    """The samples' photo, uploaded."""
    System(workers).subscribe(MODEL.user_id, plan="pro")
    life = ModelLife(workers)
    return life.upload(life.create(MODEL.user_id))


def photo(workers: WorkerPorts) -> Photo:
    return workers.store.photos[PHOTO.user_id, PHOTO.id]


def check(workers: WorkerPorts, name: str) -> list[str]:
    return deliver(handler, sample(name), remaining_s=CHECK_TIMEOUT_S)


@pytest.mark.parametrize("name", [UPLOADED, MISSED])
def test_whoever_tells_of_an_upload_it_is_judged(workers: WorkerPorts, name: str) -> None:
    assert check(workers, name) == []

    assert photo(workers).state is PhotoState.ACCEPTED


def test_the_message_that_connects_bucket_and_queue_is_acknowledged(workers: WorkerPorts) -> None:
    assert check(workers, CONNECTED) == []

    assert photo(workers).state is PhotoState.AWAITING_UPLOAD


def test_what_cannot_be_read_goes_to_the_dead_letters_and_holds_up_no_other(workers: WorkerPorts) -> None:
    assert check(workers, POISON) == message_ids(sample(POISON))[1:]

    assert photo(workers).state is PhotoState.ACCEPTED


@pytest.mark.parametrize("name", samples("check_photo"))
def test_a_second_delivery_of_any_sample_changes_nothing(workers: WorkerPorts, name: str) -> None:
    check(workers, name)
    once = photo(workers)

    check(workers, name)

    assert photo(workers) == once


def test_a_photo_whose_faces_nobody_can_look_for_now_comes_again(workers: WorkerPorts) -> None:
    workers.faces.failure = Transient("Rekognition: ThrottlingException")

    assert check(workers, UPLOADED) == message_ids(sample(UPLOADED))

    assert photo(workers).state is PhotoState.CHECKING
    workers.faces.failure = None
    assert check(workers, UPLOADED) == []
    assert photo(workers).state is PhotoState.ACCEPTED


def uploaded(key: str) -> str:
    return json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})


@pytest.mark.parametrize("user_id", ["ana", "auth0|ana b", "a/b", "ana+b@example.com"])
def test_any_user_id_is_found_in_the_key_as_s3_quotes_it(upload: Photo, user_id: str) -> None:
    key = upload.model_copy(update={"user_id": user_id}).upload_key

    assert refs_of(uploaded(quote_plus(key, safe="/"))) == [Ref(user_id, PHOTO.id)]


@pytest.mark.parametrize(
    "body",
    [
        uploaded("photos/ana/mdl_1/pho_1"),
        uploaded("incoming/ana/mdl_1/other"),
        uploaded("incoming/pho_1"),
        '{"Event":"s3:Other"}',
    ],
)
def test_what_is_no_upload_of_a_photo_is_not_taken_for_one(body: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's and our own
        refs_of(body)


def test_the_sample_is_the_message_as_reconcile_sends_it() -> None:
    class Client:
        sent: list[Any]

        def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803  # AWS' own
            assert QueueUrl == "photos"
            self.sent = Entries
            return {}

    client = Client()

    SqsCommands(client, Queues(photo="photos")).check([PHOTO])  # type: ignore[arg-type]  # all it asks

    (record,) = sample(MISSED)["Records"]
    assert record["body"] == client.sent[0]["MessageBody"]
    assert record["attributes"]["MessageGroupId"] == client.sent[0]["MessageGroupId"]
