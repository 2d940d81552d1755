from __future__ import annotations

import hashlib

import pytest

from revela.domain.errors import Conflict, InvalidRequest, NotInPlan, NotNow, TooMany
from revela.domain.personal_model import ModelState, PersonalModel
from revela.domain.photo import ModelKind
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import ADDRESS, ModelLife, of
from tests.unit.usecases.system import ANA, BIA, System
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="essential")
    return ModelLife(ports)


def test_a_new_model_is_a_draft_that_nothing_is_due_for(life: ModelLife, ports: FakePorts) -> None:
    model = life.create(name="Ana at work", kind=ModelKind.HALF_BODY, class_word="woman")

    assert ports.models.get(of(model)) == model
    assert (model.state, model.due_at, model.versions, model.chosen) == (ModelState.DRAFT, None, (), None)
    assert (model.name, model.kind, model.class_word) == ("Ana at work", ModelKind.HALF_BODY, "woman")
    assert model.account_id == ports.store.accounts[ANA].account_id


def test_the_consent_tells_when_to_what_and_from_where_without_the_address(
    life: ModelLife, ports: FakePorts
) -> None:
    model = life.create(consent_version="2026-01")

    assert (model.consent.accepted_at, model.consent.text_version) == (ports.clock.now(), "2026-01")
    assert ADDRESS not in model.model_dump_json()
    assert model.consent.address_hash == hashlib.sha256(f"{model.id}:{ADDRESS}".encode()).hexdigest()
    assert model.consent.address_hash != life.create().consent.address_hash


def test_a_trigger_word_is_made_up_unless_one_is_wanted(life: ModelLife) -> None:
    made, wanted = life.create(), life.create(trigger_word="ZQANA")

    assert made.trigger_word.isalpha()
    assert made.trigger_word.isupper()
    assert wanted.trigger_word == "ZQANA"


@pytest.mark.parametrize("word", ["no", "two words", "beautiful", "12345", "ação", ""])
def test_a_trigger_word_that_cannot_be_learned_is_refused(life: ModelLife, word: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        life.create(trigger_word=word)

    assert [p.name for p in refused.value.invalid_params] == ["trigger_word"]


def test_a_trigger_word_is_used_once_by_each_user(life: ModelLife, system: System) -> None:
    system.subscribe(BIA, plan="essential")
    life.create(ANA, trigger_word="ZQANA")

    with pytest.raises(InvalidRequest) as refused:
        life.create(ANA, trigger_word="zqana")

    assert [p.code for p in refused.value.invalid_params] == ["trigger_word_taken"]
    assert life.create(BIA, trigger_word="ZQANA").trigger_word == "ZQANA"


def test_a_plan_allows_so_many_models(life: ModelLife) -> None:
    life.create()
    life.create()

    with pytest.raises(TooMany) as refused:
        life.create()

    assert (refused.value.code, refused.value.args_["limit"]) == ("too_many_models", 2)


def test_the_free_plan_has_none(life: ModelLife) -> None:
    with pytest.raises(NotInPlan) as refused:
        life.create(BIA)

    assert refused.value.code == "plan_without_models"


def test_of_two_at_once_the_plan_takes_only_what_it_has_room_for(life: ModelLife, ports: FakePorts) -> None:
    life.create()

    with meanwhile(ports, "FakeChanges.commit", life.create), pytest.raises(TooMany):
        life.create()

    assert len(ports.store.models) == 2


def test_of_two_at_once_only_one_has_the_trigger_word(life: ModelLife, ports: FakePorts) -> None:
    def create() -> PersonalModel:
        return life.create(trigger_word="ZQANA")

    with meanwhile(ports, "FakeChanges.commit", create), pytest.raises(InvalidRequest):
        create()

    assert len(ports.store.models) == 1


def test_a_process_that_dies_has_created_a_whole_model_or_none(life: ModelLife, ports: FakePorts) -> None:
    with dies_before(ports, "FakeChanges.commit"):
        life.create()
    assert not ports.store.models

    with dies_after(ports, "FakeChanges.commit"):
        life.create()
    assert len(ports.store.models) == 1


def test_who_meets_conflicts_for_too_long_is_asked_to_come_back(life: ModelLife, ports: FakePorts) -> None:
    def conflict(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Conflict({"account"})

    ports.calls.before = conflict
    with pytest.raises(NotNow) as refused:
        life.create()

    assert refused.value.code == "write_conflict"
    assert not ports.store.models


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [("name", "naked Ana", "refused_sexual"), ("class_word", "little boy", "refused_minors")],
)
def test_what_ends_in_prompts_is_held_to_their_policy(
    field: str, text: str, code: str, life: ModelLife, ports: FakePorts
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        life.create(**{field: text})

    assert refused.value.code == "prompt_refused"
    assert [(param.name, param.code) for param in refused.value.invalid_params] == [(field, code)]
    assert ports.store.models == {}


def test_a_public_person_is_not_put_together_of_two_words(life: ModelLife, ports: FakePorts) -> None:
    with pytest.raises(InvalidRequest) as refused:
        life.create(trigger_word="Tom", class_word="Cruise")

    assert [(param.name, param.code) for param in refused.value.invalid_params] == [
        ("trigger_word", "refused_public_person")
    ]
    assert ports.store.models == {}
