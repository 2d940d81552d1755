from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.generation import Generation
from revela.domain.job import State
from tests.fakes import FakePorts
from tests.unit.usecases.system import System

pytestmark = pytest.mark.usefixtures("several_places")


def fail_repeatedly(system: System, row: Generation, error: str | None) -> tuple[Generation, int]:
    """Let every attempt fail the same way; return the failed row and how many attempts it had."""
    provider = system.ports.provider
    while True:
        row = system.hear(row, provider.fail(system.prediction(row).id, error))
        if row.state is not State.QUEUED:
            return row, row.attempt
        system.ports.clock.advance(timedelta(minutes=10))
        row = system.started(row)


@pytest.mark.parametrize(
    ("error", "attempts", "code"),
    [
        # The platform's codes, as they are seen in predictions.
        ("Director: unexpected error handling prediction (E1000)", 4, "provider_failed"),
        ("E1001: out of memory", 2, "provider_failed"),
        ("E4875", 1, "provider_failed"),
        ("Director: unexpected error handling prediction (E6716)", 4, "provider_failed"),
        ("Director: unexpected error handling prediction (E8367)", 4, "provider_failed"),
        ("E8765", 3, "model_unavailable"),
        ("Director: unexpected error handling prediction (E9243)", 2, "provider_failed"),
        ("E9825", 4, "provider_failed"),
        ("Director: unexpected error handling prediction (E9828)", 4, "provider_failed"),
        # The models' own words.
        ("NSFW content detected. Try running it again, or try a different prompt.", 1, "moderated"),
        (
            "All generated images contained NSFW content. Try running it again with a different prompt.",
            1,
            "moderated",
        ),
        (
            "The input or output was flagged as sensitive. "
            "Please try again with different inputs. (E005) (x1)",
            1,
            "moderated",
        ),
        ("Service is temporarily unavailable. Please try again later. (E004) (x1)", 4, "model_unavailable"),
        ("Service is experiencing high demand. (E003)", 4, "model_unavailable"),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", 2, "provider_failed"),
        ('Prediction input failed validation: {"detail":[]}', 1, "provider_rejected"),
        ("Prediction interrupted; please retry (code: PA)", 3, "provider_failed"),
        ("queue reached limit", 4, "model_unavailable"),
        # Nothing, and what nobody has classified.
        (None, 3, "provider_failed"),
        ("", 3, "provider_failed"),
        ("list index out of range", 3, "provider_failed"),
    ],
)
def test_each_failure_is_tried_again_as_often_as_it_makes_sense(
    error: str | None, attempts: int, code: str, system: System
) -> None:
    row, made = fail_repeatedly(system, system.processing(num_outputs=2), error)

    assert made == attempts
    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == code
    assert (row.credits_charged, row.credits_refunded) == (0, 2)


def test_a_retry_keeps_hold_and_place_and_forgets_the_attempt(system: System, ports: FakePorts) -> None:
    row = system.processing()

    row = system.hear(row, ports.provider.fail(system.prediction(row).id, "E8367"))

    now = ports.clock.now()
    assert (row.state, row.attempt, row.failures) == (State.QUEUED, 1, 1)
    assert row.due_at == row.not_before
    assert row.not_before is not None
    assert now < row.not_before <= now + timedelta(seconds=5)
    assert (system.account().held, system.account().running) == (1, 1)


def test_a_retry_is_started_by_reconcile_when_its_time_has_come(system: System, ports: FakePorts) -> None:
    row = system.processing()
    system.hear(row, ports.provider.fail(system.prediction(row).id, "E8367"))

    system.reconcile(after=timedelta(seconds=5))
    system.deliver_starts()
    row = system.row(row)

    assert (row.state, row.attempt) == (State.PROCESSING, 2)
    row = system.hear(row, ports.provider.succeed(system.prediction(row).id))
    assert row.outputs[0].key.endswith("/2-0.webp")
    assert row.credits_charged == 1


def test_failures_of_different_kinds_count_together(system: System, ports: FakePorts) -> None:
    row = system.processing()
    for error in ("E1000", "boom"):
        row = system.hear(row, ports.provider.fail(system.prediction(row).id, error))
        ports.clock.advance(timedelta(minutes=10))
        row = system.started(row)

    row = system.hear(row, ports.provider.fail(system.prediction(row).id, "boom"))

    assert row.state is State.FAILED


def test_the_cost_of_every_attempt_is_added_up(system: System, ports: FakePorts) -> None:
    row = system.processing(model="sdxl")
    spent = ports.provider.fail(system.prediction(row).id).model_copy(update={"predict_time_s": 4.0})
    system.hear(row, spent)
    ports.clock.advance(timedelta(minutes=1))
    row = system.started(row)

    row = system.hear(row, ports.provider.succeed(system.prediction(row).id))

    assert row.provider_cost_micro_usd == 3_900 + 2_437


def test_nothing_is_tried_again_after_a_day(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.clock.advance(timedelta(days=1, seconds=1))

    assert system.hear(row, ports.provider.fail(system.prediction(row).id)).state is State.FAILED


def test_the_providers_words_are_kept_for_operators_but_not_at_any_length(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()

    error = "NSFW content detected" + "x" * 9999
    row = system.hear(row, ports.provider.fail(system.prediction(row).id, error))

    assert row.failure is not None
    assert row.failure.detail is not None
    assert row.failure.detail.startswith("NSFW")
    assert len(row.failure.detail) <= 500


def test_what_was_aborted_is_tried_twice_more_and_then_took_too_long(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    for _ in range(2):
        row = system.hear(row, ports.provider.abort(system.prediction(row).id))
        assert row.state is State.QUEUED
        ports.clock.advance(timedelta(minutes=10))
        row = system.started(row)

    row = system.hear(row, ports.provider.abort(system.prediction(row).id))

    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == "timeout"


def test_what_was_canceled_without_our_asking_took_too_long(system: System, ports: FakePorts) -> None:
    row = system.processing()

    row = system.hear(row, ports.provider.end_canceled(system.prediction(row).id))

    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == "timeout"
    assert row.credits_refunded == 1


def test_an_end_seen_from_starting_is_judged_as_any(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)

    row = system.hear(row, ports.provider.fail(system.prediction(row).id, "E8367"))

    assert (row.state, row.failures) == (State.QUEUED, 1)
    assert ports.store.predictions[system.prediction(row).id].owner == f"{row.id}:1"


def test_what_an_operator_has_to_mend_is_counted_for_the_alarm(system: System, ports: FakePorts) -> None:
    for error in ("E4875", "CUDA out of memory"):
        row = system.processing()
        system.hear(row, ports.provider.fail(system.prediction(row).id, error))

    assert ports.telemetry.counts["ProviderMisconfigured"] == 1
