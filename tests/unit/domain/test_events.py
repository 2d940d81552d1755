from __future__ import annotations

import pytest

from revela.domain.events import GenerationSeen, event_of
from revela.domain.generation import Generation
from revela.domain.job import LIVE, TRANSITIONS, State
from tests.examples import a_generation

S = State


def seen(state: State | None) -> GenerationSeen | None:
    if state is None:
        return None
    row: Generation = a_generation(state=state)
    return GenerationSeen.model_validate(row.model_dump())


def name_of(before: State | None, after: State) -> str | None:
    row = seen(after)
    assert row is not None
    event = event_of(seen(before), row)
    return event.name if event else None


EVERY_CHANGE = sorted(
    {(t.source, target) for t in TRANSITIONS for target in t.targets} | {(None, S.QUEUED), (None, S.WAITING)},
    key=str,
)
TOLD: dict[tuple[State | None, State], str] = {
    (None, S.QUEUED): "GenerationQueued",
    (S.WAITING, S.QUEUED): "GenerationQueued",
    (S.STARTING, S.PROCESSING): "GenerationStarted",
    (S.STARTING, S.SAVING): "GenerationStarted",
    (S.SAVING, S.SUCCEEDED): "GenerationSucceeded",
    (S.JUDGING, S.SUCCEEDED): "GenerationSucceeded",
    **{(s, S.FAILED): "GenerationFailed" for s in LIVE},
    **{(s, S.CANCELED): "GenerationCanceled" for s in LIVE},
}


@pytest.mark.parametrize(("before", "after"), EVERY_CHANGE)
def test_every_move_of_the_table_is_told_as_agreed_or_not_at_all(before: State | None, after: State) -> None:
    assert name_of(before, after) == TOLD.get((before, after))


def test_every_agreed_event_belongs_to_a_move_that_exists() -> None:
    assert set(TOLD) <= set(EVERY_CHANGE)
