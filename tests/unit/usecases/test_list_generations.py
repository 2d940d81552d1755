from __future__ import annotations

import pytest

from revela.domain.errors import InvalidRequest
from revela.domain.job import State
from revela.usecases.list_generations import ListGenerations, list_generations
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA, System


def test_a_page_is_newest_first_and_leads_to_the_next(system: System, ports: FakePorts) -> None:
    accepted = [system.accept(ANA).id for _ in range(3)]

    first = list_generations(ListGenerations(ANA, limit=2), ports=ports)
    last = list_generations(ListGenerations(ANA, limit=2, cursor=first.cursor), ports=ports)

    assert [v.generation.id for v in (*first.items, *last.items)] == accepted[::-1]
    assert last.cursor is None


def test_only_the_users_own_are_listed(system: System, ports: FakePorts) -> None:
    system.accept(ANA)

    assert list_generations(ListGenerations(BIA, limit=20), ports=ports).items == []


def test_state_and_model_narrow_the_list(system: System, ports: FakePorts) -> None:
    queued = system.accept(ANA, model="flux-dev")
    waiting = system.accept(ANA, model="flux-schnell")

    def ids(**narrowed: object) -> list[str]:
        page = list_generations(ListGenerations(ANA, limit=20, **narrowed), ports=ports)  # type: ignore[arg-type]  # a test's shorthand
        return [v.generation.id for v in page.items]

    assert ids(state=State.QUEUED) == [queued.id]
    assert ids(model="flux-schnell") == [waiting.id]
    assert ids(model="flux-schnell", state=State.QUEUED) == []


@pytest.mark.parametrize(("model", "cursor"), [("dall-e", None), (None, "nonsense")])
def test_a_model_or_cursor_that_cannot_be_is_refused(
    model: str | None, cursor: str | None, ports: FakePorts
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        list_generations(ListGenerations(ANA, limit=20, cursor=cursor, model=model), ports=ports)

    assert [param.name for param in refused.value.invalid_params] == ["model" if model else "cursor"]
