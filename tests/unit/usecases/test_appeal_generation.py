"""A user's word against what was blocked: recorded once, as long as somebody could look again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest

from revela.domain.errors import NotFound, NotNow
from revela.domain.events import GenerationAppealed, GenerationSeen, event_of
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.usecases.appeal_generation import AppealGeneration, appeal_generation
from revela.usecases.delete_generation import delete_generation
from revela.usecases.lift_suspension import lift_suspension
from tests.fakes import FakePorts, picture_bytes
from tests.unit.usecases.system import ANA, BIA, System, ref
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile

NUDE, GOOD = picture_bytes(name="harm:nudity"), picture_bytes(name="good")
REASON = "It is a statue in Quillfeather's garden."


def made(system: System, outputs: Sequence[bytes], user_id: str = ANA) -> Generation:
    row = system.processing(user_id, num_outputs=len(outputs))
    prediction = system.prediction(row)
    urls = [f"https://replicate.delivery/{prediction.id}/{n}" for n in range(len(outputs))]
    system.ports.outputs.files.update(zip(urls, outputs, strict=True))
    return system.hear(row, system.ports.provider.succeed(prediction.id, urls))


def appeal(ports: FakePorts, row: Generation, reason: str | None = REASON) -> Generation:
    return appeal_generation(AppealGeneration(ref(row), reason), ports=ports)


def refusal(ports: FakePorts, row: Generation) -> str:
    with pytest.raises(NotNow) as refused:
        appeal(ports, row)
    assert refused.value.status == 409
    return refused.value.code


@pytest.mark.parametrize(
    ("outputs", "state"),
    [([NUDE], State.FAILED), ([GOOD, NUDE], State.SUCCEEDED)],
    ids=["all blocked", "some blocked"],
)
def test_an_appeal_is_recorded_with_its_reason_and_changes_nothing_else(
    system: System, ports: FakePorts, outputs: list[bytes], state: State
) -> None:
    row, account = made(system, outputs), system.account()
    files = dict(ports.objects.stored)
    at = ports.clock.advance(timedelta(hours=1))

    appealed = appeal(ports, row)

    assert appealed == system.row(row)
    assert appealed.appeal is not None
    assert (appealed.appeal.appealed_at, appealed.appeal.reason) == (at, REASON)
    changed = {"appeal", "version", "updated_at"}
    assert appealed.model_dump(exclude=changed) == row.model_dump(exclude=changed)
    assert (appealed.state, appealed.due_at, appealed.completed_at) == (state, None, row.completed_at)
    assert system.account() == account
    assert ports.objects.stored == files


def test_no_reason_has_to_be_given(system: System, ports: FakePorts) -> None:
    appealed = appeal(ports, made(system, [NUDE]), reason=None)

    assert appealed.appeal is not None
    assert appealed.appeal.reason is None


def test_a_second_appeal_changes_nothing(system: System, ports: FakePorts) -> None:
    first = appeal(ports, made(system, [NUDE]))
    ports.clock.advance(timedelta(minutes=1))

    assert appeal(ports, first, reason="and another thing") == first == system.row(first)
    assert ports.telemetry.counts["Appeals"] == 1


def test_a_second_appeal_is_the_same_after_the_time_to_appeal(system: System, ports: FakePorts) -> None:
    first = appeal(ports, made(system, [NUDE]))
    ports.clock.advance(2 * ports.policies.blocked_kept)

    assert appeal(ports, first) == first


def test_of_two_appeals_at_once_one_is_recorded(system: System, ports: FakePorts) -> None:
    row = made(system, [NUDE])

    with meanwhile(ports, "FakeChanges.commit", lambda: appeal(ports, row, reason="faster")):
        appealed = appeal(ports, row)

    assert appealed.appeal is not None
    assert appealed.appeal.reason == "faster"
    assert ports.telemetry.counts["Appeals"] == 1


def test_where_nothing_was_blocked_there_is_nothing_to_appeal(system: System, ports: FakePorts) -> None:
    assert refusal(ports, made(system, [GOOD])) == "nothing_to_appeal"


def test_a_prompt_that_the_judge_refused_has_no_image_to_look_at(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.harmful = {"nude": "sexual"}
    row = system.processing(prompt="renaissance painting of a nude Venus")
    assert row.state is State.FAILED

    assert refusal(ports, row) == "nothing_to_appeal"


def test_what_is_not_judged_yet_cannot_be_appealed(system: System, ports: FakePorts) -> None:
    ports.image_judge.slow = True

    assert refusal(ports, made(system, [NUDE])) == "nothing_to_appeal"


def test_an_appeal_comes_too_late_when_the_images_are_no_longer_kept(
    system: System, ports: FakePorts
) -> None:
    row = made(system, [GOOD, NUDE])
    ports.clock.advance(ports.policies.blocked_kept)

    assert refusal(ports, row) == "appeal_too_late"
    assert system.row(row).appeal is None


def test_an_appeal_in_the_last_moment_is_heard(system: System, ports: FakePorts) -> None:
    row = made(system, [NUDE])
    ports.clock.advance(ports.policies.blocked_kept - timedelta(microseconds=1))

    assert appeal(ports, row).appeal is not None


def test_an_installation_that_keeps_nothing_hears_no_appeals(system: System, ports: FakePorts) -> None:
    ports.policies = replace(ports.policies, blocked_kept=timedelta(0))

    assert refusal(ports, made(system, [NUDE])) == "appeal_too_late"


def test_another_users_generation_is_not_found(system: System, ports: FakePorts) -> None:
    row = made(system, [NUDE])

    with pytest.raises(NotFound):
        appeal(ports, row.model_copy(update={"user_id": BIA}))

    assert system.row(row).appeal is None


def test_what_is_being_deleted_is_not_found(system: System, ports: FakePorts) -> None:
    row = made(system, [NUDE])
    with dies_before(ports, "FakeObjects.delete_prefix"):
        delete_generation(ref(row), ports=ports)

    with pytest.raises(NotFound):
        appeal(ports, row)


def test_what_was_appealed_can_be_deleted(system: System, ports: FakePorts) -> None:
    row = appeal(ports, made(system, [NUDE]))

    delete_generation(ref(row), ports=ports)

    assert ref(row) not in ports.store.generations
    assert not ports.objects.stored


def test_a_late_message_leaves_the_appeal_and_its_images(system: System, ports: FakePorts) -> None:
    row = appeal(ports, made(system, [GOOD, NUDE]))
    kept = {image.key for image in row.blocked}

    system.hear(row, system.prediction(row))

    assert system.row(row) == row
    assert {key for key in ports.objects.stored if key.startswith("quarantine/")} == kept


def test_a_suspended_account_may_appeal_and_operators_may_lift_it(system: System, ports: FakePorts) -> None:
    ports.policies = replace(ports.policies, strikes_per_day=1)
    first, second = made(system, [NUDE]), made(system, [NUDE])
    assert system.account().suspension is not None

    for row in (first, second):
        assert appeal(ports, row).appeal is not None
    assert lift_suspension(ANA, ports=ports).suspension is None


def test_the_reason_is_told_to_no_log(system: System, ports: FakePorts) -> None:
    row = appeal(ports, made(system, [NUDE]))

    (line,) = (line for line in ports.telemetry.lines if line.event == "generation_appealed")
    assert line.fields == {"user_id": ANA, "generation_id": row.id}
    assert "Quillfeather" not in repr(ports.telemetry.lines)


def test_the_outside_is_told_once_and_without_the_reason(system: System, ports: FakePorts) -> None:
    before = made(system, [NUDE])
    after = appeal(ports, before)

    def seen(row: Generation) -> GenerationSeen:
        return GenerationSeen.model_validate(row.model_dump())

    event = event_of(seen(before), seen(after))
    assert isinstance(event, GenerationAppealed)
    assert (event.id, event.blocked, event.at) == (f"{after.id}@{after.version}", 1, after.updated_at)
    assert "Quillfeather" not in event.model_dump_json()
    assert event_of(seen(after), seen(after)) is None


@pytest.mark.parametrize("dies", [dies_before, dies_after])
def test_an_appeal_whose_answer_dies_is_made_again(
    system: System, ports: FakePorts, dies: Callable[..., AbstractContextManager[None]]
) -> None:
    row = made(system, [NUDE])
    with dies(ports, "FakeChanges.commit"):
        appeal(ports, row)

    appealed = appeal(ports, row)

    assert appealed.appeal is not None
    assert appealed.version == row.version + 1
