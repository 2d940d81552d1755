"""A model that fails repeatedly is offered to nobody for some minutes, and no job is lost for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import ProviderNotFound, Transient, Unavailable
from revela.domain.job import State
from revela.domain.model_health import FAILURES_MAX, RESTS_FOR
from revela.domain.policy import QUEUE_AGE_MAX
from revela.usecases.accept_generation import AcceptGeneration, accept_generation
from revela.usecases.cancel_generation import cancel_generation
from tests.fakes import FakePorts
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.system import ANA, BIA, System, ref
from tests.unit.usecases.trouble import meanwhile

GONE = ProviderNotFound("no such model")


@pytest.fixture(autouse=True)
def _subscribed(system: System) -> None:
    for user_id in (ANA, BIA):
        system.subscribe(user_id, plan="developer")


def take_down(system: System, model: str = "flux-schnell") -> None:
    for _ in range(FAILURES_MAX):
        system.ports.provider.refuse(GONE)
        row = system.started(system.accept(BIA, model=model))
        assert row.state is State.QUEUED


def test_a_create_that_finds_no_model_waits_with_its_hold(system: System, ports: FakePorts) -> None:
    ports.provider.refuse(GONE)

    row = system.started(system.accept())

    assert row.state is State.QUEUED
    assert row.not_before is not None
    assert row.not_before > ports.clock.now()
    assert (row.failures, row.credits_held) == (0, 1)
    assert_sound(ports)


def test_new_requests_are_told_what_else_there_is(system: System, ports: FakePorts) -> None:
    take_down(system)
    held = system.account().held

    with pytest.raises(Unavailable) as raised:
        system.accept()

    assert (raised.value.status, raised.value.code) == (503, "model_resting")
    assert raised.value.args_["alternatives"] == "flux-dev, sdxl"
    assert raised.value.retry_after_s == RESTS_FOR.total_seconds()
    assert system.account().held == held
    assert system.accept(model="flux-dev").state is State.QUEUED


def test_with_every_model_down_no_alternative_is_named(system: System, ports: FakePorts) -> None:
    for model in ports.catalog.models:
        take_down(system, model.id)

    with pytest.raises(Unavailable) as raised:
        system.accept()

    assert raised.value.code == "all_models_resting"


def test_a_request_that_was_accepted_before_is_answered_again(system: System) -> None:
    row = system.accept(key="once")
    take_down(system)

    assert system.accept(key="once") == row


def test_queued_jobs_wait_and_cost_the_provider_nothing(system: System, ports: FakePorts) -> None:
    row = system.accept()
    take_down(system)
    asked = len(ports.provider.requests)

    assert system.start(row) == []

    waiting = system.row(row)
    assert (waiting.state, waiting.attempt) == (State.QUEUED, 0)
    assert waiting.not_before == waiting.due_at == ports.clock.now() + RESTS_FOR
    assert len(ports.provider.requests) == asked
    assert_sound(ports)


def test_they_start_when_the_model_is_back(system: System, ports: FakePorts) -> None:
    row = system.accept()
    take_down(system)
    system.start(row)

    system.reconcile(after=RESTS_FOR)
    system.deliver_starts()

    row = system.row(row)
    assert row.state is State.PROCESSING
    assert system.hear(row, ports.provider.succeed(system.prediction(row).id)).state is State.SUCCEEDED
    assert ports.health.get("flux-schnell").failures == 0


def test_they_wait_as_long_as_any_job_may_be_queued(system: System, ports: FakePorts) -> None:
    row = system.accept()
    take_down(system)
    waited = timedelta(0)
    while system.row(row).state is State.QUEUED:
        assert waited < QUEUE_AGE_MAX + 2 * RESTS_FOR
        for _ in range(50):
            ports.provider.refuse(GONE)
        system.reconcile(after=RESTS_FOR)
        system.deliver_starts()
        waited += RESTS_FOR

    row = system.row(row)
    assert row.state is State.FAILED
    assert row.updated_at - row.created_at > QUEUE_AGE_MAX
    assert row.failure is not None
    assert row.failure.code == "queue_timeout"
    assert system.account().held == 0


def test_predictions_that_find_the_model_down_count_too(system: System, ports: FakePorts) -> None:
    for _ in range(FAILURES_MAX):
        row = system.processing(BIA)
        failed = ports.provider.fail(system.prediction(row).id, "Unexpected error (E8765)")
        system.hear(row, failed)

    with pytest.raises(Unavailable):
        system.accept()


@pytest.mark.parametrize("error", ["NSFW content detected", "CUDA out of memory", None])
def test_what_is_the_inputs_fault_says_nothing_of_the_model(
    error: str | None, system: System, ports: FakePorts
) -> None:
    for _ in range(2 * FAILURES_MAX):
        row = system.processing(BIA)
        system.hear(row, ports.provider.fail(system.prediction(row).id, error))

    assert system.accept().state is State.QUEUED


def test_a_success_in_between_starts_the_count_anew(system: System, ports: FakePorts) -> None:
    for _ in range(2):
        for _ in range(FAILURES_MAX - 1):
            ports.provider.refuse(GONE)
            system.started(system.accept(BIA))
        system.succeeded(BIA)

    assert system.accept().state is State.QUEUED


def test_a_cancel_while_the_model_is_not_found_ends_the_job(system: System, ports: FakePorts) -> None:
    row = system.accept()
    ports.provider.refuse(GONE)
    with meanwhile(ports, "FakeProvider.create_prediction", lambda: cancel_generation(ref(row), ports=ports)):
        system.start(row)

    assert system.row(row).state is State.CANCELED
    assert_sound(ports)


def test_what_is_not_known_of_a_model_stops_nothing(
    system: System, ports: FakePorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise Transient("the store is away")

    monkeypatch.setattr(ports.health, "get", away)

    assert system.succeeded().state is State.SUCCEEDED
    ports.provider.refuse(GONE)
    assert system.started(system.accept()).state is State.QUEUED


def test_reports_of_two_processes_are_both_counted(system: System, ports: FakePorts) -> None:
    take = FAILURES_MAX - 1
    for _ in range(take):
        ports.provider.refuse(GONE)
        system.started(system.accept(BIA))
    first, second = system.accept(BIA), system.accept(BIA)
    for _ in range(2):
        ports.provider.refuse(GONE)

    with meanwhile(ports, "FakeHealth.put", lambda: system.start(second)):
        system.start(first)

    assert ports.health.get("flux-schnell").failures == take + 2


def test_repeated_conflicts_end_by_themselves(system: System, ports: FakePorts) -> None:
    def overtaken() -> None:
        ports.health.models["flux-schnell"] = ports.health.get("flux-schnell").failed(ports.clock.now())

    ports.calls.before = lambda name: overtaken() if name == "FakeHealth.put" else None
    ports.provider.refuse(GONE)

    row = system.started(system.accept())

    assert row.state is State.QUEUED
    command = AcceptGeneration(ANA, {"model": "flux-schnell", "prompt": "a lighthouse"})
    with pytest.raises(Unavailable):
        accept_generation(command, ports=ports)
