from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import BaseModel

from api.operations import STATUS_OF
from revela.domain import messages
from revela.domain.errors import Conflict, Transient
from revela.domain.job import State
from revela.domain.model_health import ModelHealth
from revela.domain.photo import Photo, PhotoState
from revela.usecases.grant_credits import GrantCredits, grant_credits
from tests.unit.functions.api.client import ANA, Answer, ApiPorts, Client
from tests.unit.functions.api.rows import ID, judged, replaced, stored, subscribed, succeeded

GOOD = {"model": "flux-schnell", "prompt": "PRIVATE-WORDS", "num_outputs": 1}
PATH = f"/v1/generations/{ID}"


def raising(error: Exception) -> Callable[[str], None]:
    def raise_it(_: str) -> None:
        raise error

    return raise_it


def contended(api: Client, ports: ApiPorts) -> Answer:
    api.get("/v1/account")

    def lose(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Conflict({"account"})

    ports.calls.before = lose
    return api.post("/v1/generations", GOOD)


def unavailable(api: Client, ports: ApiPorts) -> Answer:
    ports.calls.before = raising(Transient("the table is away"))
    return api.get(PATH)


def broken(api: Client, ports: ApiPorts) -> Answer:
    ports.calls.before = raising(RuntimeError("what nobody foresaw"))
    return api.get(PATH)


def in_state(state: State, method: str, suffix: str = "") -> Callable[[Client, ApiPorts], Answer]:
    def provoke(api: Client, ports: ApiPorts) -> Answer:
        stored(ports, state=state)
        return api.call(method, PATH + suffix)

    return provoke


def rich(api: Client, ports: ApiPorts, requests: int) -> Answer:
    grant_credits(GrantCredits(ANA, "gift", credits=1000), ports=ports)
    return [api.post("/v1/generations", GOOD) for _ in range(requests)][-1]


def exhausted(api: Client, ports: ApiPorts) -> Answer:
    grant_credits(GrantCredits(ANA, "gift", credits=1000), ports=ports)
    return [api.post("/v1/generations", {**GOOD, "num_outputs": 2}) for _ in range(6)][-1]


def poor(api: Client, ports: ApiPorts) -> Answer:
    grant_credits(GrantCredits(ANA, "plan", plan="developer"), ports=ports)
    return [api.post("/v1/generations", GOOD) for _ in range(21)][-1]


def key_reused(api: Client, ports: ApiPorts) -> Answer:
    return [
        api.post("/v1/generations", {**GOOD, "seed": seed}, headers={"Idempotency-Key": "k"})
        for seed in (1, 2)
    ][-1]


def resting(*models: str) -> Callable[[Client, ApiPorts], Answer]:
    def ask(api: Client, ports: ApiPorts) -> Answer:
        until = ports.clock.now() + timedelta(seconds=61)
        for model in models:
            ports.health.models[model] = ModelHealth(model, failures=3, unavailable_until=until)
        return api.post("/v1/generations", GOOD)

    return ask


MODEL = {"name": "Ana", "kind": "face", "consent": {"accepted": True, "text_version": "1"}}
FILES = {"files": [{"content_type": "image/jpeg"}] * 30}


def trained_in(state: State) -> Callable[[Client, ApiPorts], Answer]:
    def cancel(api: Client, ports: ApiPorts) -> Answer:
        life = subscribed(ports)
        row = life.start_training(life.accept_training(life.with_photos()))
        replaced(ports, row, state=state)
        return api.post(f"/v1/models/{row.model_id}/trainings/{row.training_id}/cancel")

    return cancel


def crowded(api: Client, ports: ApiPorts) -> Answer:
    path = f"/v1/models/{subscribed(ports).create().id}/photos"
    return [api.post(path, FILES) for _ in range(2)][-1]


def littered(api: Client, ports: ApiPorts) -> Answer:
    model = subscribed(ports).create()
    for number in range(200):
        photo = Photo(
            user_id=ANA,
            model_id=model.id,
            id=f"pho_{number:026}",
            state=PhotoState.REJECTED,
            declared_type="image/jpeg",
            created_at=ports.clock.now(),
            updated_at=ports.clock.now(),
        )
        ports.store.photos[ANA, photo.row_id] = photo
    return api.post(f"/v1/models/{model.id}/photos", FILES)


def undecided(api: Client, ports: ApiPorts) -> Answer:
    life = subscribed(ports)
    photo = life.upload(life.create())
    return api.patch(f"/v1/models/{photo.model_id}/photos/{photo.id}", {"category": "face"})


def closed(api: Client, ports: ApiPorts) -> Answer:
    model = subscribed(ports).trained()
    api.delete(f"/v1/models/{model.id}")
    return api.post("/v1/generations", GOOD | {"model": model.id})


def full(api: Client, ports: ApiPorts) -> Answer:
    subscribed(ports, "essential")
    return [api.post("/v1/models", MODEL) for _ in range(3)][-1]


def degraded(api: Client, ports: ApiPorts) -> Answer:
    model = subscribed(ports).with_photos()
    grant_credits(GrantCredits(ANA, "end of the plan", plan="free"), ports=ports)
    return api.post(f"/v1/models/{model.id}/trainings", {})


def training_twice(api: Client, ports: ApiPorts) -> Answer:
    path = f"/v1/models/{subscribed(ports, 'essential').with_photos().id}/trainings"
    return [api.post(path, {}) for _ in range(2)][-1]


def suspended(api: Client, ports: ApiPorts) -> Answer:
    for _ in range(ports.policies.strikes_per_day + 1):
        api.post("/v1/generations", {**GOOD, "prompt": "a naked woman"})
    return api.post("/v1/generations", GOOD)


def appealed_too_late(api: Client, ports: ApiPorts) -> Answer:
    row = judged(ports, "nudity")
    ports.clock.advance(ports.policies.blocked_kept)
    return api.post(f"/v1/generations/{row.id}/appeal")


PROVOKED: dict[str, Callable[[Client, ApiPorts], Answer]] = {
    "malformed_json": lambda api, _: api.post("/v1/generations", "{"),
    "unauthorized": lambda api, _: api.get("/v1/account", user=None),
    "insufficient_credits": poor,
    "account_suspended": suspended,
    "plan_without_models": lambda api, _: api.post("/v1/models", MODEL),
    "plan_without_trainings": degraded,
    "not_found": lambda api, _: api.get(PATH),
    "method_not_allowed": lambda api, _: api.call("PUT", "/v1/generations"),
    "generation_running": in_state(State.PROCESSING, "DELETE"),
    "generation_saving": in_state(State.SAVING, "POST", "/cancel"),
    "generation_ended": in_state(State.FAILED, "POST", "/cancel"),
    "nothing_to_appeal": in_state(State.SUCCEEDED, "POST", "/appeal"),
    "appeal_too_late": appealed_too_late,
    "too_few_photos": lambda api, ports: api.post(
        f"/v1/models/{subscribed(ports).with_photos(4).id}/trainings", {}
    ),
    "too_many_photos": crowded,
    "too_many_rejected_photos": littered,
    "photo_not_accepted": undecided,
    "model_untrained": lambda api, ports: api.post(
        "/v1/generations", GOOD | {"model": subscribed(ports).create().id}
    ),
    "model_deleting": closed,
    "training_saving": trained_in(State.SAVING),
    "training_ended": trained_in(State.FAILED),
    "write_conflict": contended,
    "request_too_large": lambda api, _: api.post("/v1/generations", "x" * 70_000),
    "unsupported_media_type": lambda api, _: api.post(
        "/v1/generations", "x", headers={"Content-Type": "text/csv"}
    ),
    "invalid_request": lambda api, _: api.post("/v1/generations", {}),
    "idempotency_key_reused": key_reused,
    "prompt_refused": lambda api, _: api.post("/v1/generations", {**GOOD, "prompt": "a naked woman"}),
    "daily_limit_reached": exhausted,
    "too_many_jobs": lambda api, ports: rich(api, ports, 7),
    "too_many_trainings": training_twice,
    "too_many_models": full,
    "internal_error": broken,
    "model_resting": resting("flux-schnell"),
    "all_models_resting": resting("flux-dev", "flux-schnell", "sdxl"),
    "temporarily_unavailable": unavailable,
}


@pytest.mark.parametrize("code", PROVOKED)
def test_every_code_comes_with_its_documented_status(code: str, api: Client, ports: ApiPorts) -> None:
    answer = PROVOKED[code](api, ports)

    assert (answer.json["code"], answer.status) == (code, STATUS_OF[code])
    assert answer.json["type"] == f"urn:problem-type:revela:{code}"
    assert answer.json["title"] == messages.TITLES[answer.status]["en"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["request_id"] == "JKJaXmPLvHcESHA="


def test_a_model_that_rests_is_told_with_its_alternatives_and_its_time(api: Client, ports: ApiPorts) -> None:
    answer = PROVOKED["model_resting"](api, ports)

    assert answer.headers["Retry-After"] == "61"
    assert answer.json["detail"] == (
        "flux-schnell is away at the moment. Try again in 2 min, or use flux-dev, sdxl."
    )


def test_no_code_is_left_that_nobody_can_meet() -> None:
    assert set(PROVOKED) == set(messages.ERRORS)


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        (None, "en"),
        ("en-GB", "en"),
        ("pt-BR", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT;q=0.4, en;q=0.9", "en"),
        ("en;q=0.1, pt-BR;q=0.8", "pt-BR"),
        ("de, fr", "en"),
        ("*", "en"),
        (";;;,q=", "en"),
        ("pt;q=nonsense", "en"),
    ],
)
def test_a_problem_speaks_the_language_asked_for(wanted: str | None, language: str, api: Client) -> None:
    headers = {} if wanted is None else {"Accept-Language": wanted}

    answer = api.post("/v1/generations", {"model": "flux-dev", "prompt": 1}, headers=headers)

    said = {"en": ("Invalid request", "must be text"), "pt-BR": ("Requisição inválida", "deve ser um texto")}
    assert (answer.json["title"], answer.json["invalid_params"][0]["reason"]) == said[language]
    assert answer.headers["Content-Language"] == language


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/generations", "GET, POST"),
        ("PATCH", PATH, "DELETE, GET"),
        ("GET", f"{PATH}/cancel", "POST"),
        ("DELETE", f"{PATH}/appeal", "POST"),
        ("PUT", "/v1/models", "GET, POST"),
        ("POST", "/v1/models/mdl_1", "DELETE, GET, PATCH"),
        ("GET", "/v1/models/mdl_1/photos/pho_1", "DELETE, PATCH"),
        ("GET", "/v1/models/mdl_1/consent", "DELETE"),
        ("DELETE", "/v1/models/mdl_1/trainings/trn_1", "GET"),
        ("POST", "/v1/account", "GET"),
        ("DELETE", "/v1/catalog", "GET"),
        ("HEAD", "/v1/health", "GET"),
    ],
)
def test_a_known_address_says_which_methods_it_takes(
    method: str, path: str, allowed: str, api: Client
) -> None:
    answer = api.call(method, path)

    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/",
        "/v1/models/a/b",
        "/v1/models/a/trainings/b/c",
        "/",
        "/v1",
        "/v1/generations/",
        "/v2/generations",
        f"{PATH}/cancel/now",
        "/v1/generations/a/b",
        "/☃",
    ],
)
def test_an_unknown_address_is_not_found(path: str, api: Client, ports: ApiPorts) -> None:
    answer = api.get(path)

    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert ports.calls.names == []


