"""What a judge says, and that nothing else is ever read as leave to publish."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from revela.domain.generation import Appeal, Blocked, Doubt, Generation, Quarantined
from revela.domain.harm_severity import MOST_SEVERE_FIRST, most_severe
from revela.domain.job import TRANSITIONS, Event, ImpossibleTransition, State, step
from revela.domain.judge_models import JudgeModel
from revela.domain.judgement import HARM_CATEGORIES, Found, HarmCategory, Judgement, Ticket
from tests.examples import a_generation
from tests.fakes import load_catalog
from tests.fakes.clock import START

FOUND: TypeAdapter[Judgement | Ticket] = TypeAdapter(Found)
DOUBT = Doubt(field="prompt", rule="sexual.art", category="sexual")

judgements = st.builds(
    Judgement, category=st.none() | st.sampled_from(HARM_CATEGORIES), cost_micro_usd=st.integers(0, 10**6)
)
tickets = st.builds(Ticket, id=st.text())


def an_image(index: int = 0, **changes: Any) -> Quarantined:
    values: dict[str, Any] = {
        "index": index,
        "key": f"quarantine/ana/gen_01/1/{index}",
        "content_type": "image/webp",
        "extension": "webp",
        "width": 1024,
        "height": 768,
        "size_bytes": 12345,
        "sha256": "0" * 64,
    }
    return Quarantined(**values | changes)


# Words


def test_a_judgement_allows_exactly_when_it_names_no_harm() -> None:
    assert Judgement().allowed
    assert not any(Judgement(category=harm).allowed for harm in HARM_CATEGORIES)


@given(judgements | tickets)
def test_what_was_found_is_read_as_it_was_written(found: Judgement | Ticket) -> None:
    for written in (found.model_dump(), found.model_dump(mode="json"), found.model_dump(exclude_none=True)):
        read = FOUND.validate_python(written)
        assert read == found
        assert type(read) is type(found)
    assert FOUND.validate_json(found.model_dump_json()) == found


@given(judgements | tickets | st.none())
def test_an_image_in_quarantine_keeps_what_was_found(found: Judgement | Ticket | None) -> None:
    image = an_image(found=found)

    assert Quarantined.model_validate(image.model_dump(mode="json", exclude_none=True)) == image


@given(tickets)
def test_a_ticket_never_reads_as_a_judgement(ticket: Ticket) -> None:
    written = ticket.model_dump(mode="json")

    assert isinstance(FOUND.validate_python(written), Ticket)
    with pytest.raises(ValidationError):
        Judgement.model_validate(written)
    with pytest.raises(ValidationError):
        Judgement.model_validate({key: value for key, value in written.items() if key != "kind"})


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"category": None},
        {"id": "p1"},
        {"kind": "judgement", "id": "p1"},
        {"kind": "judgement", "category": "nsfw"},
        {"kind": "judgement", "category": ""},
        {"kind": "ticket"},
        {"kind": "ticket", "id": "p1", "category": None},
        {"kind": "verdict"},
        "allowed",
        None,
    ],
)
def test_what_is_not_plainly_one_of_both_is_neither(written: object) -> None:
    with pytest.raises(ValidationError):
        FOUND.validate_python(written)


@pytest.mark.parametrize("kept", [True, False])
def test_a_blocked_image_survives_a_store_that_leaves_out_what_is_none(kept: bool) -> None:
    blocked = Blocked(
        index=2,
        category="nudity",
        key="quarantine/ana/gen_01/1/2" if kept else None,
        appealable_until=START if kept else None,
    )

    assert Blocked.model_validate(blocked.model_dump(mode="json", exclude_none=True)) == blocked


# Severity


def test_every_harm_has_its_place_and_only_one() -> None:
    assert sorted(MOST_SEVERE_FIRST) == sorted(HARM_CATEGORIES)


@given(st.lists(st.none() | st.sampled_from(HARM_CATEGORIES)))
def test_of_several_harms_the_worst_is_told_and_harm_is_never_overlooked(
    found: list[HarmCategory | None],
) -> None:
    worst = most_severe(found)

    harms = [harm for harm in found if harm is not None]
    assert (worst is None) == (not harms)
    assert worst is None or worst in harms
    assert all(
        worst is not None and MOST_SEVERE_FIRST.index(worst) <= MOST_SEVERE_FIRST.index(harm)
        for harm in harms
    )


def test_children_come_before_everything() -> None:
    assert most_severe(HARM_CATEGORIES) == "minors"


# A generation and its judges


def test_what_is_in_doubt_is_undecided_until_it_was_judged() -> None:
    assert not a_generation().undecided
    assert a_generation(doubts=(DOUBT,)).undecided
    assert not a_generation(doubts=(DOUBT,), prompt_judged_at=START).undecided


def test_nothing_undecided_is_ever_claimed() -> None:
    row = a_generation(doubts=(DOUBT,))

    with pytest.raises(ImpossibleTransition):
        step(row, Event.CLAIMED, State.STARTING, now=START)
    assert step(row, Event.CLAIMED, State.STARTING, now=START, prompt_judged_at=START).state is State.STARTING
    assert step(a_generation(), Event.CLAIMED, State.STARTING, now=START).state is State.STARTING


BLOCKED = Blocked(index=0, category="nudity", key="quarantine/ana/gen_01/1/0", appealable_until=START)


@pytest.mark.parametrize("state", State)
def test_only_what_has_ended_with_a_block_can_be_appealed(state: State) -> None:
    row = a_generation(state=state, blocked=(BLOCKED,))

    assert row.appealable is (not state.live)
    assert not a_generation(state=state).appealable


@pytest.mark.parametrize("state", [state for state in State if not state.terminal])
def test_what_has_not_ended_takes_no_appeal(state: State) -> None:
    row = a_generation(state=state, blocked=(BLOCKED,))

    with pytest.raises(ImpossibleTransition):
        step(row, Event.APPEALED, state, now=START, appeal=Appeal(appealed_at=START))


def test_what_is_judged_is_live_and_has_its_outputs() -> None:
    judging = State.JUDGING

    assert (judging.live, judging.terminal, judging.at_provider, judging.has_outputs) == (
        True,
        False,
        False,
        True,
    )
    assert a_generation(state=judging).place == "running"
    assert not a_generation(state=judging).settled


def test_a_job_that_is_judged_is_neither_canceled_nor_timed_out_nor_expired() -> None:
    moves = {transition.event for transition in TRANSITIONS if transition.source is State.JUDGING}

    assert moves.isdisjoint(
        {Event.CANCEL_REQUESTED, Event.DEADLINE_EXCEEDED, Event.QUEUE_AGE_EXCEEDED, Event.DELETED}
    )


def test_only_what_was_judged_or_is_being_saved_can_succeed() -> None:
    sources = {
        t.source for t in TRANSITIONS if State.SUCCEEDED in t.targets and t.source is not State.SUCCEEDED
    }

    assert sources == {State.SAVING, State.JUDGING}


def test_to_be_judged_takes_the_lease_away() -> None:
    saving = a_generation(state=State.SAVING, lease_until=START + timedelta(seconds=210), visits=4)

    judging = step(saving, Event.JUDGE_AWAITED, State.JUDGING, now=START)

    assert (judging.lease_until, judging.visits) == (None, 0)


def test_a_row_from_before_there_were_judges_is_still_a_row() -> None:
    old = a_generation().model_dump(
        mode="json",
        exclude={"doubts", "prompt_judged_at", "quarantined", "judging_since", "blocked", "appeal"},
    )

    assert Generation.model_validate(old) == a_generation()


# The models that judge


def test_a_judge_of_the_catalog_is_pinned_and_says_where_it_was_seen() -> None:
    judges = load_catalog().judges

    for judge in (judges.prompt, judges.image):
        assert len(judge.version.rpartition(":")[2]) == 64
        assert judge.source


def test_what_is_judged_cannot_be_fixed_beforehand() -> None:
    values = load_catalog().judges.prompt.model_dump()

    with pytest.raises(ValidationError, match="what is judged cannot be fixed"):
        JudgeModel.model_validate(values | {"fixed_input": {values["input"]: "a kitten"}})
