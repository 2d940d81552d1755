from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from revela.domain.errors import Transient
from revela.domain.personal_model import ModelState
from tests.unit.functions.api.client import ANA, BIA, UNSET, ApiPorts, Client
from tests.unit.functions.api.rows import subscribed

GOOD = {
    "name": "Ana",
    "kind": "face",
    "class_word": "woman",
    "consent": {"accepted": True, "text_version": "2026-03"},
}
NOBODYS = "mdl_01K4YW0C8N3VZJ5T7RQ2M9XHBD"


def test_a_model_begins_as_a_draft_that_says_what_to_do_next(api: Client, ports: ApiPorts) -> None:
    subscribed(ports)

    answer = api.post("/v1/models", GOOD | {"trigger_word": "ZOKLIRAF"})

    model = answer.json
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/models/{model['id']}"
    assert {name: model[name] for name in ("name", "status", "kind", "class_word", "trigger_word")} == {
        "name": "Ana",
        "status": "draft",
        "kind": "face",
        "class_word": "woman",
        "trigger_word": "ZOKLIRAF",
    }
    assert model["consent"] == {
        "accepted_at": "2026-03-02T12:00:00.000Z",
        "text_version": "2026-03",
        "withdrawn_at": None,
    }
    assert (model["versions"], model["chosen_version"], model["latest_training"]) == ([], None, None)
    assert model["next_step"]["code"] == "upload_photos"
    assert model["photos"]["readiness"] == "not_trainable"
    assert api.get(answer.headers["Location"]).json == model


def test_consent_is_kept_with_a_hash_of_the_address_it_came_from(api: Client, ports: ApiPorts) -> None:
    subscribed(ports)

    id_ = api.post("/v1/models", GOOD).json["id"]

    kept = ports.store.models[ANA, id_].consent
    assert kept.address_hash == hashlib.sha256(f"{id_}:203.0.113.7".encode()).hexdigest()
    assert "203.0.113.7" not in ports.logged.getvalue() + repr(ports.telemetry.lines)


@pytest.mark.parametrize(("kind", "word"), [("face", "person"), ("full_body", "person"), ("style", "style")])
def test_a_model_without_words_of_its_own_gets_some(
    kind: str, word: str, api: Client, ports: ApiPorts
) -> None:
    subscribed(ports)

    model = api.post("/v1/models", {"name": "x", "kind": kind, "consent": GOOD["consent"]}).json

    assert model["class_word"] == word
    assert model["trigger_word"].isalnum()


