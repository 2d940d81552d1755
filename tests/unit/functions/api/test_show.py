from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain import messages
from revela.domain.job import Failure, State
from revela.ports import Ref
from tests.unit.functions.api.client import ANA, BIA, ApiPorts, Client
from tests.unit.functions.api.rows import ID, failed, output, stored, succeeded

PATH = f"/v1/generations/{ID}"


def test_a_finished_generation_comes_with_urls_of_its_images(api: Client, ports: ApiPorts) -> None:
    row = succeeded(ports)

    answer = api.get(PATH)

    shown = answer.json
    urls, expires_at = ports.objects.presign([row.outputs[0].key, row.outputs[0].thumbnail_key])
    assert shown["status"] == "succeeded"
    assert shown["credits"] == {"estimated": 6, "held": 0, "charged": 6, "refunded": 0}
    assert shown["outputs"][0] == {
        "index": 0,
        "url": urls[row.outputs[0].key],
        "thumbnail_url": urls[row.outputs[0].thumbnail_key],
        "expires_at": f"{expires_at:%Y-%m-%dT%H:%M:%S}.000Z",
        "content_type": "image/webp",
        "width": 1024,
        "height": 1024,
        "size_bytes": 148312,
        "sha256": "9f" * 32,
        "thumbnail_width": 512,
        "thumbnail_height": 512,
    }
    assert (shown["error"], shown["poll_after_s"]) == (None, None)
    assert (shown["created_at"], shown["completed_at"]) == (
        "2026-03-02T12:00:00.000Z",
        "2026-03-02T12:00:09.000Z",
    )
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Retry-After" not in answer.headers


def test_images_that_were_not_delivered_are_refunded(api: Client, ports: ApiPorts) -> None:
    succeeded(ports, credits_charged=3, outputs=(output(ID, 0),))

    assert api.get(PATH).json["credits"] == {"estimated": 6, "held": 0, "charged": 3, "refunded": 3}


@pytest.mark.parametrize("state", ["waiting", "queued", "starting", "processing", "saving", "judging"])
def test_while_it_runs_all_credits_are_held_and_it_says_when_to_ask_again(
    state: str, api: Client, ports: ApiPorts
) -> None:
    stored(ports, state=State(state))

    answer = api.get(PATH)

    assert answer.json["status"] == state
    assert answer.json["credits"] == {"estimated": 6, "held": 6, "charged": 0, "refunded": 0}
    assert answer.json["poll_after_s"] >= 1
    assert answer.headers["Retry-After"] == str(answer.json["poll_after_s"])


@pytest.mark.parametrize(
    ("language", "said"), [("en", "You were not charged"), ("pt-BR", "Você não foi cobrado")]
)
def test_a_failure_says_why_and_that_nothing_was_charged(
    language: str, said: str, api: Client, ports: ApiPorts
) -> None:
    failed(ports)

    answer = api.get(PATH, headers={"Accept-Language": language})

    assert answer.json["error"]["code"] == "moderated"
    assert said in answer.json["error"]["message"]
    assert answer.json["credits"]["refunded"] == 6
    assert "NSFW" not in answer.text
    assert answer.headers["Content-Language"] == language


@pytest.mark.parametrize("language", messages.LANGUAGES)
@pytest.mark.parametrize("code", messages.FAILURES)
def test_every_failure_has_its_sentence(
    code: str, language: messages.Language, api: Client, ports: ApiPorts
) -> None:
    failed(ports, failure=Failure(code=code))

    error = api.get(PATH, headers={"Accept-Language": language}).json["error"]

    assert error == {"code": code, "message": messages.FAILURES[code][language], "category": None}


def test_a_prompt_that_a_judge_refused_says_for_what(api: Client, ports: ApiPorts) -> None:
    failed(ports, failure=Failure(code="prompt_moderated", detail="sexual"))

    error = api.get(PATH).json["error"]

    assert (error["code"], error["category"]) == ("prompt_moderated", "sexual")


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_whoever_asked_for_self_harm_is_told_where_help_is(
    language: messages.Language, api: Client, ports: ApiPorts
) -> None:
    failed(ports, failure=Failure(code="prompt_moderated", detail="self_harm"))

    error = api.get(PATH, headers={"Accept-Language": language}).json["error"]

    assert (error["code"], error["category"]) == ("prompt_moderated", "self_harm")
    assert "188" in error["message"]
    assert "188" in messages.BLOCKS["self_harm"][language]


