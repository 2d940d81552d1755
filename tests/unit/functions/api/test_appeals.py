from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from revela.domain.errors import Transient
from revela.domain.generation import Generation
from revela.domain.job import State
from tests.unit.functions.api.client import ApiPorts, Client
from tests.unit.functions.api.rows import ID, judged, stored, succeeded
from tests.unit.usecases.system import ref


def path(row: Generation) -> str:
    return f"/v1/generations/{row.id}/appeal"


def test_an_appeal_is_kept_and_answered_with_what_is_shown_of_the_generation(
    api: Client, ports: ApiPorts
) -> None:
    row = judged(ports, None, "nudity")

    answer = api.post(path(row), {"reason": "It is a statue."})

    shown = api.get(f"/v1/generations/{row.id}")
    assert answer.status == 202
    assert answer.json == shown.json
    assert answer.headers["ETag"] == shown.headers["ETag"]
    assert answer.json["appeal"] == {"appealed_at": "2026-03-02T12:00:00.000Z", "reason": "It is a statue."}
    assert answer.json["outputs"][0]["url"].startswith("https://")
    assert ports.store.generations[ref(row)].state is State.SUCCEEDED


def test_a_generation_without_any_image_can_be_appealed_too(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, "violence")

    answer = api.post(path(row))

    assert (answer.status, answer.json["status"], answer.json["outputs"]) == (202, "failed", [])
    assert answer.json["error"]["code"] == "moderated"
    assert answer.json["appeal"]["reason"] is None


def test_appealing_again_changes_nothing(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, None, "nudity")
    first = api.post(path(row), {"reason": "It is a statue."})
    kept = ports.store.generations[ref(row)]
    ports.clock.advance(timedelta(seconds=30))

    again = api.post(path(row), {"reason": "Please!"})

    assert (again.status, again.text, again.headers) == (first.status, first.text, first.headers)
    assert ports.store.generations[ref(row)] == kept


def test_an_appeal_that_was_made_in_time_can_be_repeated_later(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, "nudity")
    first = api.post(path(row))
    ports.clock.advance(ports.policies.blocked_kept)

    assert api.post(path(row)).text == first.text


def test_the_tag_of_before_the_appeal_is_no_longer_good(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, None, "nudity")
    shown = f"/v1/generations/{row.id}"
    before = api.get(shown).headers["ETag"]
    after = api.post(path(row)).headers["ETag"]

    assert api.get(shown, headers={"If-None-Match": before}).status == 200
    assert api.get(shown, headers={"If-None-Match": after}).status == 304


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        (None, None),
        ("", None),
        (" \n ", None),
        ("  a statue \n", "a statue"),
        ("one line\nand another", "one line\nand another"),
        ("one line\r\nand another", "one line\nand another"),
        ("É uma estátua 🗿", "É uma estátua 🗿"),
        ("x" * 1000, "x" * 1000),
        ("\n" + "x" * 1000 + "\n", "x" * 1000),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_reason_is_what_people_write(
    reason: str | None, kept: str | None, api: Client, ports: ApiPorts
) -> None:
    row = judged(ports, "nudity")

    answer = api.post(path(row), {"reason": reason})

    assert (answer.status, answer.json["appeal"]["reason"]) == (202, kept)


@pytest.mark.parametrize("body", [{}, {"reason": None}, "{}", ""], ids=repr)
@pytest.mark.parametrize("binary", [False, True])
def test_a_reason_need_not_be_given(body: Any, binary: bool, api: Client, ports: ApiPorts) -> None:
    row = judged(ports, "nudity")

    assert api.post(path(row), body, binary=binary).json["appeal"]["reason"] is None


def test_without_a_body_no_type_of_it_is_asked_for(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, "nudity")

    assert api.post(path(row), headers={"Content-Type": "text/plain"}).status == 202


@pytest.mark.parametrize(
    ("body", "status", "invalid"),
    [
        ({"reason": "x" * 1001}, 422, {"reason": "too_long"}),
        ({"reason": "a\u0000b"}, 422, {"reason": "control_characters"}),
        ({"reason": "a\tb"}, 422, {"reason": "control_characters"}),
        ({"reason": "a\rb"}, 422, {"reason": "control_characters"}),
        ({"reason": "a\u001b[31mb"}, 422, {"reason": "control_characters"}),
        ({"reason": "a\u2028b"}, 422, {"reason": "control_characters"}),
        ({"reason": 5}, 422, {"reason": "must_be_string"}),
        ({"reason": ["a"]}, 422, {"reason": "must_be_string"}),
        ({"why": "x"}, 422, {"why": "unknown_field"}),
        ([], 400, {}),
        ("null", 400, {}),
        ("{", 400, {}),
        (" ", 400, {}),
        ({"reason": "x" * 70_000}, 413, {}),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_cannot_be_an_appeal_is_refused(
    body: Any, status: int, invalid: dict[str, str], api: Client, ports: ApiPorts
) -> None:
    row = judged(ports, "nudity")

    answer = api.post(path(row), body)

    assert (answer.status, answer.invalid) == (status, invalid)
    assert ports.store.generations[ref(row)] == row


def test_a_body_has_to_be_json(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, "nudity")

    assert api.post(path(row), "reason=x", headers={"Content-Type": "text/plain"}).status == 415


@pytest.mark.parametrize(
    "state", [State.WAITING, State.QUEUED, State.PROCESSING, State.SAVING, State.JUDGING, State.CANCELED]
)
def test_what_has_no_blocked_image_has_nothing_to_appeal(state: State, api: Client, ports: ApiPorts) -> None:
    row = stored(ports, state=state)

    answer = api.post(path(row), headers={"Accept-Language": "pt-BR"})

    assert (answer.status, answer.json["code"]) == (409, "nothing_to_appeal")
    assert answer.json["detail"] == "Nenhuma imagem desta geração foi bloqueada."


def test_what_is_no_longer_kept_cannot_be_looked_at_again(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, None, "nudity")
    ports.clock.advance(ports.policies.blocked_kept)

    answer = api.post(path(row), {"reason": "x"}, headers={"Accept-Language": "pt-BR"})

    assert (answer.status, answer.json["code"]) == (409, "appeal_too_late")
    assert "não são mais guardadas" in answer.json["detail"]


def test_what_does_not_exist_cannot_be_appealed(api: Client, ports: ApiPorts) -> None:
    row = succeeded(ports, state=State.DELETING)

    for id_ in (row.id, ID.replace("E", "F"), "gen_1"):
        assert api.post(f"/v1/generations/{id_}/appeal").status == 404


def test_an_appeal_that_could_not_be_written_may_be_sent_again(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, "nudity")
    api.get("/v1/account")

    def away(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Transient("the table is away")

    ports.calls.before = away

    assert api.post(path(row)).status == 503


def test_a_users_words_go_into_no_log(api: Client, ports: ApiPorts) -> None:
    row = judged(ports, "nudity")

    api.post(path(row), {"reason": "PRIVATE-WORDS"})

    assert "PRIVATE-WORDS" not in ports.logged.getvalue() + repr(ports.telemetry.lines)
