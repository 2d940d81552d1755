from __future__ import annotations

import pytest

from revela.domain.job import State
from revela.ports import Ref
from tests.unit.functions.api.client import ANA, ApiPorts, Client
from tests.unit.functions.api.rows import ID, failed, stored, succeeded

PATH = f"/v1/generations/{ID}"
REQUEST = {"model": "flux-dev", "prompt": "a lighthouse", "num_outputs": 2}


def test_what_no_worker_has_taken_is_canceled_at_once(api: Client, ports: ApiPorts) -> None:
    accepted = api.post("/v1/generations", REQUEST)

    answer = api.post(f"{accepted.headers['Location']}/cancel")

    assert (answer.status, answer.json["status"]) == (200, "canceled")
    assert answer.json["credits"] == {"estimated": 6, "held": 0, "charged": 0, "refunded": 6}
    assert "Retry-After" not in answer.headers
    assert ports.store.accounts[ANA].available == 20


def test_what_is_at_the_provider_is_canceled_there_first(api: Client, ports: ApiPorts) -> None:
    stored(ports, state=State.PROCESSING, prediction_id="p1", attempt=1)

    answer = api.post(f"{PATH}/cancel")

    assert (answer.status, answer.json["status"]) == (202, "processing")
    assert answer.json["cancel_requested"] is True
    assert answer.headers["Retry-After"] == "2"
    assert ports.commands.started == [Ref(ANA, ID)]


def test_canceling_twice_is_the_same_as_once(api: Client) -> None:
    location = api.post("/v1/generations", REQUEST).headers["Location"]

    first, second = (api.post(f"{location}/cancel") for _ in range(2))

    assert (second.status, second.text) == (first.status, first.text)


@pytest.mark.parametrize(
    ("state", "code"),
    [("saving", "generation_saving"), ("succeeded", "generation_ended"), ("failed", "generation_ended")],
)
def test_what_is_over_cannot_be_canceled(state: str, code: str, api: Client, ports: ApiPorts) -> None:
    row = stored(ports, state=State(state))

    answer = api.post(f"{PATH}/cancel")

    assert (answer.status, answer.json["code"]) == (409, code)
    assert ports.store.generations[Ref(ANA, ID)] == row


def test_a_body_sent_along_with_a_cancel_is_not_read(api: Client, ports: ApiPorts) -> None:
    stored(ports, state=State.PROCESSING)

    assert api.post(f"{PATH}/cancel", "{", headers={"Content-Type": "text/plain"}).status == 202


def test_delete_removes_the_row_and_everything_stored_for_it(api: Client, ports: ApiPorts) -> None:
    row = succeeded(ports)
    for key in (row.outputs[0].key, f"{row.quarantine_prefix}1/0", "users/ana/generations/other/1-0.webp"):
        ports.objects.put_bytes(key, b"x", content_type="image/webp")

    answer = api.delete(PATH)

    assert (answer.status, answer.text) == (204, "")
    assert set(ports.objects.stored) == {"users/ana/generations/other/1-0.webp"}
    assert api.get(PATH).status == 404
    assert api.delete(PATH).status == 404


def test_a_failed_one_can_be_deleted_too(api: Client, ports: ApiPorts) -> None:
    failed(ports)

    assert api.delete(PATH).status == 204


def test_what_still_runs_cannot_be_deleted(api: Client, ports: ApiPorts) -> None:
    row = stored(ports, state=State.PROCESSING)

    answer = api.delete(PATH)

    assert (answer.status, answer.json["code"]) == (409, "generation_running")
    assert ports.store.generations[Ref(ANA, ID)] == row


def test_a_delete_that_was_cut_short_is_resumed(api: Client, ports: ApiPorts) -> None:
    succeeded(ports, state=State.DELETING)

    assert api.delete(PATH).status == 204
    assert ports.store.generations == {}
