"""The table of a generation's moves, and what a row may rely on after each."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from revela.domain.generation import Generation
from revela.domain.job import (
    LIVE,
    TERMINAL,
    TRANSITIONS,
    Event,
    Failure,
    ImpossibleTransition,
    State,
    fingerprint,
    step,
)
from revela.domain.policy import QUEUE_AGE_MAX
from tests.examples import a_generation
from tests.fakes.clock import START

LATER = START + timedelta(hours=1)
LISTED = {(t.source, t.event, target) for t in TRANSITIONS for target in t.targets}
MOVES = sorted(LISTED)
IN_QUEUE = {State.WAITING, State.QUEUED}


def a_full_row(state: State, **changes: Any) -> Generation:
    """Return a row with every optional field set, so that what a step clears is seen."""
    full: dict[str, Any] = {
        "state": state,
        "version": 7,
        "due_at": START,
        "not_before": START,
        "visits": 3,
        "attempt": 2,
        "failures": 1,
        "claimed_at": START,
        "lease_until": START,
        "deadline_at": START,
        "fingerprint": "f" * 64,
        "prediction_id": "p1",
        "started_at": START,
    }
    return a_generation(**full | changes)


# The table


def test_each_move_is_listed_once() -> None:
    keys = [(t.source, t.event) for t in TRANSITIONS]

    assert len(set(keys)) == len(keys)
    assert all(len(set(t.targets)) == len(t.targets) > 0 for t in TRANSITIONS)


def test_every_event_and_every_state_has_a_part() -> None:
    assert {t.event for t in TRANSITIONS} == set(Event)
    assert {t.source for t in TRANSITIONS} == set(State)


def reachable(start: State) -> set[State]:
    found, open_ = {start}, [start]
    while open_:
        here = open_.pop()
        new = {target for source, _, target in LISTED if source is here} - found
        found |= new
        open_ += new
    return found


def test_every_state_can_be_reached_from_acceptance() -> None:
    assert reachable(State.WAITING) == set(State)


@pytest.mark.parametrize("state", sorted(LIVE))
def test_whatever_lives_can_succeed_fail_and_be_canceled(state: State) -> None:
    assert reachable(state) >= TERMINAL


@pytest.mark.parametrize("state", sorted(LIVE | {State.DELETING}))
def test_reconcile_may_look_at_whatever_has_not_ended(state: State) -> None:
    assert (state, Event.VISITED, state) in LISTED


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_an_end_is_final_but_for_deletion(state: State) -> None:
    """An appeal is written down and changes nothing of how it ended."""
    assert {(event, target) for source, event, target in LISTED if source is state} - {
        (Event.APPEALED, state)
    } == {(Event.DELETED, State.DELETING)}


def test_only_images_that_were_judged_succeed() -> None:
    assert {(s, e) for s, e, target in LISTED if target is State.SUCCEEDED and s.live} == {
        (State.SAVING, Event.OUTPUTS_SAVED),
        (State.JUDGING, Event.OUTPUTS_SAVED),
    }


def test_whatever_sends_a_job_back_to_the_queue_can_cancel_it_instead() -> None:
    """A job that is to be canceled is never queued again, so each such event needs another way out."""
    back = {(source, event) for source, event, target in LISTED if target is State.QUEUED} - {
        (State.WAITING, Event.HANDED_OVER),
        (State.QUEUED, Event.POSTPONED),
        (State.QUEUED, Event.PROMPT_PASSED),
        (State.QUEUED, Event.VISITED),
    }

    assert back
    assert all((source, event, State.CANCELED) in LISTED for source, event in back)


def test_states_are_live_or_ended_or_being_deleted() -> None:
    assert LIVE | TERMINAL | {State.DELETING} == set(State)
    assert not LIVE & TERMINAL
    assert {s for s in State if s.live} == LIVE
    assert {s for s in State if s.terminal} == TERMINAL
    assert {s for s in State if s.at_provider} == {State.STARTING, State.PROCESSING}


# A step


@pytest.mark.parametrize(("source", "event"), list(product(State, Event)))
def test_no_move_is_possible_that_the_table_does_not_list(source: State, event: Event) -> None:
    for target in State:
        if (source, event, target) not in LISTED:
            with pytest.raises(ImpossibleTransition):
                step(a_full_row(source), event, target, now=LATER)


@pytest.mark.parametrize(("source", "event", "target"), MOVES)
def test_a_step_moves_the_row_and_keeps_who_it_is(source: State, event: Event, target: State) -> None:
    before = a_full_row(source)

    after = step(before, event, target, now=LATER)

    assert (after.state, after.updated_at, after.version) == (target, LATER, 8)
    kept = ("user_id", "id", "account_id", "model", "params", "held_from", "credits_held", "created_at")
    assert all(getattr(after, name) == getattr(before, name) for name in kept)
    assert (after.attempt, after.failures) == (2, 1)
    assert before == a_full_row(source)


@pytest.mark.parametrize(("source", "event", "target"), MOVES)
def test_a_step_changes_what_it_is_told_to(source: State, event: Event, target: State) -> None:
    failure = Failure(code="timeout")
    after = step(
        a_full_row(source), event, target, now=LATER, attempt=3, lease_until=LATER, visits=4, failure=failure
    )

    assert (after.attempt, after.lease_until, after.visits, after.failure) == (3, LATER, 4, failure)


@pytest.mark.parametrize(("source", "event", "target"), [m for m in MOVES if m[0] is not m[2]])
def test_a_new_state_starts_without_lease_and_visits(source: State, event: Event, target: State) -> None:
    after = step(a_full_row(source), event, target, now=LATER)

    assert (after.lease_until, after.visits) == (None, 0)


@pytest.mark.parametrize(("source", "event", "target"), [m for m in MOVES if m[2] is State.QUEUED])
def test_a_queued_job_remembers_no_prediction(source: State, event: Event, target: State) -> None:
    after = step(a_full_row(source), event, target, now=LATER)

    assert (after.prediction_id, after.fingerprint, after.deadline_at, after.lease_until) == (None,) * 4
    assert after.due_at is not None


@pytest.mark.parametrize(("source", "event", "target"), [m for m in MOVES if m[2] is State.QUEUED])
def test_a_job_that_is_to_be_canceled_is_never_queued_again(
    source: State, event: Event, target: State
) -> None:
    with pytest.raises(ImpossibleTransition, match="never queued again"):
        step(a_full_row(source, cancel_requested_at=START), event, target, now=LATER)


@pytest.mark.parametrize(("source", "event", "target"), [m for m in MOVES if m[0].live and m[2].terminal])
def test_who_has_ended_is_due_no_more(source: State, event: Event, target: State) -> None:
    after = step(a_full_row(source), event, target, now=LATER)

    assert (after.due_at, after.not_before, after.completed_at) == (None, None, LATER)


# The row


@pytest.mark.parametrize(
    ("row", "prediction_id", "attempt", "owned"),
    [
        (a_full_row(State.STARTING, prediction_id=None), "p1", 2, True),
        (a_full_row(State.STARTING, prediction_id=None), "p1", 1, False),
        (a_full_row(State.STARTING, prediction_id=None), "p1", None, False),
        (a_full_row(State.STARTING, prediction_id="p1"), "p2", 2, False),
        (a_full_row(State.PROCESSING), "p1", 2, True),
        (a_full_row(State.PROCESSING), "p1", 1, True),
        (a_full_row(State.PROCESSING), "p2", 2, False),
        (a_full_row(State.SUCCEEDED), "p1", 2, True),
        (a_full_row(State.QUEUED, prediction_id=None), "p1", 2, False),
        (a_full_row(State.CANCELED, prediction_id=None), "p1", 2, False),
    ],
)
def test_a_prediction_is_the_rows_by_id_or_by_the_claim_that_is_open(
    row: Generation, prediction_id: str, attempt: int | None, owned: bool
) -> None:
    assert row.owns(prediction_id, attempt=attempt) is owned


@pytest.mark.parametrize("state", sorted(State))
def test_what_is_not_charged_is_refunded_once_the_job_has_ended(state: State) -> None:
    row = a_generation(state=state, credits_held=6, credits_charged=2 if not state.live else 0)

    assert row.settled is not state.live
    assert row.credits_refunded == (0 if state.live else 4)


def test_a_row_knows_where_its_things_are() -> None:
    row = a_generation("gen_01ABC")

    assert row.pointer_id == "wait#01ABC"
    assert row.quarantine_prefix == "quarantine/ana/gen_01ABC/"
    assert row.published_prefix == "users/ana/generations/gen_01ABC/"


def test_a_day_in_the_queue_is_not_yet_too_long() -> None:
    row = a_generation(created_at=START)

    assert not row.too_old_to_start(START + QUEUE_AGE_MAX)
    assert row.too_old_to_start(START + QUEUE_AGE_MAX + timedelta(microseconds=1))


# Fingerprints

INPUT = {"prompt": "café", "seed": 7, "guidance": 3.5, "go_fast": False, "aspect_ratio": "1:1"}


def test_a_fingerprint_does_not_depend_on_the_order_of_fields() -> None:
    assert fingerprint("v", INPUT) == fingerprint("v", dict(reversed(INPUT.items())))


def test_a_fingerprint_is_the_inputs_own() -> None:
    others = [
        ("w", INPUT),
        ("v", {}),
        ("v", {**INPUT, "prompt": "cafe"}),
        ("v", {**INPUT, "seed": 8}),
        ("v", {**INPUT, "seed": "7"}),
        ("v", {**INPUT, "go_fast": True}),
        ("v", {**INPUT, "extra": None}),
        ("v", {key: value for key, value in INPUT.items() if key != "seed"}),
    ]

    assert len({fingerprint("v", INPUT), *(fingerprint(*other) for other in others)}) == len(others) + 1