@pytest.mark.parametrize(
    ("fields", "invalid"),
    [
        ({"name": None}, {"name": "must_be_string"}),
        ({"name": ""}, {"name": "must_not_be_empty"}),
        ({"name": " \u00a0 "}, {"name": "must_not_be_empty"}),
        ({"name": "x" * 81}, {"name": "too_long"}),
        ({"name": "a\nb"}, {"name": "control_characters"}),
        ({"name": "a\u0000"}, {"name": "control_characters"}),
        ({"name": "a\u2028b"}, {"name": "control_characters"}),
        ({"name": 7}, {"name": "must_be_string"}),
        ({"kind": "cat"}, {"kind": "not_one_of"}),
        ({"kind": ["face"]}, {"kind": "not_one_of"}),
        ({"class_word": ""}, {"class_word": "class_word_form"}),
        ({"class_word": "woman, naked"}, {"class_word": "class_word_form"}),
        ({"class_word": "{trigger_word}"}, {"class_word": "class_word_form"}),
        ({"class_word": "a b c d"}, {"class_word": "class_word_form"}),
        ({"class_word": "x" * 31}, {"class_word": "class_word_form"}),
        ({"class_word": "woman\n"}, {"class_word": "class_word_form"}),
        ({"class_word": 5}, {"class_word": "must_be_string"}),
        ({"trigger_word": "woman"}, {"trigger_word": "trigger_word_common"}),
        ({"trigger_word": "a b"}, {"trigger_word": "trigger_word_form"}),
        ({"trigger_word": ""}, {"trigger_word": "trigger_word_form"}),
        ({"trigger_word": 5}, {"trigger_word": "must_be_string"}),
        ({"consent": None}, {"consent": "must_be_object"}),
        ({"consent": True}, {"consent": "must_be_object"}),
        ({"consent": {}}, {"consent.accepted": "required", "consent.text_version": "required"}),
        ({"consent": {"accepted": False, "text_version": "1"}}, {"consent.accepted": "must_be_accepted"}),
        ({"consent": {"accepted": 1, "text_version": "1"}}, {"consent.accepted": "must_be_boolean"}),
        ({"consent": {"accepted": "true", "text_version": "1"}}, {"consent.accepted": "must_be_boolean"}),
        ({"consent": {"accepted": True, "text_version": ""}}, {"consent.text_version": "invalid"}),
        ({"consent": {"accepted": True, "text_version": "a b"}}, {"consent.text_version": "invalid"}),
        (
            {"consent": {"accepted": True, "text_version": "1", "address": "10.0.0.1"}},
            {"consent.address": "unknown_field"},
        ),
        ({"user_id": "bia"}, {"user_id": "unknown_field"}),
        ({"name": "", "kind": "cat"}, {"name": "must_not_be_empty", "kind": "not_one_of"}),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_what_cannot_be_a_model_is_named_field_by_field(
    fields: dict[str, Any], invalid: dict[str, str], api: Client, ports: ApiPorts
) -> None:
    subscribed(ports)

    answer = api.post("/v1/models", GOOD | fields)

    assert (answer.status, answer.json["code"]) == (422, "invalid_request")
    assert answer.invalid == invalid
    assert ports.store.models == {}


def test_a_model_without_a_name_kind_or_consent_is_refused(api: Client) -> None:
    assert api.post("/v1/models", {}).invalid == dict.fromkeys(("name", "kind", "consent"), "required")


def test_a_refused_field_inside_another_is_told_what_would_be_taken(api: Client) -> None:
    body = GOOD | {"kind": "cat", "consent": {"accepted": False, "text_version": "1", "x": 1}}
    reasons = {p["name"]: p["reason"] for p in api.post("/v1/models", body).json["invalid_params"]}

    assert reasons == {
        "kind": "must be one of: face, half_body, full_body, style",
        "consent.accepted": "must be true: without this consent no model is made",
        "consent.x": "is not a field of this request; it takes accepted, text_version",
    }


@pytest.mark.parametrize("name", ["Ana", "  Ana  ", "João & Zoë", "x" * 80, "👩‍🎨", "三代目"])
def test_a_name_is_what_people_write(name: str, api: Client, ports: ApiPorts) -> None:
    subscribed(ports)

    assert api.post("/v1/models", GOOD | {"name": name}).json["name"] == name.strip()


@pytest.mark.parametrize("word", ["woman", "mulher", "golden retriever", "jack-o'lantern", "ação"])
def test_a_class_word_is_a_word_or_three(word: str, api: Client, ports: ApiPorts) -> None:
    subscribed(ports)

    assert api.post("/v1/models", GOOD | {"class_word": word}).json["class_word"] == word


def test_words_of_a_model_are_held_to_the_policy_of_prompts(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()

    created = api.post("/v1/models", GOOD | {"name": "Ana pelada"}, headers={"Accept-Language": "pt-BR"})
    renamed = api.patch(f"/v1/models/{model.id}", {"name": "Naked Ana"})

    for answer in (created, renamed):
        assert (answer.status, answer.json["code"]) == (422, "prompt_refused")
        assert answer.invalid == {"name": "refused_sexual"}
    assert [row.name for row in ports.store.models.values()] == ["Ana"]


def test_two_models_do_not_answer_to_one_word(api: Client, ports: ApiPorts) -> None:
    subscribed(ports)
    word = api.post("/v1/models", GOOD).json["trigger_word"]

    answer = api.post("/v1/models", GOOD | {"trigger_word": word.lower()})

    assert answer.invalid == {"trigger_word": "trigger_word_taken"}


def test_models_come_newest_first_by_pages_and_only_the_callers_own(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    subscribed(ports, user=BIA).create(BIA)
    ids = [life.create(name=f"model {n}").id for n in range(3)]

    first = api.get("/v1/models", query={"limit": "2"}).json
    rest = api.get("/v1/models", query={"limit": "2", "cursor": first["cursor"]}).json

    assert [item["id"] for item in first["items"] + rest["items"]] == ids[::-1]
    assert rest["cursor"] is None


def test_a_model_in_a_list_looks_as_it_does_alone_less_what_is_read_beside_it(
    api: Client, ports: ApiPorts
) -> None:
    model = subscribed(ports).trained()

    (listed,) = api.get("/v1/models").json["items"]

    alone = api.get(f"/v1/models/{model.id}").json
    assert listed == {name: alone[name] for name in listed}
    assert set(alone) - set(listed) == {"photos", "latest_training", "next_step", "poll_after_s"}


def test_next_steps_lead_from_the_first_photo_to_the_first_image(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.create()
    path, seen = f"/v1/models/{model.id}", []

    def look() -> None:
        shown = api.get(path, headers={"Accept-Language": "pt-BR"})
        step = shown.json["next_step"]
        assert len(step["sentence"].split()) > 4
        assert shown.headers.get("Retry-After") == (
            str(shown.json["poll_after_s"]) if shown.json["poll_after_s"] else None
        )
        seen.append((step["code"], shown.json["poll_after_s"]))

    look()
    photo = life.upload(model)
    look()
    life.check(photo)
    look()
    for _ in range(4):
        life.checked(model)
    look()
    training = life.accept_training(model)
    look()
    life.finish_training(life.start_training(training))
    look()
    life.accept_training(model)
    look()

    assert seen == [
        ("upload_photos", None),
        ("wait_for_checks", 2),
        ("add_photos", None),
        ("train", None),
        ("wait_for_training", 15),
        ("generate", None),
        ("generate", 15),
    ]


def test_a_models_tag_changes_with_its_row_its_photos_and_its_training(api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports)
    model = life.with_photos(4)
    path, tags = f"/v1/models/{model.id}", []

    def look() -> None:
        answer = api.get(path)
        again = api.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status, again.text) == (304, "")
        tags.append(answer.headers["ETag"])

    look()
    photo = life.checked(model)
    look()
    api.patch(path, {"name": "Another"})
    look()
    training = life.accept_training(model)
    look()
    life.start_training(training)
    look()
    ports.clock.advance(timedelta(days=91))
    look()
    api.delete(f"{path}/photos/{photo.id}")
    look()

    assert len(set(tags)) == len(tags) == 7


def test_each_language_has_a_tag_of_its_own(api: Client, ports: ApiPorts) -> None:
    path = f"/v1/models/{subscribed(ports).create().id}"
    etag = api.get(path).headers["ETag"]

    answer = api.get(path, headers={"Accept-Language": "pt-BR", "If-None-Match": etag})

    assert (answer.status, answer.headers["Content-Language"]) == (200, "pt-BR")


def test_a_model_is_renamed_and_makes_images_with_the_version_that_is_chosen(
    api: Client, ports: ApiPorts
) -> None:
    life = subscribed(ports, "developer")
    model = life.trained()
    first = model.chosen_version
    ports.clock.advance(timedelta(minutes=1))
    life.train(model)
    path = f"/v1/models/{model.id}"
    assert api.get(path).json["chosen_version"] != first

    answer = api.patch(path, {"name": " Ana, antes ", "chosen_version": first})

    assert (answer.status, answer.json["name"], answer.json["chosen_version"]) == (200, "Ana, antes", first)
    assert answer.headers["ETag"] == api.get(path).headers["ETag"]
    assert answer.json["versions"][0]["id"] == first


def test_a_change_of_nothing_changes_nothing(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).create()

    answer = api.patch(f"/v1/models/{model.id}", {})

    assert answer.status == 200
    assert ports.store.models[ANA, model.id] == model


@pytest.mark.parametrize(
    ("body", "invalid"),
    [
        ({"name": ""}, {"name": "must_not_be_empty"}),
        ({"chosen_version": "trn_1"}, {"chosen_version": "not_one_of"}),
        ({"chosen_version": 1}, {"chosen_version": "must_be_string"}),
        ({"trigger_word": "ZOKLIRAF"}, {"trigger_word": "unknown_field"}),
        ({"kind": "style"}, {"kind": "unknown_field"}),
    ],
    ids=str,
)
def test_what_cannot_be_changed_is_named(
    body: dict[str, Any], invalid: dict[str, str], api: Client, ports: ApiPorts
) -> None:
    model = subscribed(ports).trained()

    assert api.patch(f"/v1/models/{model.id}", body).invalid == invalid


def test_a_deleted_model_is_shown_until_it_is_gone_and_listed_no_more(api: Client, ports: ApiPorts) -> None:
    model = subscribed(ports).trained()
    path = f"/v1/models/{model.id}"

    answer = api.delete(path)

    assert (answer.status, answer.json["status"]) == (202, "deleting")
    assert answer.json["next_step"]["code"] == "wait_for_deletion"
    assert answer.headers["Retry-After"] == "30"
    assert api.get(path).json == answer.json
    assert api.delete(path).json == answer.json
    assert api.get("/v1/models").json["items"] == []
    assert ports.store.models[ANA, model.id].state is ModelState.DELETING


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("PATCH", "", {"name": "x"}),
        ("POST", "/photos", {"files": [{"content_type": "image/jpeg"}]}),
        ("GET", "/photos", UNSET),
        ("GET", "/training-advice", UNSET),
        ("POST", "/trainings", {}),
        ("GET", "/trainings", UNSET),
    ],
)
def test_a_model_that_is_being_deleted_takes_no_more_work(
    method: str, suffix: str, body: object, api: Client, ports: ApiPorts
) -> None:
    model = subscribed(ports).with_photos()
    api.delete(f"/v1/models/{model.id}")

    answer = api.call(method, f"/v1/models/{model.id}{suffix}", body)

    assert (answer.status, answer.json["code"]) == (409, "model_deleting")


PLACES = [
    ("GET", "/v1/models/{model}", None),
    ("PATCH", "/v1/models/{model}", {"name": "x"}),
    ("DELETE", "/v1/models/{model}", None),
    ("DELETE", "/v1/models/{model}/consent", None),
    ("POST", "/v1/models/{model}/photos", {"files": [{"content_type": "image/jpeg"}]}),
    ("GET", "/v1/models/{model}/photos", None),
    ("PATCH", "/v1/models/{model}/photos/{photo}", {"category": "face"}),
    ("DELETE", "/v1/models/{model}/photos/{photo}", None),
    ("GET", "/v1/models/{model}/training-advice", None),
    ("POST", "/v1/models/{model}/trainings", {}),
    ("GET", "/v1/models/{model}/trainings", None),
    ("GET", "/v1/models/{model}/trainings/{training}", None),
    ("POST", "/v1/models/{model}/trainings/{training}/cancel", None),
    ("POST", "/v1/generations", {"model": "{model}", "prompt": "x"}),
]


def asked(api: Client, place: tuple[str, str, Any], names: dict[str, str], **options: Any) -> Any:
    method, path, body = place
    if body is not None:
        options["body"] = {k: v.format(**names) if isinstance(v, str) else v for k, v in body.items()}
    return api.call(method, path.format(**names), **options)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]} {place[1]}")
