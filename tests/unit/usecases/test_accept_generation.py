from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import Conflict, InvalidRequest, NoCredits, NotNow, TooMany, Transient
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.usecases.accept_generation import AcceptGeneration, accept_generation
from revela.usecases.cancel_generation import cancel_generation
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA, System, ref
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile


def test_the_first_request_opens_the_account_holds_the_cost_and_tells_a_worker(
    system: System, ports: FakePorts
) -> None:
    row = system.accept(ANA, model="flux-dev", num_outputs=2)

    account = system.account()
    assert row.state is State.QUEUED
    assert (row.credits_held, row.credits_charged, row.credits_refunded) == (6, 0, 0)
    assert (account.plan, account.available, account.held, account.spent) == ("free", 14, 6, 0)
    assert (account.running, account.waiting) == (1, 0)
    assert ports.commands.started == [ref(row)]


def test_a_job_is_due_a_minute_later_in_case_its_message_is_lost(system: System, ports: FakePorts) -> None:
    row = system.accept()

    assert row.due_at == ports.clock.now() + timedelta(seconds=60)


def test_the_seed_is_chosen_when_the_client_did_not_and_kept_when_it_did(system: System) -> None:
    system.subscribe()

    chosen = system.accept()
    given = system.accept(seed=7)

    assert 0 <= chosen.params["seed"] < 2**31
    assert given.params["seed"] == 7


def test_the_price_and_its_version_are_written_on_the_job(system: System, ports: FakePorts) -> None:
    row = system.accept(model="flux-dev", num_outputs=1)

    assert row.credits_per_image == 3
    assert row.price_version == ports.catalog.price_version
    assert row.provider_version == "black-forest-labs/flux-dev"


def test_a_message_that_cannot_be_sent_does_not_take_the_acceptance_back(
    system: System, ports: FakePorts
) -> None:
    ports.commands.failure = Transient("the queue is away")
    row = system.accept()
    ports.commands.failure = None

    system.reconcile(after=timedelta(seconds=60))

    assert ports.commands.started == [ref(row)]


@pytest.mark.parametrize("requested", [{}, {"model": 3}, {"model": "no-such-model"}])
def test_a_request_without_a_model_we_have_is_refused(requested: dict[str, object], ports: FakePorts) -> None:
    command = AcceptGeneration(ANA, {"prompt": "a lighthouse", **requested})

    with pytest.raises(InvalidRequest) as refused:
        accept_generation(command, ports=ports)

    assert [p.name for p in refused.value.invalid_params] == ["model"]


def test_a_field_the_model_does_not_take_is_named_and_nothing_is_held(system: System) -> None:
    with pytest.raises(InvalidRequest) as refused:
        system.accept(model="flux-dev", negative_prompt="fog")

    assert [p.name for p in refused.value.invalid_params] == ["negative_prompt"]
    assert system.account().held == 0


# Plans


def test_the_number_of_images_defaults_to_what_the_plan_allows(system: System) -> None:
    system.subscribe(BIA)

    free = system.accept(ANA, num_outputs=None)
    essential = system.accept(BIA, num_outputs=None)

    assert free.num_outputs == 2
    assert essential.num_outputs == 4


def test_more_images_than_the_plan_allows_are_refused(system: System) -> None:
    with pytest.raises(InvalidRequest) as refused:
        system.accept(ANA, num_outputs=3)

    assert [(p.name, p.code) for p in refused.value.invalid_params] == [("num_outputs", "plan_allows")]


def test_without_credits_nothing_is_accepted(system: System) -> None:
    system.subscribe(ANA, plan="studio", amount=0)
    system.accept(ANA, model="flux-dev", num_outputs=4)

    with pytest.raises(NoCredits) as refused:
        system.accept(ANA, model="flux-dev", num_outputs=4)

    assert refused.value.args_ == {"required": 12, "available": 8}


def test_who_has_exactly_enough_is_served(system: System) -> None:
    system.subscribe(ANA, plan="studio", amount=4)

    system.accept(ANA, model="flux-dev", num_outputs=4)
    system.accept(ANA, model="flux-dev", num_outputs=4)

    assert system.account().available == 0


def test_jobs_beyond_those_at_once_wait_and_are_not_sent(system: System, ports: FakePorts) -> None:
    first = system.accept()
    second = system.accept()

    assert [first.state, second.state] == [State.QUEUED, State.WAITING]
    assert second.due_at is not None
    assert second.due_at <= ports.clock.now() + timedelta(minutes=2)
    assert ports.commands.started == [ref(first)]
    assert (system.account().running, system.account().waiting) == (1, 1)


def test_nobody_overtakes_who_waits_even_where_a_place_is_free(system: System, ports: FakePorts) -> None:
    running = system.accept()
    waiting = system.accept()
    with dies_before(ports, "FakeChanges.commit", nth=2):  # after it freed the place, before it hands it over
        cancel_generation(ref(running), ports=ports)
    assert system.account().running == 0

    late = system.accept()

    assert late.state is State.WAITING
    system.reconcile(after=timedelta(minutes=2))
    assert system.row(waiting).state is State.QUEUED
    assert system.row(late).state is State.WAITING


def test_a_full_waiting_room_is_refused_and_says_when_to_come_back(system: System) -> None:
    for _ in range(1 + 5):
        system.accept()

    with pytest.raises(TooMany) as refused:
        system.accept()

    assert refused.value.code == "too_many_jobs"
    assert refused.value.retry_after_s


