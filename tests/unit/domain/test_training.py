"""A training's row: a job with the moves of every job, a place of its own, and its own whereabouts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.job import Event, Failure, ImpossibleTransition, State, step
from tests.examples import a_training
from tests.fakes.clock import START

LATER = START + timedelta(hours=1)


def test_clients_know_it_without_its_model() -> None:
    row = a_training("mdl_01#trn_01")

    assert (row.model_id, row.training_id) == ("mdl_01", "trn_01")
    assert row.weights_prefix == "users/ana/models/mdl_01/trn_01/"
    assert (row.KIND, row.runs, row.images_asked) == ("training", "flux-lora", 0)


@pytest.mark.parametrize("state", sorted(State))
def test_wherever_it_is_it_is_counted_among_trainings(state: State) -> None:
    assert a_training(state=state).place == "training"


def test_photos_that_are_gone_fail_it_before_it_is_claimed_and_never_after() -> None:
    failed = step(
        a_training(), Event.INPUT_LOST, State.FAILED, now=LATER, failure=Failure(code="photos_lost")
    )
    assert (failed.state, failed.due_at, failed.completed_at) == (State.FAILED, None, LATER)

    for state in set(State) - {State.QUEUED}:
        with pytest.raises(ImpossibleTransition):
            step(a_training(state=state), Event.INPUT_LOST, State.FAILED, now=LATER)


def test_a_new_attempt_remembers_which_upload_to_forget_and_no_prediction() -> None:
    row = a_training(
        state=State.PROCESSING, prediction_id="t1", fingerprint="f", deadline_at=LATER, input_file_id="f1"
    )

    queued = step(row, Event.PROVIDER_FAILED, State.QUEUED, now=LATER, due_at=LATER)

    assert (queued.prediction_id, queued.fingerprint, queued.deadline_at) == (None, None, None)
    assert queued.input_file_id == "f1"


@pytest.mark.parametrize("state", sorted(State))
def test_what_is_not_charged_is_refunded_once_it_has_ended(state: State) -> None:
    row = a_training(state=state)

    assert row.credits_refunded == (0 if state.live else row.credits_held)
