from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from revela.domain.errors import InvalidRequest, NotFound, NotNow, ProviderNotFound, Unavailable
from revela.domain.job import State
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import FaceReport, ModelKind
from revela.usecases.change_model import ChangeModel, change_model
from revela.usecases.delete_model import delete_model
from revela.usecases.list_generations import ListGenerations, list_generations
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import ModelLife, of
from tests.unit.usecases.system import ANA, BIA, System
from tests.unit.usecases.trouble import meanwhile


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="studio", amount=2000)
    return ModelLife(ports)


@pytest.fixture
def model(life: ModelLife) -> PersonalModel:
    return life.trained(trigger_word="ZQANA")


def sent(life: ModelLife, model: PersonalModel, system: System, **requested: Any) -> dict[str, Any]:
    """Return the input that the provider was sent."""
    row = system.started(life.generate(model, **requested))
    return dict(life.ports.provider.requests[system.prediction(row).id].input)


def test_an_image_is_made_with_the_version_that_is_chosen(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    row = system.started(life.generate(model))

    request = ports.provider.requests[system.prediction(row).id]
    assert model.chosen is not None
    assert (row.model, request.version) == (model.id, model.chosen.provider_version)
    assert system.hear(row, ports.provider.succeed(system.prediction(row).id)).state is State.SUCCEEDED


def test_it_costs_and_lasts_what_its_fine_tune_does(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    fine_tune = ports.catalog.fine_tune("flux-dev-fine-tune")
    row = system.started(life.generate(model, num_outputs=3))

    request = ports.provider.requests[system.prediction(row).id]
    assert row.credits_held == 3 * fine_tune.credits_per_image
    assert request.cancel_after_s == fine_tune.deadline_s
    assert row.deadline_at == ports.clock.now() + timedelta(seconds=fine_tune.deadline_s)
    ended = system.hear(row, ports.provider.succeed(system.prediction(row).id))
    assert ended.credits_charged == row.credits_held
    assert ended.provider_cost_micro_usd == fine_tune.provider_cost.micro_usd(images=3, predict_time_s=2.5)


@pytest.mark.parametrize(
    ("prompt", "seen"),
    [
        ("by the sea", "a photo of ZQANA woman, by the sea"),
        ("ZQANA by the sea", "ZQANA by the sea"),
        ("zqana by the sea, ZQANA smiling", "ZQANA by the sea, ZQANA smiling"),
        ("portrait of a woman", "portrait of a ZQANA woman"),
    ],
)
def test_the_trigger_word_is_in_the_prompt_and_never_twice_as_often(
    life: ModelLife, model: PersonalModel, system: System, prompt: str, seen: str
) -> None:
    assert sent(life, model, system, prompt=prompt)["prompt"] == seen


def test_the_prompt_is_kept_as_the_user_wrote_it(life: ModelLife, model: PersonalModel) -> None:
    assert life.generate(model, prompt="by the sea").params["prompt"] == "by the sea"


def test_a_style_is_asked_for_as_a_style(life: ModelLife, system: System) -> None:
    style = life.trained(kind=ModelKind.STYLE, class_word="style", trigger_word="ZQINK")

    assert sent(life, style, system)["prompt"] == "in the style of ZQINK, by the sea"


def test_a_version_of_sdxl_is_spoken_to_in_its_own_words(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.with_photos()
    life.train(model, trainer="sdxl-lora")

    asked = sent(life, life.model(model), system, negative_prompt="fog", width=768, height=1024)

    assert (asked["negative_prompt"], asked["width"], asked["height"]) == ("fog", 768, 1024)
    assert "go_fast" not in asked


def test_what_the_fine_tune_does_not_take_is_refused(life: ModelLife, model: PersonalModel) -> None:
    with pytest.raises(InvalidRequest) as refused:
        life.generate(model, negative_prompt="fog")

    assert [p.name for p in refused.value.invalid_params] == ["negative_prompt"]


# The version as it was


def test_a_version_chosen_later_changes_nothing_for_what_was_accepted(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    model = life.with_photos()
    first, second = life.train(model), life.train(model)
    row = life.generate(model)
    change_model(ChangeModel(of(model), chosen_version=first.training_id), ports=ports)

    assert row.own is not None
    assert row.own.version_id == second.training_id
    assert system.started(row).provider_version == second.trained_version
    assert life.generate(model).provider_version == first.trained_version


def test_a_model_renamed_meanwhile_is_no_reason_to_refuse(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    def rename() -> None:
        change_model(ChangeModel(of(model), name="Ana in winter"), ports=ports)

    with meanwhile(ports, "FakeChanges.commit", rename):
        assert life.generate(model).state is State.QUEUED


def test_a_version_chosen_meanwhile_is_the_one_that_is_used(life: ModelLife, ports: FakePorts) -> None:
    model = life.with_photos()
    first, _ = life.train(model), life.train(model)

    def choose() -> None:
        change_model(ChangeModel(of(model), chosen_version=first.training_id), ports=ports)

    with meanwhile(ports, "FakeChanges.commit", choose):
        row = life.generate(model)

    assert row.provider_version == first.trained_version


def test_while_it_is_trained_again_the_version_before_is_used(life: ModelLife, model: PersonalModel) -> None:
    training = life.start_training(life.accept_training(model))

    row = life.generate(model)

    assert model.chosen is not None
    assert row.provider_version == model.chosen.provider_version
    life.finish_training(training)


# Who may


def test_a_model_that_is_not_there_is_not_found(life: ModelLife, system: System) -> None:
    with pytest.raises(NotFound):
        system.accept(model="mdl_none")


@pytest.mark.parametrize("id_", ["mdl_", "mdl_1#pho_1", "mdl_1#trn_1", "mdl_" + "1" * 2000])
def test_what_cannot_be_a_models_id_is_not_even_looked_for(
    life: ModelLife, system: System, ports: FakePorts, id_: str
) -> None:
    with pytest.raises(NotFound):
        system.accept(model=id_)

    assert "FakeModels.get" not in ports.calls.names


def test_anothers_model_is_not_found(life: ModelLife, model: PersonalModel, system: System) -> None:
    system.subscribe(BIA, plan="studio")

    with pytest.raises(NotFound):
        life.generate(model, BIA)

    assert system.account(BIA).held == 0


def test_an_untrained_model_is_refused_and_nothing_held(life: ModelLife, system: System) -> None:
    with pytest.raises(NotNow) as refused:
        life.generate(life.create())

    assert refused.value.code == "model_untrained"
    assert system.account().held == 0


def test_a_closed_model_is_refused(life: ModelLife, model: PersonalModel, ports: FakePorts) -> None:
    delete_model(of(model), ports=ports)

    with pytest.raises(NotNow) as refused:
        life.generate(model)

    assert refused.value.code == "model_deleting"


def test_the_same_key_answers_again_after_the_model_is_closed(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    first = life.generate(model, key="k1")
    delete_model(of(model), ports=ports)

    assert life.generate(model, key="k1") == first


def test_generations_are_listed_by_own_model(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    row, _ = life.generate(model), system.accept()

    page = list_generations(ListGenerations(ANA, limit=5, model=model.id), ports=ports)

    assert [view.generation.id for view in page.items] == [row.id]


# Health


def test_a_version_that_the_provider_does_not_find_rests_without_the_other_models(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    other = life.trained()
    for _ in range(3):
        ports.provider.refuse(ProviderNotFound("no such version"))
        system.started(life.generate(model))

    with pytest.raises(Unavailable) as refused:
        life.generate(model)

    assert refused.value.args_["model"] == model.id
    assert life.generate(other).state is State.QUEUED
    assert system.accept().state is State.QUEUED


def test_with_the_face_of_somebody_real_a_child_is_refused(life: ModelLife, model: PersonalModel) -> None:
    prompt = "a birthday party of a little boy"
    assert life.ports.prompt_policy.judge(prompt, own_model=False).outcome == "allow"

    with pytest.raises(InvalidRequest) as refused:
        life.generate(model, prompt=prompt)

    assert refused.value.code == "prompt_refused"
    assert [param.code for param in refused.value.invalid_params] == ["refused_minors"]
    assert life.ports.store.accounts[ANA].held == 0


# What it is asked for, and its own words


def refusal_of(life: ModelLife, model: PersonalModel, **requested: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as refused:
        life.generate(model, **requested)
    assert refused.value.code == "prompt_refused"
    return [(param.name, param.code) for param in refused.value.invalid_params]


def under_an_older_policy(model: PersonalModel, ports: FakePorts, **words: str) -> PersonalModel:
    """Return the model as if its words had passed the policy of their time."""
    ports.store.models[model.user_id, model.id] = worded = model.model_copy(update=words)
    return worded


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"class_word": "little boy"}, "refused_minors"),
        ({"trigger_word": "Tom", "class_word": "Cruise"}, "refused_public_person"),
    ],
    ids=["alone", "together"],
)
def test_words_of_the_model_that_are_refused_by_now_are_no_strike_of_its_user(
    words: dict[str, str],
    code: str,
    life: ModelLife,
    model: PersonalModel,
    system: System,
    ports: FakePorts,
) -> None:
    model = under_an_older_policy(model, ports, **words)

    assert refusal_of(life, model) == [("model", code)]
    assert system.account().strikes_today == 0


def test_a_refused_prompt_is_a_strike_whatever_the_model_is_called(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    model = under_an_older_policy(model, ports, class_word="little boy")

    assert refusal_of(life, model, prompt="as a child") == [
        ("prompt", "refused_minors"),
        ("model", "refused_minors"),
    ]
    assert system.account().strikes_today == 1


@pytest.mark.parametrize("prompt", ["as a child on a swing", "Neymar at the beach"])
def test_a_style_that_learned_from_photos_with_faces_is_held_to_the_rules_for_people(
    life: ModelLife, prompt: str
) -> None:
    style = life.trained(kind=ModelKind.STYLE, class_word="style")
    assert style.shows_people

    assert refusal_of(life, style, prompt=prompt)


def test_a_style_that_learned_from_pictures_without_a_face_may_show_anybody(
    life: ModelLife, ports: FakePorts
) -> None:
    ports.faces.found = FaceReport(faces=(), knows_age=True)
    style = life.trained(kind=ModelKind.STYLE, class_word="style")
    assert not style.shows_people

    assert life.generate(style, prompt="a child on a swing").state is State.QUEUED
