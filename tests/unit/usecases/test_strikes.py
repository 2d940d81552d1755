"""What counts against a user, what too much of it costs, and what a suspended account still may."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest

from revela.domain.account import Account
from revela.domain.errors import Conflict, InvalidRequest, NotFound, NotNow, Suspended, Transient
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.messages import ERRORS, text
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.change_model import ChangeModel, change_model
from revela.usecases.delete_generation import delete_generation
from revela.usecases.delete_model import delete_model
from revela.usecases.delete_photo import delete_photo
from revela.usecases.lift_suspension import lift_suspension
from revela.usecases.list_generations import ListGenerations, list_generations
from revela.usecases.show_account import show_account
from revela.usecases.show_generation import show_generation
from revela.usecases.strikes import count_strike
from revela.usecases.withdraw_consent import withdraw_consent
from tests.fakes import FakePorts, picture_bytes
from tests.unit.usecases.model_life import ModelLife, of
from tests.unit.usecases.system import ANA, BIA, System, ref
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile

FORBIDDEN = "a naked woman"
SELF_HARM = "a girl cutting her wrists, self-harm"
DOUBTFUL = "renaissance painting of a nude Venus"
NUDE = picture_bytes(name="harm:nudity")
DAY = timedelta(days=1)


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="studio", amount=2000)
    return ModelLife(ports)


def refused(system: System, prompt: str = FORBIDDEN, user_id: str = ANA) -> None:
    with pytest.raises(InvalidRequest) as raised:
        system.accept(user_id, prompt=prompt)
    assert raised.value.code == "prompt_refused"


def suspend(system: System, user_id: str = ANA) -> Account:
    """Have so much refused that the account is suspended."""
    for _ in range(system.ports.policies.strikes_per_day + 1):
        refused(system, user_id=user_id)
    return system.account(user_id)


def blocked(system: System, user_id: str = ANA) -> Generation:
    row = system.processing(user_id)
    prediction = system.prediction(row)
    url = f"https://replicate.delivery/{prediction.id}/0"
    system.ports.outputs.files[url] = NUDE
    return system.hear(row, system.ports.provider.succeed(prediction.id, [url]))


# What counts


def test_a_prompt_that_the_policy_refuses_is_a_strike(system: System) -> None:
    for _ in range(2):
        refused(system)

    assert system.account().strikes_today == 2
    assert system.account().suspension is None


def test_whoever_asks_for_self_harm_needs_somebody_and_gets_no_strike(
    system: System, ports: FakePorts
) -> None:
    verdict = ports.prompt_policy.judge(SELF_HARM)
    assert (verdict.outcome, verdict.category) == ("refuse", "self_harm")

    for _ in range(ports.policies.strikes_per_day + 2):
        refused(system, SELF_HARM)

    assert system.account().strikes_today == 0
    assert system.accept().state is State.QUEUED


def test_a_request_with_two_refused_texts_is_one_strike(system: System, life: ModelLife) -> None:
    with pytest.raises(InvalidRequest) as raised:
        life.create(name="naked", class_word="naked woman")

    assert len(raised.value.invalid_params) == 2
    assert system.account().strikes_today == 1


def test_a_refused_name_of_a_model_is_a_strike(system: System, life: ModelLife, ports: FakePorts) -> None:
    model = life.create()
    with pytest.raises(InvalidRequest):
        change_model(ChangeModel(of(model), name="naked teenager"), ports=ports)

    assert system.account().strikes_today == 1
    assert life.model(model).name == model.name


def test_a_request_that_is_refused_for_its_form_is_no_strike(system: System) -> None:
    with pytest.raises(InvalidRequest):
        system.accept(model="flux-dev", prompt=FORBIDDEN, negative_prompt="fog")
    with pytest.raises(InvalidRequest):
        system.accept(model="no-such-model", prompt=FORBIDDEN)

    assert ANA not in system.ports.store.accounts or system.account().strikes_today == 0


def test_refusals_by_policy_and_judge_and_blocked_images_count_together(
    system: System, ports: FakePorts
) -> None:
    refused(system)
    ports.prompt_judge.harmful = {"nude": "sexual"}
    system.processing(prompt=DOUBTFUL)
    blocked(system)

    assert system.account().strikes_today == 3


def test_each_user_has_strikes_of_their_own(system: System) -> None:
    suspend(system, ANA)

    assert system.accept(BIA).state is State.QUEUED
    assert system.account(BIA).strikes_today == 0


def test_another_day_begins_without_strikes(system: System, ports: FakePorts) -> None:
    for _ in range(ports.policies.strikes_per_day):
        refused(system)

    ports.clock.advance(timedelta(hours=12))  # midnight, UTC
    refused(system)

    assert (system.account().strikes_today, system.account().suspension) == (1, None)


# One more than allowed


def test_as_many_strikes_as_allowed_suspend_nobody(system: System, ports: FakePorts) -> None:
    for _ in range(ports.policies.strikes_per_day):
        refused(system)

    assert system.account().suspension is None
    assert system.accept().state is State.QUEUED


def test_one_more_suspends_the_account_for_a_day_and_says_why(system: System, ports: FakePorts) -> None:
    account = suspend(system)

    assert account.suspension is not None
    assert account.suspension.reason == "too_many_refusals"
    assert (account.suspension.since, account.suspension.until) == (
        ports.clock.now(),
        ports.clock.now() + DAY,
    )
    assert account.suspensions == 1


def test_the_installation_says_how_many_are_allowed(system: System, ports: FakePorts) -> None:
    ports.policies = replace(ports.policies, strikes_per_day=1)
    refused(system)
    assert system.account().suspension is None

    refused(system)
    assert system.account().suspension is not None


def strike_by_judge(system: System) -> None:
    system.ports.prompt_judge.harmful = {"nude": "sexual"}
    system.processing(prompt=DOUBTFUL)


@pytest.mark.parametrize("last", [refused, strike_by_judge, blocked], ids=["policy", "judge", "image"])
def test_whatever_the_last_strike_was_it_suspends_and_operators_hear_of_it(
    system: System, ports: FakePorts, last: Callable[[System], object]
) -> None:
    for _ in range(ports.policies.strikes_per_day):
        count_strike(ANA, ports=ports)

    last(system)

    assert system.account().suspension is not None
    assert ports.telemetry.counts["AccountsSuspended"] == 1
    (line,) = (line for line in ports.telemetry.lines if line.event == "account_suspended")
    assert (line.level, line.fields["user_id"]) == ("warning", ANA)


def test_the_second_suspension_lasts_a_week_and_all_others_a_month(system: System, ports: FakePorts) -> None:
    lasted = []
    for _ in range(4):
        account = suspend(system)
        assert account.suspension is not None
        lasted.append(account.suspension.until - account.suspension.since)
        ports.clock.time = account.suspension.until
        assert system.accept().state.live

    assert lasted == [DAY, 7 * DAY, 30 * DAY, 30 * DAY]
    assert system.account().suspensions == 4


def test_a_suspension_ends_by_itself_and_not_a_moment_before(system: System, ports: FakePorts) -> None:
    account = suspend(system)
    assert account.suspension is not None
    ports.clock.time = account.suspension.until - timedelta(microseconds=1)
    with pytest.raises(Suspended):
        system.accept()

    ports.clock.time = account.suspension.until

    assert system.accept().state is State.QUEUED


# What a suspended account may not


def test_a_suspended_account_is_told_until_when(system: System, ports: FakePorts) -> None:
    suspend(system)

    with pytest.raises(Suspended) as raised:
        system.accept()

    assert (raised.value.status, raised.value.code) == (403, "account_suspended")
    assert raised.value.retry_after_s == DAY.total_seconds() + 1
    said = text(ERRORS, "account_suspended", "en", raised.value.args_)
    assert f"{ports.clock.now() + DAY:%Y-%m-%d %H:%M} UTC" in said


def test_a_suspended_account_can_have_nothing_accepted(
    system: System, life: ModelLife, ports: FakePorts
) -> None:
    model, untrained = life.trained(), life.with_photos()
    suspend(system)
    before = system.account()

    asks: list[Callable[[], object]] = [
        system.accept,
        lambda: life.generate(model),
        lambda: life.accept_training(untrained),
        life.create,
    ]
    for ask in asks:
        with pytest.raises(Suspended):
            ask()

    assert system.account() == before
    assert len(ports.store.models) == 2
    assert not ports.commands.started


def test_a_suspended_account_is_told_so_before_its_texts_are_judged(
    system: System, life: ModelLife, ports: FakePorts
) -> None:
    suspend(system)
    strikes = system.account().strikes_today

    with pytest.raises(Suspended):
        system.accept(prompt=FORBIDDEN)
    with pytest.raises(Suspended):
        life.create(name="naked woman")

    assert system.account().strikes_today == strikes


def test_whoever_is_suspended_while_asking_gets_nothing(system: System, ports: FakePorts) -> None:
    system.subscribe(ANA)

    with meanwhile(ports, "FakeChanges.commit", lambda: suspend(system)), pytest.raises(Suspended):
        system.accept()

    assert system.account().held == 0


def test_whoever_is_suspended_while_creating_a_model_gets_none(
    system: System, life: ModelLife, ports: FakePorts
) -> None:
    with meanwhile(ports, "FakeChanges.commit", lambda: suspend(system)), pytest.raises(Suspended):
        life.create()

    assert not ports.store.models


def test_whoever_is_suspended_while_asking_for_a_training_gets_none(
    system: System, life: ModelLife, ports: FakePorts
) -> None:
    model = life.with_photos()

    with meanwhile(ports, "FakeChanges.commit", lambda: suspend(system)), pytest.raises(Suspended):
        life.accept_training(model)

    assert not ports.store.trainings


# What it still may


def test_what_was_accepted_before_goes_on_to_its_end(system: System, ports: FakePorts) -> None:
    running = system.processing(BIA)
    waiting = system.accept(BIA)
    assert waiting.state is State.WAITING
    suspend(system, BIA)

    done = system.hear(running, ports.provider.succeed(system.prediction(running).id))
    system.deliver_starts()

    assert done.state is State.SUCCEEDED
    assert system.row(waiting).state is State.PROCESSING


def test_a_suspended_account_may_look_cancel_and_delete(
    system: System, life: ModelLife, ports: FakePorts
) -> None:
    model, other = life.trained(), life.with_photos()
    photo = next(iter(ports.photos.of(of(other))))
    done, queued = system.succeeded(), system.accept()
    suspend(system)

    assert show_generation(ref(done), ports=ports).urls
    assert len(list_generations(ListGenerations(ANA, limit=10), ports=ports).items) == 2
    shown = show_account(ANA, ports=ports)
    assert shown.account.suspension is not None
    assert cancel_generation(ref(queued), ports=ports).state is State.CANCELED
    delete_generation(ref(done), ports=ports)
    delete_photo(of(other), photo.id, ports=ports)
    delete_model(of(other), ports=ports)
    withdraw_consent(of(model), ports=ports)
    system.reconcile()

    assert ref(done) not in ports.store.generations
    assert not ports.store.models


def test_a_key_that_was_used_before_is_answered_as_before(system: System, ports: FakePorts) -> None:
    first = system.accept(key="k")
    suspend(system)

    assert system.accept(key="k") == first


def test_jobs_that_end_while_suspended_do_not_count(system: System, ports: FakePorts) -> None:
    system.subscribe(ANA, plan="studio")
    rows = [system.processing() for _ in range(2)]
    until = suspend(system).suspension
    strikes = system.account().strikes_today

    for row in rows:
        prediction = system.prediction(row)
        url = f"https://replicate.delivery/{prediction.id}/0"
        ports.outputs.files[url] = NUDE
        system.hear(row, ports.provider.succeed(prediction.id, [url]))

    account = system.account()
    assert (account.suspension, account.suspensions, account.strikes_today) == (until, 1, strikes)


# Lifted by an operator


def test_a_lifted_suspension_is_as_if_it_had_never_been(system: System, ports: FakePorts) -> None:
    suspend(system)

    account = lift_suspension(ANA, ports=ports)

    assert account.model_dump(exclude={"version"}) == system.account().model_dump(exclude={"version"})
    assert (account.suspension, account.suspensions, account.strikes_today) == (None, 0, 0)
    assert system.accept().state is State.QUEUED
    again = suspend(system)
    assert again.suspension is not None
    assert again.suspension.until - again.suspension.since == DAY


def test_lifting_again_changes_nothing(system: System, ports: FakePorts) -> None:
    suspend(system)
    lift_suspension(ANA, ports=ports)
    before = system.account()

    assert lift_suspension(ANA, ports=ports) == before == system.account()
    assert ports.telemetry.events().count("suspension_lifted") == 1


def test_lifting_what_was_never_suspended_changes_nothing(system: System, ports: FakePorts) -> None:
    refused(system)
    before = system.account()

    assert lift_suspension(ANA, ports=ports) == before
    assert before.strikes_today == 1


def test_nobody_unknown_is_opened_by_lifting(ports: FakePorts) -> None:
    with pytest.raises(NotFound):
        lift_suspension("nobody", ports=ports)

    assert not ports.store.accounts


def test_money_is_not_touched_by_lifting(system: System, ports: FakePorts) -> None:
    row = system.processing()
    suspend(system)

    lift_suspension(ANA, ports=ports)

    account = system.account()
    assert (account.held, account.running) == (1, 1)
    assert system.hear(row, ports.provider.succeed(system.prediction(row).id)).credits_charged == 1


def test_a_lift_that_meets_another_writer_is_made_all_the_same(system: System, ports: FakePorts) -> None:
    row = system.processing()
    done = ports.provider.succeed(system.prediction(row).id)
    suspend(system)

    with meanwhile(ports, "FakeChanges.commit", lambda: system.hear(row, done)):
        lift_suspension(ANA, ports=ports)

    assert (system.account().suspension, system.account().spent) == (None, 1)


def test_a_lift_that_others_keep_from_being_written_says_so(system: System, ports: FakePorts) -> None:
    suspend(system)
    ports.calls.before = _conflict

    with pytest.raises(NotNow) as raised:
        lift_suspension(ANA, ports=ports)
    ports.calls.before = lambda _: None

    assert raised.value.code == "write_conflict"
    assert system.account().suspension is not None


# Trouble


def _conflict(name: str) -> None:
    if name == "FakeChanges.commit":
        raise Conflict({"account"})


def test_a_strike_that_meets_another_writer_is_counted_all_the_same(system: System, ports: FakePorts) -> None:
    system.subscribe(ANA)

    with meanwhile(ports, "FakeChanges.commit", lambda: system.accept()):
        refused(system)

    assert (system.account().strikes_today, system.account().held) == (1, 1)


def test_two_strikes_at_once_are_two(system: System, ports: FakePorts) -> None:
    system.subscribe(ANA)

    with meanwhile(ports, "FakeChanges.commit", lambda: refused(system)):
        refused(system)

    assert system.account().strikes_today == 2


def test_the_last_two_strikes_at_once_suspend_once(system: System, ports: FakePorts) -> None:
    for _ in range(ports.policies.strikes_per_day):
        refused(system)

    with meanwhile(ports, "FakeChanges.commit", lambda: refused(system)):
        refused(system)

    assert (system.account().suspensions, system.account().strikes_today) == (1, 11)


def test_a_strike_that_cannot_be_counted_is_not_forgotten_in_silence(
    system: System, ports: FakePorts
) -> None:
    system.subscribe(ANA)
    ports.calls.before = _conflict

    with pytest.raises(Transient):
        system.accept(prompt=FORBIDDEN)
    ports.calls.before = lambda _: None

    assert not ports.store.generations


@pytest.mark.parametrize("dies", [dies_before, dies_after])
def test_a_refusal_whose_answer_dies_makes_nothing(
    system: System, ports: FakePorts, dies: Callable[..., AbstractContextManager[None]]
) -> None:
    system.subscribe(ANA)
    with dies(ports, "FakeChanges.commit"):
        system.accept(prompt=FORBIDDEN)

    assert not ports.store.generations
    assert system.account().strikes_today == (dies is dies_after)


def test_whoever_was_never_here_gets_an_account_with_a_strike(system: System) -> None:
    refused(system)

    assert (system.account().plan, system.account().available, system.account().strikes_today) == (
        "free",
        20,
        1,
    )