@pytest.mark.parametrize(
    "wanted", ["{etag}", "*", '"other", {etag}', 'W/"x",{etag}', "{strong}"], ids=lambda text: text[:12]
)
def test_what_the_client_has_is_not_sent_again(wanted: str, api: Client, ports: ApiPorts) -> None:
    succeeded(ports)
    etag = api.get(PATH).headers["ETag"]

    header = wanted.format(etag=etag, strong=etag.removeprefix("W/"))
    answer = api.get(PATH, headers={"If-None-Match": header})

    assert (answer.status, answer.text, answer.headers["ETag"]) == (304, "", etag)


@pytest.mark.parametrize("wanted", ['"other"', "", "nonsense", '"1'])
def test_another_tag_gets_the_whole_answer(wanted: str, api: Client, ports: ApiPorts) -> None:
    succeeded(ports)

    assert api.get(PATH, headers={"If-None-Match": wanted}).status == 200


def test_the_tag_changes_when_the_row_does(api: Client, ports: ApiPorts) -> None:
    stored(ports, state=State.QUEUED, version=1)
    etag = api.get(PATH).headers["ETag"]
    stored(ports, state=State.STARTING, version=2)

    assert api.get(PATH, headers={"If-None-Match": etag}).status == 200


def test_the_tag_of_images_changes_with_the_window_in_which_urls_are_signed(
    api: Client, ports: ApiPorts
) -> None:
    succeeded(ports)
    first = api.get(PATH)

    ports.clock.advance(timedelta(minutes=4))
    assert api.get(PATH, headers={"If-None-Match": first.headers["ETag"]}).status == 304

    ports.clock.advance(timedelta(minutes=1))
    later = api.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
    assert later.status == 200
    assert later.json["outputs"][0]["expires_at"] > first.json["outputs"][0]["expires_at"]


def test_without_images_nothing_but_the_row_changes_the_tag(api: Client, ports: ApiPorts) -> None:
    stored(ports)
    etag = api.get(PATH).headers["ETag"]

    ports.clock.advance(timedelta(hours=1))
    answer = api.get(PATH, headers={"If-None-Match": etag})

    assert answer.status == 304
    assert answer.headers["Retry-After"] == "2"


def test_each_language_has_a_tag_of_its_own(api: Client, ports: ApiPorts) -> None:
    failed(ports)
    etag = api.get(PATH, headers={"Accept-Language": "en"}).headers["ETag"]

    answer = api.get(PATH, headers={"Accept-Language": "pt-BR", "If-None-Match": etag})

    assert answer.status == 200
    assert answer.headers["Vary"] == "Accept-Language"


@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("POST", "/cancel"), ("POST", "/appeal"), ("DELETE", "")]
)
def test_another_users_generation_does_not_exist(
    method: str, suffix: str, api: Client, ports: ApiPorts
) -> None:
    row = succeeded(ports)

    answer = api.call(method, PATH + suffix, user=BIA)

    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert ports.store.generations[Ref(ANA, ID)] == row


def test_a_generation_that_is_being_deleted_does_not_exist(api: Client, ports: ApiPorts) -> None:
    succeeded(ports, state=State.DELETING)

    assert api.get(PATH).status == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "id_",
    [
        "gen_",
        ID.lower(),
        ID + "0",
        ID[:-1],
        "gen_8" + ID[5:],
        "gen_" + "I" * 26,
        "wait#" + ID[4:],
        "key",
        "..",
        "%00",
    ],
)
def test_what_cannot_be_an_id_is_not_looked_up(method: str, id_: str, api: Client, ports: ApiPorts) -> None:
    api.get("/v1/account")
    ports.calls.names.clear()

    answer = api.call(method, f"/v1/generations/{id_}")

    assert (answer.status, ports.calls.names) == (404, [])
