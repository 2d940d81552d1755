from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from revela.domain.photo import CONTENT_TYPES, Category
from tests.fakes.photo_files import photo_bytes
from tests.photos.findings import facts_of
from tests.unit.functions.api.client import ANA, ApiPorts, Client
from tests.unit.functions.api.rows import subscribed
from tests.unit.usecases.model_life import a_picture

JPEG = {"content_type": "image/jpeg"}


def path_of(model_id: str) -> str:
    return f"/v1/models/{model_id}/photos"


def test_each_file_gets_a_form_of_its_own_to_post_it_with(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()

    answer = api.post(path_of(model.id), {"files": [JPEG, {"content_type": "image/heic"}]})

    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    one, other = answer.json["photos"]
    assert one["id"] != other["id"]
    assert [photo["content_type"] for photo in (one, other)] == ["image/jpeg", "image/heic"]
    assert one["upload"] == {
        "url": "https://bucket.test/",
        "fields": {"key": f"incoming/ana/{model.id}/{one['id']}", "Content-Type": "image/jpeg"},
        "expires_at": "2026-03-02T12:30:00.000Z",
        "max_bytes": 30_000_000,
    }
    assert [item["status"] for item in api.get(path_of(model.id)).json["items"]] == ["awaiting_upload"] * 2


def test_every_type_that_phones_make_may_be_declared(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()
    offered = api.get("/v1/catalog", user=None).json["photos"]

    assert offered["content_types"] == list(CONTENT_TYPES)
    answer = api.post(path_of(model.id), {"files": [{"content_type": kind} for kind in CONTENT_TYPES]})
    assert answer.status == 201


@pytest.mark.parametrize(
    ("body", "invalid"),
    [
        ({}, {"files": "required"}),
        ({"files": []}, {"files": "number_of_entries"}),
        ({"files": [JPEG] * 31}, {"files": "number_of_entries"}),
        ({"files": None}, {"files": "must_be_list"}),
        ({"files": JPEG}, {"files": "must_be_list"}),
        ({"files": ["image/jpeg"]}, {"files.0": "must_be_object"}),
        ({"files": [JPEG, {}]}, {"files.1.content_type": "required"}),
        ({"files": [{"content_type": "image/svg+xml"}]}, {"files.0.content_type": "not_one_of"}),
        ({"files": [{"content_type": 1}]}, {"files.0.content_type": "not_one_of"}),
        ({"files": [JPEG | {"size": 1}]}, {"files.0.size": "unknown_field"}),
        ({"files": [JPEG], "count": 1}, {"count": "unknown_field"}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_uploaded_is_named(
    body: dict[str, Any], invalid: dict[str, str], api: Client, ports: ApiPorts
) -> None:
    model = subscribed(ports).create()

    answer = api.post(path_of(model.id), body)

    assert (answer.status, answer.invalid) == (422, invalid)
    assert ports.store.photos == {}


def test_a_refused_list_says_how_many_it_takes(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()
    body = {"files": [{"content_type": "image/gif"}] * 31}

    reasons = {p["name"]: p["reason"] for p in api.post(path_of(model.id), body).json["invalid_params"]}
    assert reasons == {"files": "must have from 1 to 30 entries"}

    body = {"files": [{"content_type": "image/gif"}]}
    assert api.post(path_of(model.id), body).json["invalid_params"][0]["reason"].startswith("must be one of:")


def test_an_accepted_photo_comes_with_its_copy_and_its_category(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.create()
    photo = life.checked(model)

    shown = api.get(path_of(model.id)).json["items"][0]

    assert photo.clean_key is not None
    assert photo.facts is not None
    urls, expires_at = ports.objects.presign([photo.clean_key])
    assert (shown["status"], shown["category"]) == ("accepted", photo.category)
    assert shown["verdict"] == {"accepted": True, "problems": [], "notes": []}
    assert shown["image"] == {
        "url": urls[photo.clean_key],
        "expires_at": f"{expires_at:%Y-%m-%dT%H:%M:%S}.000Z",
        **photo.facts.clean.model_dump(),
    }
    assert shown["kept_until"] is not None


@pytest.mark.parametrize(
    ("language", "said"), [("en", "You already sent almost the same photo"), ("pt-BR", "Você já enviou")]
)
def test_a_rejected_photo_says_what_to_do_better(
    language: str, said: str, api: Client, ports: ApiPorts
) -> None:
    life = subscribed(ports)
    model = life.create()
    first = life.checked(model, a_picture(1))
    life.checked(model, a_picture(1))

    answer = api.get(path_of(model.id), headers={"Accept-Language": language})

    _, twin = answer.json["items"]
    (problem,) = twin["verdict"]["problems"]
    assert (twin["status"], twin["image"], twin["verdict"]["accepted"]) == ("rejected", None, False)
    assert (problem["code"], problem["photo_id"]) == ("near_duplicate", first.id)
    assert problem["sentence"].startswith(said)
    assert answer.headers["Content-Language"] == language


def test_a_verdict_fills_in_what_it_measured(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.create()
    life.checked(model, photo_bytes(facts_of(width=400, height=300)))

    problems = api.get(path_of(model.id)).json["items"][0]["verdict"]["problems"]

    assert "400 x 300 pixels" in next(p["sentence"] for p in problems if p["code"] == "too_small")


def test_the_set_says_what_is_missing(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.with_photos(3)
    life.upload(model)

    answer = api.get(path_of(model.id))

    report = answer.json["report"]
    assert (report["accepted"], report["pending"], report["readiness"]) == (3, 1, "not_trainable")
    assert sum(report["lights"].values()) == sum(report["categories"].values()) == 3
    assert report["missing"][0] == {
        "code": "more_photos_needed",
        "sentence": "Training takes at least 5 good photos. Still to add: 2.",
    }
    assert (answer.json["poll_after_s"], answer.headers["Retry-After"]) == (2, "2")
    assert api.get(f"/v1/models/{model.id}").json["photos"] == report


def test_the_tag_changes_with_the_photos_and_with_the_window_in_which_urls_are_signed(
    api: Client, ports: ApiPorts
) -> None:
    life = subscribed(ports)
    model = life.with_photos(2)
    path, tags = path_of(model.id), []

    def look() -> None:
        answer = api.get(path)
        again = api.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status, again.text) == (304, "")
        tags.append(answer.headers["ETag"])

    look()
    photo = life.checked(model)
    look()
    ports.clock.advance(timedelta(minutes=5))
    look()
    api.patch(f"{path}/{photo.id}", {"category": "full_body"})
    look()
    api.delete(f"{path}/{photo.id}")
    look()
    ports.clock.advance(timedelta(days=91))
    look()

    assert len(set(tags)) == len(tags)


def test_the_user_corrects_how_much_of_the_person_is_seen(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.create()
    photo = life.checked(model)

    answer = api.patch(f"{path_of(model.id)}/{photo.id}", {"category": "full_body"})

    assert (answer.status, answer.json["category"]) == (200, "full_body")
    assert life.photo(photo).chosen_category is Category.FULL_BODY
    assert answer.json == api.get(path_of(model.id)).json["items"][0]


@pytest.mark.parametrize(
    ("body", "invalid"),
    [
        ({}, {"category": "required"}),
        ({"category": "nose"}, {"category": "not_one_of"}),
        ({"category": None}, {"category": "not_one_of"}),
        ({"category": "face", "status": "accepted"}, {"status": "unknown_field"}),
    ],
    ids=str,
)
def test_a_correction_that_is_none_is_refused(
    body: dict[str, Any], invalid: dict[str, str], api: Client, ports: ApiPorts
) -> None:
    life = subscribed(ports)
    model = life.create()
    photo = life.checked(model)

    assert api.patch(f"{path_of(model.id)}/{photo.id}", body).invalid == invalid


def test_a_photo_that_is_gone_leaves_no_files(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.create()
    photo = life.checked(model)
    path = f"{path_of(model.id)}/{photo.id}"

    assert api.delete(path).status == 204

    assert (ports.store.photos, list(ports.objects.stored)) == ({}, [])
    assert api.delete(path).status == 404
    assert api.patch(path, {"category": "face"}).status == 404


def test_a_photo_that_was_kept_for_its_time_is_told_as_expired(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.with_photos(1)
    ports.clock.advance(timedelta(days=91))

    shown = api.get(path_of(model.id)).json

    assert (shown["items"][0]["status"], shown["items"][0]["image"]) == ("expired", None)
    assert (shown["report"]["accepted"], shown["report"]["expired"]) == (0, 1)


def test_logs_tell_no_names_of_files_and_no_forms(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()

    api.post(path_of(model.id), {"files": [JPEG]}, user=ANA)

    assert "bucket.test" not in ports.logged.getvalue() + repr(ports.telemetry.lines)