def test_the_daily_limit_counts_images_and_ends_at_midnight(system: System, ports: FakePorts) -> None:
    for _ in range(5):
        system.accept(num_outputs=2)

    with pytest.raises(TooMany) as refused:
        system.accept(num_outputs=1)
    assert refused.value.code == "daily_limit_reached"
    assert refused.value.retry_after_s is not None
    assert timedelta(hours=12) <= timedelta(seconds=refused.value.retry_after_s) < timedelta(hours=12.01)

    ports.clock.advance(timedelta(seconds=refused.value.retry_after_s))
    assert system.accept(num_outputs=1).state is State.WAITING


def test_images_that_were_not_delivered_do_not_count_for_the_day(system: System, ports: FakePorts) -> None:
    rows = [system.accept(num_outputs=2) for _ in range(5)]
    cancel_generation(ref(rows[-1]), ports=ports)

    assert system.account().images_today == 8
    system.accept(num_outputs=2)
    assert system.account().images_today == 10


def test_yesterdays_undelivered_images_give_nothing_back_today(system: System, ports: FakePorts) -> None:
    yesterday = system.accept(num_outputs=2)
    ports.clock.advance(timedelta(hours=13))
    system.accept(num_outputs=1)

    cancel_generation(ref(yesterday), ports=ports)

    assert system.account().images_today == 1


# Idempotency keys


def test_the_same_key_and_body_answer_the_first_answer_again(system: System, ports: FakePorts) -> None:
    first = system.accept(key="k1", num_outputs=2)
    system.started(first)

    command = AcceptGeneration(
        ANA, {"model": "flux-schnell", "prompt": "a lighthouse", "num_outputs": 2}, idempotency_key="k1"
    )
    again = accept_generation(command, ports=ports)

    assert again.replayed
    assert again.generation == first
    assert system.account().held == 2


def test_the_same_key_with_another_body_is_refused(system: System) -> None:
    system.accept(key="k1", seed=1)

    with pytest.raises(InvalidRequest) as refused:
        system.accept(key="k1", seed=2)

    assert refused.value.code == "idempotency_key_reused"


def test_a_key_belongs_to_one_user(system: System) -> None:
    assert system.accept(ANA, key="k1").id != system.accept(BIA, key="k1").id


def test_an_expired_key_that_is_still_stored_is_as_good_as_new(system: System, ports: FakePorts) -> None:
    first = system.accept(key="k1")
    ports.clock.advance(timedelta(hours=24))

    second = system.accept(key="k1", seed=2)

    assert second.id != first.id
    assert system.accept(key="k1", seed=2).id == second.id


def test_a_replay_needs_neither_credits_nor_a_place(system: System) -> None:
    first = system.accept(key="k1", num_outputs=2)
    for _ in range(4):
        system.accept(num_outputs=2)

    assert system.accept(key="k1", num_outputs=2).id == first.id


def test_a_refused_request_does_not_use_up_its_key(system: System) -> None:
    with pytest.raises(InvalidRequest):
        system.accept(key="k1", num_outputs=4)

    assert system.accept(key="k1", num_outputs=1).state is State.QUEUED


def test_of_concurrent_twins_one_is_accepted_and_the_other_hears_the_same(
    system: System, ports: FakePorts
) -> None:
    system.subscribe()
    faster: list[Generation] = []

    with meanwhile(ports, "FakeChanges.commit", lambda: faster.append(system.accept(key="k1"))):
        slower = system.accept(key="k1")

    assert [row.id for row in faster] == [slower.id]
    assert len(ports.store.generations) == 1


# Concurrent requests


def test_a_conflict_is_decided_again_on_what_is_there_now(system: System, ports: FakePorts) -> None:
    system.subscribe(ANA, plan="free", amount=0)

    with meanwhile(ports, "FakeChanges.commit", system.accept):
        late = system.accept(ANA)

    assert late.state is State.WAITING
    assert (system.account().running, system.account().waiting) == (1, 1)


def test_two_concurrent_requests_cannot_spend_the_same_credits(system: System, ports: FakePorts) -> None:
    system.subscribe(ANA, plan="studio", amount=0)
    system.accept(ANA, model="flux-dev", num_outputs=4)

    def accept() -> Generation:
        return system.accept(ANA, model="flux-dev", num_outputs=2)

    with meanwhile(ports, "FakeChanges.commit", accept), pytest.raises(NoCredits):
        accept()

    assert (system.account().available, system.account().held) == (2, 18)


def test_who_meets_conflicts_for_too_long_is_asked_to_come_back(system: System, ports: FakePorts) -> None:
    system.subscribe()
    held = system.account().held

    def conflict(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Conflict({"account"})

    ports.calls.before = conflict
    with pytest.raises(NotNow) as refused:
        system.accept()

    assert refused.value.code == "write_conflict"
    assert system.account().held == held


# A process that dies


def test_a_process_that_dies_after_the_write_has_accepted_all_the_same(
    system: System, ports: FakePorts
) -> None:
    system.subscribe()
    with dies_after(ports, "FakeChanges.commit"):
        system.accept(key="k1")

    again = system.accept(key="k1")
    system.reconcile(after=timedelta(minutes=1))

    assert len(ports.store.generations) == 1
    assert ports.commands.started == [ref(again)]