def test_what_is_somebody_elses_does_not_exist(
    place: tuple[str, str, Any], api: Client, ports: ApiPorts
) -> None:
    life = subscribed(ports)
    model = life.with_photos()
    training = life.start_training(life.accept_training(model))
    photo = next(iter(ports.store.photos.values()))
    names = {"model": model.id, "photo": photo.id, "training": training.training_id}
    api.get("/v1/account", user=BIA)
    before = (dict(ports.store.models), dict(ports.store.photos), dict(ports.store.trainings))

    answer = asked(api, place, names, user=BIA)

    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert (ports.store.models, ports.store.photos, ports.store.trainings) == before


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]} {place[1]}")
@pytest.mark.parametrize(
    "id_", ["mdl_", NOBODYS.lower(), NOBODYS + "0", f"{NOBODYS}%23pho_1", "mdl_" + "I" * 26, "mdl_x"]
)
def test_what_cannot_be_an_id_is_not_looked_up(
    id_: str, place: tuple[str, str, Any], api: Client, ports: ApiPorts
) -> None:
    api.get("/v1/account")
    ports.calls.names.clear()

    answer = asked(api, place, {"model": id_, "photo": "pho_1", "training": "trn_1"})

    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert ports.calls.names == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"/v1/models/{NOBODYS}/photos/pho_1"),
        ("DELETE", f"/v1/models/{NOBODYS}/photos/trn_01K4YW0C8N3VZJ5T7RQ2M9XHBD"),
        ("GET", f"/v1/models/{NOBODYS}/trainings/trn_1"),
        ("GET", f"/v1/models/{NOBODYS}/trainings/pho_01K4YW0C8N3VZJ5T7RQ2M9XHBD"),
        ("POST", f"/v1/models/{NOBODYS}/trainings/..%2F/cancel"),
    ],
)
def test_what_cannot_be_a_photo_or_a_training_is_not_looked_up(
    method: str, path: str, api: Client, ports: ApiPorts
) -> None:
    api.get("/v1/account")
    ports.calls.names.clear()

    assert (api.call(method, path).status, ports.calls.names) == (404, [])


def test_a_draft_is_answered_without_reading_anything_that_could_be_away(
    api: Client, ports: ApiPorts
) -> None:
    subscribed(ports)
    api.get("/v1/account")

    def away_after_the_write(name: str) -> None:
        if "FakeChanges.commit" in ports.calls.names[:-1]:
            raise Transient("the table is away")

    ports.calls.names.clear()
    ports.calls.before = away_after_the_write

    assert api.post("/v1/models", GOOD).status == 201