def test_trouble_that_passes_says_when_to_try_again(api: Client, ports: ApiPorts) -> None:
    answer = unavailable(api, ports)

    assert answer.headers["Retry-After"] == "2"
    assert logged(ports)[-1]["errors"] == ["Transient: the table is away"]


def test_a_fault_is_logged_with_its_place_but_without_what_it_quotes(api: Client, ports: ApiPorts) -> None:
    class Row(BaseModel):
        prompt: int

    def choke(name: str) -> None:
        if name == "FakeChanges.commit":
            try:
                Row.model_validate({"prompt": "PRIVATE-WORDS"})
            except ValueError as error:
                raise KeyError("PRIVATE-WORDS") from error

    ports.calls.before = choke
    answer = api.post(
        "/v1/generations", GOOD, headers={"Authorization": "Bearer PRIVATE-TOKEN"}, user="ana@private"
    )

    line = logged(ports)[-1]
    assert (answer.status, line["message"]) == (500, "internal_error")
    assert line["errors"] == ["builtins.KeyError", "pydantic_core._pydantic_core.ValidationError"]
    assert any(frame.endswith("choke") for frame in line["stack"])
    assert "PRIVATE" not in ports.logged.getvalue() + answer.text


def test_aws_errors_are_logged_with_their_code(api: Client, ports: ApiPorts) -> None:
    message = "User: PRIVATE is not authorized"
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "GetItem")
    ports.calls.before = raising(denied)
    api.get(PATH)

    assert logged(ports)[-1]["errors"] == ["botocore.exceptions.ClientError AccessDeniedException"]
    assert "PRIVATE" not in ports.logged.getvalue()


def test_logs_name_the_user_by_a_hash_and_never_what_was_asked(api: Client, ports: ApiPorts) -> None:
    user = "ana@private.example"
    accepted = api.post("/v1/generations", GOOD, user=user, headers={"Idempotency-Key": "SECRET-KEY"})
    ports.calls.before = raising(Transient("away"))
    api.get(accepted.headers["Location"], user=user)

    lines = logged(ports)
    told = ports.logged.getvalue()
    assert len(lines[-1]["user"]) == 12
    assert lines[-1]["generation_id"] == accepted.json["id"]
    assert "PRIVATE-WORDS" not in told + repr(ports.telemetry.lines)
    assert "private.example" not in told
    assert "SECRET-KEY" not in told


def test_a_refused_request_is_no_fault_of_ours_and_logs_nothing(api: Client, ports: ApiPorts) -> None:
    succeeded(ports)
    api.post("/v1/generations", "{")
    api.post(f"{PATH}/cancel")

    assert logged(ports) == []


def logged(ports: ApiPorts) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ports.logged.getvalue().splitlines()]
