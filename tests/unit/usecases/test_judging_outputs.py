"""Images between their making and their owner: quarantined, judged, published or blocked, settled once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from revela.domain.errors import (
    Conflict,
    JudgeUnavailable,
    NotFound,
    NotNow,
    OutputUnusable,
    Transient,
    Unavailable,
)
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.judgement import Judgement, Ticket
from revela.domain.policy import DELETING_DUE, JUDGE_MAX, SAVING_LEASE
from revela.domain.prediction import Prediction
from revela.ports import Provenance, Thumbnail
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.delete_generation import delete_generation
from revela.usecases.show_generation import show_generation
from tests.fakes import FakePorts, picture_bytes
from tests.fakes.judges import COST, FakeImageJudge
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.system import ANA, FINISH_TIMEOUT, System, ref
from tests.unit.usecases.trouble import Crash, answer_is_lost, dies_after, dies_before, meanwhile

NUDE = picture_bytes(name="harm:nudity")
GORE = picture_bytes(name="harm:violence")
SELF_HARM = picture_bytes(name="harm:self_harm")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def room_for_many(system: System) -> None:
    system.subscribe(ANA, plan="studio")


def good(number: int) -> bytes:
    return picture_bytes(name=f"good-{number}")


def delivered(system: System, row: Generation, outputs: Sequence[bytes]) -> Prediction:
    """End the row's prediction with these files behind its URLs."""
    prediction = system.prediction(row)
    urls = [f"https://replicate.delivery/{prediction.id}/{n}" for n in range(len(outputs))]
    system.ports.outputs.files.update(zip(urls, outputs, strict=True))
    return system.ports.provider.succeed(prediction.id, urls)


def judged(system: System, outputs: Sequence[bytes]) -> Generation:
    """A generation of these images, all of which its judge has been asked about."""
    row = system.processing(num_outputs=len(outputs))
    return system.hear(row, delivered(system, row, outputs))


def in_judging(system: System, outputs: Sequence[bytes]) -> Generation:
    """A generation of these images whose judge takes its time."""
    system.ports.image_judge.slow = True
    row = judged(system, outputs)
    assert row.state is State.JUDGING
    return row


def looked_after(system: System, row: Generation) -> Generation:
    """Let the time pass until the job is due, and its worker do what reconcile asks for."""
    system.until_due(row)
    system.deliver_finishes()
    return system.row(row)


def quarantine(ports: FakePorts) -> set[str]:
    return {key for key in ports.objects.stored if key.startswith("quarantine/")}


def published(ports: FakePorts) -> set[str]:
    return {key for key in ports.objects.stored if key.startswith("users/")}


def shown_by(row: Generation) -> set[str]:
    return {key for output in row.outputs for key in (output.key, output.thumbnail_key)}


def failure_of(row: Generation) -> str | None:
    return row.failure.code if row.failure else None


def incomplete(ports: FakePorts) -> list[Mapping[str, object]]:
    """Return what operators are told of images that are lost from quarantine."""
    return [line.fields for line in ports.telemetry.lines if line.event == "quarantine_incomplete"]


def is_away() -> NoReturn:
    raise Transient("away for a moment")


# Judged at once


def test_a_blocked_image_is_released_and_its_neighbours_are_charged(system: System, ports: FakePorts) -> None:
    row = judged(system, [good(0), NUDE, good(2), good(3)])

    assert row.state is State.SUCCEEDED
    assert (row.credits_held, row.credits_charged, row.credits_refunded) == (4, 3, 1)
    assert [output.index for output in row.outputs] == [0, 2, 3]
    assert (system.account().spent, system.account().held) == (3, 0)
    assert system.account().images_today == 3


def test_a_blocked_image_is_told_of_and_kept_for_its_appeal_alone(system: System, ports: FakePorts) -> None:
    row = judged(system, [good(0), NUDE, good(2), good(3)])

    (blocked,) = row.blocked
    assert (blocked.index, blocked.category) == (1, "nudity")
    assert blocked.appealable_until == ports.clock.now() + ports.policies.blocked_kept
    assert quarantine(ports) == {blocked.key}
    assert blocked.key is not None
    assert b"harm:nudity" in ports.objects.stored[blocked.key].data
    assert published(ports) == shown_by(row)


def test_a_generation_with_blocked_images_is_one_strike_however_many_they_are(system: System) -> None:
    judged(system, [good(0), NUDE, GORE, NUDE])

    assert (system.account().strikes_today, system.account().blocks_today) == (1, 3)


def test_who_may_need_help_is_not_punished(system: System) -> None:
    row = judged(system, [good(0), SELF_HARM])
    assert [image.category for image in row.blocked] == ["self_harm"]
    assert (system.account().strikes_today, system.account().blocks_today) == (0, 1)

    judged(system, [SELF_HARM])
    assert (system.account().strikes_today, system.account().blocks_today) == (0, 2)


def test_what_else_is_blocked_beside_it_is_a_strike(system: System) -> None:
    judged(system, [SELF_HARM, GORE])

    assert (system.account().strikes_today, system.account().blocks_today) == (1, 2)


def test_what_is_allowed_is_no_strike(system: System) -> None:
    judged(system, [good(0), good(1)])

    assert (system.account().strikes_today, system.account().blocks_today) == (0, 0)


def test_a_blocked_image_is_never_given_a_url(system: System, ports: FakePorts) -> None:
    row = judged(system, [NUDE, good(1)])

    view = show_generation(ref(row), ports=ports)

    assert set(view.urls) == shown_by(row)
    assert not [url for url in view.urls.values() if "quarantine" in url]


def test_when_all_images_are_blocked_the_job_fails_and_is_released(system: System, ports: FakePorts) -> None:
    row = judged(system, [NUDE, GORE])

    assert (row.state, failure_of(row)) == (State.FAILED, "moderated")
    assert row.failure is not None
    assert row.failure.detail == "nudity,violence"
    assert (row.credits_charged, row.credits_refunded) == (0, 2)
    assert [image.category for image in row.blocked] == ["nudity", "violence"]
    assert quarantine(ports) == {image.key for image in row.blocked}
    assert not published(ports)
    assert system.account().strikes_today == 1
    assert show_generation(ref(row), ports=ports).urls == {}


def test_where_nothing_is_kept_a_blocked_image_is_deleted_at_once(system: System, ports: FakePorts) -> None:
    ports.policies = replace(ports.policies, blocked_kept=timedelta(0))

    row = judged(system, [good(0), NUDE])

    assert [(image.key, image.appealable_until) for image in row.blocked] == [(None, None)]
    assert not quarantine(ports)


def test_nothing_is_shown_before_the_judge_was_asked(system: System, ports: FakePorts) -> None:
    judged(system, [good(0), good(1)])

    calls = ports.calls.names
    assert calls.index("FakeImageJudge.ask") < calls.index("FakeObjects.copy")
    assert calls.index("FakeImageJudge.ask") < calls.index("FakeObjects.put_bytes")


def test_the_judge_sees_every_image_once_and_the_house_pays_for_each(
    system: System, ports: FakePorts
) -> None:
    judged(system, [good(0), NUDE, good(2)])

    assert len(ports.image_judge.asked) == 3
    assert ports.telemetry.values["JudgingCostMicroUsd"] == [3 * COST]


def test_what_was_blocked_is_told_without_anything_of_the_user(system: System, ports: FakePorts) -> None:
    row = judged(system, [good(0), NUDE, GORE])

    (line,) = (line for line in ports.telemetry.lines if line.event == "images_blocked")
    assert line.fields == {"generation_id": row.id, "categories": "nudity,violence"}
    assert ports.telemetry.values["ImagesBlocked"] == [2]


def test_an_image_that_is_no_image_is_not_shown_to_the_judge(system: System, ports: FakePorts) -> None:
    row = judged(system, [good(0), b"junk", NUDE])

    assert len(ports.image_judge.asked) == 2
    assert (row.credits_charged, row.credits_refunded) == (1, 2)
    assert [image.index for image in row.blocked] == [2]


def test_a_message_that_comes_again_leaves_what_can_be_appealed(system: System, ports: FakePorts) -> None:
    row = judged(system, [good(0), NUDE])
    kept, account = quarantine(ports), system.account()

    system.hear(row, system.prediction(row))

    assert quarantine(ports) == kept
    assert system.account() == account


# How many blocked images are free in a day


def test_beyond_the_days_free_blocks_each_blocked_image_is_charged(system: System, ports: FakePorts) -> None:
    free = ports.catalog.plan("free").free_blocks_per_day
    assert free == 3
    bia = [system.processing("bia", num_outputs=2) for _ in range(1)]
    first = system.hear(bia[0], delivered(system, bia[0], [NUDE, NUDE]))
    second = system.processing("bia", num_outputs=2)
    second = system.hear(second, delivered(system, second, [NUDE, GORE]))

    assert (first.state, first.credits_charged, first.credits_refunded) == (State.FAILED, 0, 2)
    assert (second.state, second.credits_charged, second.credits_refunded) == (State.FAILED, 1, 1)
    assert (system.account("bia").spent, system.account("bia").blocks_today) == (1, 4)


def test_beyond_the_cap_delivered_and_blocked_images_are_charged_together(
    system: System, ports: FakePorts
) -> None:
    for _ in range(5):  # as many blocked images as the plan has free
        judged(system, [NUDE] * 4)

    row = judged(system, [good(0), NUDE, good(2), NUDE])

    assert (row.state, row.credits_charged, row.credits_refunded) == (State.SUCCEEDED, 4, 0)
    assert system.account().spent == 4


def test_another_day_has_free_blocks_of_its_own(system: System, ports: FakePorts) -> None:
    for _ in range(5):
        judged(system, [NUDE] * 4)
    row = system.processing(num_outputs=2)
    # Accepted today, judged tomorrow: the day on which it is blocked counts.
    ports.clock.advance(timedelta(hours=13))

    row = system.hear(row, delivered(system, row, [NUDE, NUDE]))

    assert (row.credits_charged, row.credits_refunded) == (0, 2)
    assert (system.account().blocks_today, system.account().strikes_today) == (2, 1)


# A judge that takes its time


def test_while_the_judge_thinks_everything_is_in_quarantine_and_nothing_is_shown(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0), NUDE])

    assert [image.index for image in row.quarantined] == [0, 1]
    assert all(isinstance(image.found, Ticket) for image in row.quarantined)
    assert quarantine(ports) == {image.key for image in row.quarantined}
    assert not published(ports)
    assert show_generation(ref(row), ports=ports).urls == {}
    assert (row.credits_charged, system.account().held, system.account().running) == (0, 2, 1)


def test_what_the_judge_says_later_settles_as_if_it_had_been_said_at_once(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0), NUDE, good(2), good(3)])
    ports.image_judge.decide()

    row = looked_after(system, row)

    assert row.state is State.SUCCEEDED
    assert (row.credits_charged, row.credits_refunded) == (3, 1)
    assert (system.account().strikes_today, system.account().blocks_today) == (1, 1)
    assert [(image.index, image.category) for image in row.blocked] == [(1, "nudity")]
    assert quarantine(ports) == {image.key for image in row.blocked}
    assert published(ports) == shown_by(row)
    assert len(ports.image_judge.asked) == 4


def test_a_judge_that_blocks_everything_later_fails_the_job(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [NUDE, GORE])
    ports.image_judge.decide()

    row = looked_after(system, row)

    assert (row.state, failure_of(row), row.credits_refunded) == (State.FAILED, "moderated", 2)
    assert not published(ports)
    assert system.account().strikes_today == 1


def test_images_judged_later_are_the_same_as_images_judged_at_once(system: System, ports: FakePorts) -> None:
    at_once = judged(system, [good(0)])
    later = in_judging(system, [good(0)])
    ports.image_judge.decide()
    later = looked_after(system, later)

    def told(row: Generation) -> list[dict[str, object]]:
        own = {"key", "thumbnail_key", "sha256", "size_bytes"}
        return [output.model_dump(exclude=own) for output in row.outputs]

    assert told(later) == told(at_once)
    thumbnails = [ports.objects.stored[row.outputs[0].thumbnail_key] for row in (at_once, later)]
    assert thumbnails[0].content_type == thumbnails[1].content_type == "image/webp"


def test_a_judge_that_is_still_thinking_is_asked_for_its_answer_and_not_anew(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0), good(1)])

    for _ in range(3):
        row = looked_after(system, row)
        assert row.state is State.JUDGING

    assert len(ports.image_judge.asked) == 2
    assert ports.image_judge.tickets.keys() == {
        image.found.id for image in row.quarantined if isinstance(image.found, Ticket)
    }


def test_looks_at_a_slow_judge_grow_rarer_but_never_rare(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0)])

    for _ in range(20):
        assert row.due_at is not None
        assert row.due_at - ports.clock.now() <= JUDGE_MAX
        row = looked_after(system, row)


def test_a_judge_that_forgot_its_tickets_is_asked_anew(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0), NUDE])
    ports.image_judge.forget()
    row = looked_after(system, row)
    assert row.state is State.JUDGING
    assert len(ports.image_judge.asked) == 4

    ports.image_judge.decide()
    row = looked_after(system, row)

    assert (row.state, row.credits_charged) == (State.SUCCEEDED, 1)


def test_a_forgetful_judge_that_then_answers_at_once_ends_the_job_in_one_visit(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0), NUDE])
    ports.image_judge.forget()
    ports.image_judge.slow = False

    row = looked_after(system, row)

    assert (row.state, row.credits_charged, len(row.blocked)) == (State.SUCCEEDED, 1, 1)


def test_what_is_judged_and_published_in_one_visit_is_fetched_once(system: System, ports: FakePorts) -> None:
    ports.image_judge.be_away()
    row = judged(system, [good(0), good(1)])
    ports.image_judge.failure = None

    row = looked_after(system, row)

    assert (row.state, row.credits_charged) == (State.SUCCEEDED, 2)
    assert ports.calls.names.count("FakeObjects.fetch") == 2


def test_half_the_answers_are_kept_until_the_others_come(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0), NUDE, good(2), good(3)])
    tickets = list(ports.image_judge.tickets)
    ports.image_judge.decide()
    late = {id_: ports.image_judge.decided.pop(id_) for id_ in tickets[2:]}

    row = looked_after(system, row)
    assert row.state is State.JUDGING
    assert [type(image.found) for image in row.quarantined] == [Judgement, Judgement, Ticket, Ticket]
    assert not published(ports)
    assert system.account().strikes_today == 0

    # The judge forgets what it has said: it is not asked again.
    for id_ in tickets[:2]:
        del ports.image_judge.tickets[id_]
    ports.image_judge.decided = late
    row = looked_after(system, row)

    assert (row.state, row.credits_charged, row.credits_refunded) == (State.SUCCEEDED, 3, 1)
    assert len(ports.image_judge.asked) == 4


def test_what_the_house_pays_is_counted_when_it_is_said(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0), NUDE])
    assert "JudgingCostMicroUsd" not in ports.telemetry.values
    ports.image_judge.decide()

    looked_after(system, row)

    assert sum(ports.telemetry.values["JudgingCostMicroUsd"]) == 2 * COST


class OneAtATime(FakeImageJudge):
    """Has a turn for the first image alone: the others it was not asked about."""

    def ask(self, things: Sequence[bytes]) -> list[Judgement | Ticket | None]:
        said: list[Judgement | Ticket | None] = [*super().ask(things[:1])]
        return [*said, *[None for _ in things[1:]]]


def test_images_that_the_judge_had_no_turn_for_are_asked_about_again(
    system: System, ports: FakePorts
) -> None:
    ports.image_judge = OneAtATime(ports.calls)
    row = judged(system, [good(0), NUDE, good(2)])
    assert row.state is State.JUDGING
    assert not published(ports)

    for _ in range(2):
        row = looked_after(system, row)

    assert (row.state, row.credits_charged, len(row.blocked)) == (State.SUCCEEDED, 2, 1)
    assert len(ports.image_judge.asked) == 3
    assert sum(ports.telemetry.values["JudgingCostMicroUsd"]) == 3 * COST


# A judge that is away


@pytest.mark.parametrize("failure", [JudgeUnavailable("503"), Transient("the network is away")])
def test_a_judge_that_is_away_when_images_are_saved_is_awaited(
    system: System, ports: FakePorts, failure: Exception
) -> None:
    ports.image_judge.failure = failure
    row = judged(system, [good(0), NUDE])
    assert row.state is State.JUDGING
    assert [image.found for image in row.quarantined] == [None, None]
    assert not published(ports)

    ports.image_judge.failure = None
    row = looked_after(system, row)

    assert (row.state, row.credits_charged) == (State.SUCCEEDED, 1)


@pytest.mark.parametrize("failure", [JudgeUnavailable("503"), Transient("the network is away")])
def test_a_judge_that_goes_away_with_its_answers_is_awaited(
    system: System, ports: FakePorts, failure: Exception
) -> None:
    row = in_judging(system, [good(0), NUDE])
    ports.image_judge.failure = failure
    ports.image_judge.decide()
    for _ in range(3):
        row = looked_after(system, row)
        assert row.state is State.JUDGING
        assert not published(ports)

    ports.image_judge.failure = None
    row = looked_after(system, row)

    assert (row.state, row.credits_charged, len(ports.image_judge.asked)) == (State.SUCCEEDED, 1, 2)


def test_a_judge_outlives_the_providers_files(system: System, ports: FakePorts) -> None:
    ports.image_judge.be_away()
    row = judged(system, [good(0), NUDE])
    ports.provider.forget_output(system.prediction(row).id)
    ports.clock.advance(2 * HOUR)
    ports.image_judge.failure = None

    row = looked_after(system, row)

    assert (row.state, row.credits_charged) == (State.SUCCEEDED, 1)


def test_after_its_patience_a_job_fails_unjudged_and_is_released(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0), NUDE])
    ports.image_judge.be_away()
    ports.clock.advance(ports.policies.judge_patience)
    row = looked_after(system, row)
    assert row.state is State.JUDGING  # to the last moment

    row = looked_after(system, row)

    assert (row.state, failure_of(row)) == (State.FAILED, "judge_unavailable")
    assert (row.credits_charged, row.credits_refunded) == (0, 2)
    assert not ports.objects.stored
    assert (system.account().strikes_today, system.account().blocks_today) == (0, 0)


def test_a_judge_that_answers_at_the_very_last_look_is_heard(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0)])
    ports.clock.advance(2 * ports.policies.judge_patience)
    ports.image_judge.decide()

    assert looked_after(system, row).state is State.SUCCEEDED


def test_a_judge_that_never_says_anything_is_no_better_than_one_that_is_away(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0)])
    ports.clock.advance(ports.policies.judge_patience + timedelta(seconds=1))

    row = looked_after(system, row)

    assert (row.state, failure_of(row)) == (State.FAILED, "judge_unavailable")
    assert not ports.objects.stored


def test_an_installation_without_patience_fails_at_the_first_look(system: System, ports: FakePorts) -> None:
    ports.policies = replace(ports.policies, judge_patience=timedelta(0))
    row = in_judging(system, [good(0)])

    row = looked_after(system, row)

    assert failure_of(row) == "judge_unavailable"
    assert not published(ports)


def test_a_bucket_that_is_away_when_all_is_judged_does_not_lose_the_images(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0)])
    ports.clock.advance(ports.policies.judge_patience + timedelta(seconds=1))
    ports.image_judge.decide()
    with meanwhile(ports, "FakeObjects.copy", is_away):
        row = looked_after(system, row)

    assert row.state is State.JUDGING
    assert looked_after(system, row).state is State.SUCCEEDED


# Time left


def test_with_too_little_time_left_nobody_begins_to_publish(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0)])
    ports.image_judge.decide()
    row = system.hear(row, system.prediction(row), time_left=timedelta(seconds=29))
    assert row.state is State.JUDGING
    assert not published(ports)

    row = looked_after(system, row)

    assert row.state is State.SUCCEEDED
    assert sum(ports.telemetry.values["JudgingCostMicroUsd"]) == COST


def test_with_too_little_time_left_no_judge_is_asked(system: System, ports: FakePorts) -> None:
    ports.image_judge.be_away()
    row = judged(system, [good(0), NUDE])
    ports.image_judge.failure = None
    row = system.hear(row, system.prediction(row), time_left=timedelta(seconds=29))
    assert row.state is State.JUDGING
    assert not ports.image_judge.asked

    row = looked_after(system, row)

    assert (row.state, len(ports.image_judge.asked)) == (State.SUCCEEDED, 2)


# What is lost from quarantine


def test_an_image_that_is_gone_before_it_was_judged_is_not_charged(system: System, ports: FakePorts) -> None:
    ports.image_judge.be_away()
    row = judged(system, [good(0), good(1), NUDE])
    ports.objects.delete([row.quarantined[1].key])
    ports.image_judge.failure = None

    row = looked_after(system, row)

    assert row.state is State.SUCCEEDED
    assert [output.index for output in row.outputs] == [0]
    assert [image.index for image in row.blocked] == [2]
    assert (row.credits_charged, row.credits_refunded) == (1, 2)
    assert incomplete(ports) == [{"generation_id": row.id, "index": 1, "reason": "gone"}]


def test_when_all_images_are_gone_before_they_were_judged_they_are_made_again(
    system: System, ports: FakePorts
) -> None:
    ports.image_judge.be_away()
    row = judged(system, [good(0), good(1)])
    ports.objects.delete_prefix(row.quarantine_prefix)
    ports.image_judge.failure = None
    row = looked_after(system, row)
    assert (row.state, row.failures, row.quarantined) == (State.QUEUED, 1, ())

    ports.clock.advance(timedelta(minutes=10))
    row = system.started(row)
    row = system.hear(row, delivered(system, row, [good(0), NUDE]))

    assert (row.state, row.attempt, row.credits_charged) == (State.SUCCEEDED, 2, 1)
    assert published(ports) == shown_by(row)


def test_when_they_are_gone_again_the_job_fails_and_is_released(system: System, ports: FakePorts) -> None:
    ports.image_judge.be_away()
    row = judged(system, [good(0)])
    for _ in range(2):
        ports.objects.delete_prefix(row.quarantine_prefix)
        row = looked_after(system, row)
        if row.state is State.QUEUED:
            ports.clock.advance(timedelta(minutes=10))
            row = system.started(row)
            row = system.hear(row, delivered(system, row, [good(0)]))

    assert (row.state, failure_of(row), row.credits_refunded) == (State.FAILED, "outputs_missing", 1)


def to_be_given_up(system: System, row: Generation) -> Generation:
    """Let a worker die with its copies made: the next one finds quarantine empty, and gives up."""
    ports = system.ports
    ports.image_judge.decide()
    with dies_after(ports, "FakeObjects.put_bytes"):
        looked_after(system, row)
    ports.objects.delete_prefix(row.quarantine_prefix)
    assert published(ports)
    ports.clock.advance(SAVING_LEASE)
    return row


def given_up_untidied(system: System, row: Generation) -> tuple[Generation, Prediction]:
    """Let the next one die as well, before it deletes; return the row, and the prediction that it gave up."""
    row = to_be_given_up(system, row)
    done = system.prediction(row)
    with dies_before(system.ports, "FakeObjects.delete"):
        system.hear(row, done)
    return system.row(row), done


def test_what_is_given_up_leaves_nothing_of_what_was_published_before(
    system: System, ports: FakePorts
) -> None:
    row = to_be_given_up(system, in_judging(system, [good(0), good(1)]))
    row = system.hear(row, system.prediction(row))

    assert (row.state, row.failures) == (State.QUEUED, 1)
    assert not ports.objects.stored


def test_who_dies_while_giving_up_leaves_nothing_when_its_message_comes_again(
    system: System, ports: FakePorts
) -> None:
    row, done = given_up_untidied(system, in_judging(system, [good(0), good(1)]))
    assert (row.state, row.attempt) == (State.QUEUED, 1)

    row = system.hear(row, done)

    assert row.state is State.QUEUED
    assert not ports.objects.stored


def test_the_next_attempts_images_outlive_what_comes_again_of_the_last(
    system: System, ports: FakePorts
) -> None:
    row, done = given_up_untidied(system, in_judging(system, [good(0), good(1)]))
    left = published(ports)
    ports.clock.advance(timedelta(minutes=10))
    row = system.started(row)
    row = system.hear(row, delivered(system, row, [good(0), NUDE]))
    assert (row.state, row.attempt) == (State.JUDGING, 2)
    kept = quarantine(ports)

    system.tell(ref(row), done, attempt=1)
    assert (quarantine(ports), published(ports)) == (kept, set())
    ports.image_judge.decide()
    row = looked_after(system, row)
    kept = {*quarantine(ports), *published(ports)}
    system.tell(ref(row), done, attempt=1)

    assert (row.state, row.credits_charged) == (State.SUCCEEDED, 1)
    assert published(ports) == shown_by(row)
    assert ports.objects.stored.keys() == kept
    assert not published(ports) & left


def test_what_is_given_up_of_a_canceled_job_goes_when_the_message_comes_again(
    system: System, ports: FakePorts
) -> None:
    ports.provider.obeys_cancel = False
    row = system.processing(num_outputs=1)
    cancel_generation(ref(row), ports=ports)
    ports.image_judge.slow = True
    row = system.hear(row, delivered(system, row, [good(0)]))
    row, _ = given_up_untidied(system, row)
    assert (row.state, row.credits_charged) == (State.CANCELED, 0)

    system.hear(row, system.prediction(row))

    assert not ports.objects.stored


def test_who_does_not_hear_that_giving_up_was_written_has_its_message_come_again(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0)])
    ports.image_judge.decide()

    def broken(path: Path, provenance: Provenance) -> Thumbnail:
        raise OutputUnusable("broken_image")

    ports.pictures.thumbnail = broken  # type: ignore[method-assign]  # a newer decoder is stricter
    with answer_is_lost(ports, "FakeChanges.commit", nth=2), pytest.raises(Transient):
        system.hear(row, system.prediction(row))
    assert system.row(row).state is State.QUEUED
    assert quarantine(ports)

    system.hear(row, system.prediction(row))

    assert not ports.objects.stored


def test_an_image_that_is_gone_after_it_was_judged_does_not_cost_its_neighbours(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0), good(1)])
    ports.image_judge.decide()
    ports.objects.delete([row.quarantined[0].key])

    row = looked_after(system, row)

    assert row.state is State.SUCCEEDED
    assert [output.index for output in row.outputs] == [1]
    assert (row.credits_charged, row.credits_refunded) == (1, 1)
    assert incomplete(ports) == [{"generation_id": row.id, "index": 0, "reason": "gone"}]


# Leases, and messages that come twice


def test_while_one_judges_another_delivery_is_acknowledged(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0), NUDE])
    ports.image_judge.decide()
    seen: list[Generation] = []
    system.until_due(row)

    with meanwhile(
        ports, "FakeImageJudge.answer", lambda: seen.append(system.hear(row, system.prediction(row)))
    ):
        system.deliver_finishes()

    (other,) = seen
    assert other.state is State.JUDGING
    assert other.lease_until == other.due_at == ports.clock.now() + SAVING_LEASE
    assert system.row(row).state is State.SUCCEEDED
    assert ports.calls.names.count("FakeObjects.copy") == 1
    assert system.account().strikes_today == 1


def test_of_two_who_take_a_job_at_once_one_judges(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0), NUDE])
    ports.image_judge.decide()

    with meanwhile(ports, "FakeChanges.commit", lambda: system.hear(row, system.prediction(row))):
        system.hear(row, system.prediction(row))

    assert system.row(row).state is State.SUCCEEDED
    assert ports.calls.names.count("FakeObjects.copy") == 1


def test_the_lease_of_a_dead_judge_is_taken_when_it_is_over_and_not_before(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0), NUDE])
    ports.image_judge.decide()
    with dies_before(ports, "FakeImageJudge.answer"):
        system.hear(row, system.prediction(row))
    leased = system.row(row)

    ports.clock.advance(SAVING_LEASE - timedelta(seconds=1))
    assert system.hear(row, system.prediction(row)) == leased
    assert system.reconcile() == 0

    system.reconcile(after=timedelta(seconds=1))
    system.deliver_finishes()
    assert system.row(row).state is State.SUCCEEDED


@pytest.mark.parametrize("stuck_at", ["FakeImageJudge.answer", "FakeObjects.copy", "FakeChanges.commit"])
def test_who_has_lost_the_lease_settles_nothing(stuck_at: str, system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0), NUDE])
    ports.image_judge.decide()
    took_over: list[Generation] = []

    def is_stuck_for_too_long() -> None:
        ports.clock.advance(SAVING_LEASE)
        with dies_before(ports, "FakeObjects.copy"):
            system.hear(row, system.prediction(row))
        took_over.append(system.row(row))

    # The first commit takes the lease, the second settles.
    with meanwhile(ports, stuck_at, is_stuck_for_too_long, nth=2 if stuck_at == "FakeChanges.commit" else 1):
        row = system.hear(row, system.prediction(row))

    assert [row] == took_over
    assert row.state is State.JUDGING
    assert (system.account().spent, system.account().strikes_today) == (0, 0)
    assert len(quarantine(ports)) == 2


def test_who_has_lost_the_lease_gives_nothing_up_and_deletes_nothing(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0), good(1)])
    ports.image_judge.decide()
    settled: list[Generation] = []

    def sleeps_until_another_has_settled() -> None:
        ports.clock.advance(SAVING_LEASE)
        settled.append(system.hear(row, system.prediction(row)))

    # Then it finds nothing in quarantine any more.
    with meanwhile(ports, "FakeObjects.fetch", sleeps_until_another_has_settled):
        row = system.hear(row, system.prediction(row))

    assert [row] == settled
    assert (row.state, row.credits_charged) == (State.SUCCEEDED, 2)
    assert ports.objects.stored.keys() == shown_by(row)


def test_who_has_slept_for_longer_than_its_lease_publishes_nothing(system: System, ports: FakePorts) -> None:
    """Its images may have been blocked or given up meanwhile, and what that left tidied up."""
    row = in_judging(system, [good(0), good(1)])
    ports.image_judge.decide()

    def sleeps() -> None:
        ports.clock.advance(SAVING_LEASE)

    with meanwhile(ports, "FakePictures.thumbnail", sleeps, nth=2):
        row = system.hear(row, system.prediction(row), time_left=FINISH_TIMEOUT + SAVING_LEASE)
    assert row.state is State.JUDGING
    assert not published(ports)

    row = looked_after(system, row)

    assert (row.state, row.credits_charged) == (State.SUCCEEDED, 2)


def test_who_has_lost_the_lease_publishes_nothing(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0)])
    ports.image_judge.decide()

    def is_stuck_for_too_long() -> None:
        ports.clock.advance(SAVING_LEASE)
        with dies_before(ports, "FakeObjects.copy"):
            system.hear(row, system.prediction(row))

    with meanwhile(ports, "FakePictures.thumbnail", is_stuck_for_too_long):
        row = system.hear(row, system.prediction(row), time_left=FINISH_TIMEOUT + SAVING_LEASE)

    assert row.state is State.JUDGING
    assert not published(ports)


def test_who_has_lost_the_lease_ends_no_job_out_of_impatience(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0)])
    ports.clock.advance(2 * ports.policies.judge_patience)
    ports.image_judge.be_away()
    took_over: list[Generation] = []

    def is_stuck_for_too_long() -> None:
        ports.clock.advance(SAVING_LEASE)
        with dies_before(ports, "FakeImageJudge.answer"):
            system.hear(row, system.prediction(row))
        took_over.append(system.row(row))

    with meanwhile(ports, "FakeImageJudge.answer", is_stuck_for_too_long):
        row = system.hear(row, system.prediction(row))

    assert [row] == took_over
    assert row.state is State.JUDGING
    assert quarantine(ports)


def test_a_settlement_that_meets_another_writer_is_decided_again(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0), NUDE])
    ports.image_judge.decide()

    with meanwhile(ports, "FakeChanges.commit", lambda: system.accept(ANA), nth=2):
        row = system.hear(row, system.prediction(row))

    assert row.state is State.SUCCEEDED
    assert (system.account().spent, system.account().held, system.account().strikes_today) == (1, 1, 1)


def test_a_settlement_that_others_keep_from_being_written_is_made_later(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0), NUDE])
    ports.image_judge.decide()
    writes = 0

    def contended(name: str) -> None:
        nonlocal writes
        writes += name == "FakeChanges.commit"
        if name == "FakeChanges.commit" and writes > 1:
            raise Conflict({"account"})

    ports.calls.before = contended
    with pytest.raises(Transient):
        system.hear(row, system.prediction(row))
    ports.calls.before = lambda _: None

    system.reconcile(after=SAVING_LEASE)
    system.deliver_finishes()
    row = system.row(row)
    assert (row.state, row.credits_charged, system.account().strikes_today) == (State.SUCCEEDED, 1, 1)


# Cancel and delete


def test_what_is_being_judged_can_no_longer_be_canceled(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0)])

    with pytest.raises(NotNow) as refused:
        cancel_generation(ref(row), ports=ports)

    assert (refused.value.status, refused.value.code) == (409, "generation_saving")
    assert system.row(row) == row


def test_what_is_being_judged_cannot_be_deleted_yet(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0)])

    with pytest.raises(NotNow) as refused:
        delete_generation(ref(row), ports=ports)

    assert refused.value.code == "generation_running"
    assert quarantine(ports)


@pytest.mark.parametrize("outputs", [[good(0), NUDE], [NUDE, GORE]], ids=["some blocked", "all blocked"])
def test_a_deleted_generation_leaves_no_blocked_image(
    system: System, ports: FakePorts, outputs: list[bytes]
) -> None:
    row = judged(system, outputs)
    assert quarantine(ports)

    delete_generation(ref(row), ports=ports)

    assert not ports.objects.stored
    with pytest.raises(NotFound):
        show_generation(ref(row), ports=ports)


def test_a_deletion_that_dies_leaves_no_blocked_image_when_it_is_resumed(
    system: System, ports: FakePorts
) -> None:
    row = judged(system, [good(0), NUDE])
    with dies_before(ports, "FakeObjects.delete_prefix", nth=2):
        delete_generation(ref(row), ports=ports)

    system.reconcile(after=DELETING_DUE)

    assert not ports.objects.stored


# Without webhooks, and with messages that are lost


def test_reconcile_alone_carries_a_job_through_its_judging(system: System, ports: FakePorts) -> None:
    ports.image_judge.slow = True
    row = system.accept(num_outputs=2)
    ports.commands.take_started()  # lost
    system.until_due(row)
    system.deliver_starts()
    delivered(system, row, [good(0), NUDE])

    system.until_due(row)
    system.deliver_finishes()
    assert system.row(row).state is State.JUDGING
    ports.image_judge.decide()
    row = looked_after(system, row)

    assert (row.state, row.credits_charged, len(row.blocked)) == (State.SUCCEEDED, 1, 1)


def test_a_judging_job_whose_messages_are_lost_is_looked_after_within_minutes(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0)])
    for _ in range(8):
        system.until_due(row)
        assert ports.commands.take_finished()  # lost
        due_at = system.row(row).due_at
        assert due_at is not None
        assert due_at - ports.clock.now() <= JUDGE_MAX

    ports.image_judge.decide()
    assert looked_after(system, row).state is State.SUCCEEDED


def test_a_queue_that_is_away_makes_a_judging_job_due_again(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0)])
    ports.image_judge.decide()
    ports.commands.failure = Transient("the queue is away")
    system.until_due(row)
    ports.commands.failure = None

    assert looked_after(system, row).state is State.SUCCEEDED


def test_one_run_asks_for_every_judging_job(system: System, ports: FakePorts) -> None:
    rows = [in_judging(system, [good(n)]) for n in range(5)]
    ports.image_judge.decide()

    system.reconcile(after=timedelta(minutes=1))
    system.deliver_finishes()

    assert {system.row(row).state for row in rows} == {State.SUCCEEDED}


def test_looking_after_a_judge_says_nothing_of_its_model(system: System, ports: FakePorts) -> None:
    """The model made these images long ago: that it did is no news when it has failed since."""
    ports.image_judge.slow = True
    row = system.processing(model="flux-dev")
    row = system.hear(row, ports.provider.succeed(system.prediction(row).id))
    for _ in range(3):
        other = system.processing(model="flux-dev")
        system.hear(other, ports.provider.fail(system.prediction(other).id, "E8765: the model is away"))
    with pytest.raises(Unavailable):
        system.accept(model="flux-dev")

    system.hear(row, system.prediction(row))

    with pytest.raises(Unavailable):
        system.accept(model="flux-dev")


def test_a_judge_has_the_same_patience_with_images_that_were_made_again(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0)])
    ports.clock.advance(ports.policies.judge_patience - HOUR)
    ports.image_judge.forget()
    ports.objects.delete_prefix(row.quarantine_prefix)
    row = looked_after(system, row)
    assert row.state is State.QUEUED
    ports.clock.advance(timedelta(minutes=10))
    row = system.started(row)
    row = system.hear(row, delivered(system, row, [good(0)]))

    ports.clock.advance(2 * HOUR)
    assert looked_after(system, row).state is State.JUDGING

    ports.image_judge.decide()
    assert looked_after(system, row).state is State.SUCCEEDED


def test_an_image_that_cannot_be_decoded_any_more_costs_nothing_and_its_neighbour_is_shown(
    system: System, ports: FakePorts
) -> None:
    ports.image_judge.be_away()
    row = judged(system, [good(0), good(1)])
    ports.image_judge.failure = None
    rendering = ports.pictures.rendering

    def broken(path: Path) -> bytes:
        if b"good-1" in path.read_bytes():
            raise OutputUnusable("broken_image")
        return rendering(path)

    ports.pictures.rendering = broken  # type: ignore[method-assign]  # a newer decoder is stricter
    row = looked_after(system, row)

    assert (row.state, row.credits_charged, row.credits_refunded) == (State.SUCCEEDED, 1, 1)
    assert [output.index for output in row.outputs] == [0]
    assert incomplete(ports) == [{"generation_id": row.id, "index": 1, "reason": "broken_image"}]


def test_an_image_that_makes_no_thumbnail_any_more_costs_nothing(system: System, ports: FakePorts) -> None:
    row = in_judging(system, [good(0), good(1)])
    ports.image_judge.decide()
    thumbnail = ports.pictures.thumbnail

    def broken(path: Path, provenance: Provenance) -> Thumbnail:
        if b"good-1" in path.read_bytes():
            raise OutputUnusable("broken_image")
        return thumbnail(path, provenance)

    ports.pictures.thumbnail = broken  # type: ignore[method-assign]  # a newer decoder is stricter
    row = looked_after(system, row)

    assert (row.state, row.credits_charged, row.credits_refunded) == (State.SUCCEEDED, 1, 1)
    assert published(ports) == shown_by(row)


def test_a_canceled_job_whose_images_came_all_the_same_is_judged_like_all_others(
    system: System, ports: FakePorts
) -> None:
    ports.provider.obeys_cancel = False
    row = system.processing(num_outputs=2)
    cancel_generation(ref(row), ports=ports)

    row = system.hear(row, delivered(system, row, [good(0), NUDE]))

    assert (row.state, row.credits_charged, len(row.blocked)) == (State.SUCCEEDED, 1, 1)


def test_a_canceled_job_whose_images_are_gone_while_they_are_judged_is_canceled(
    system: System, ports: FakePorts
) -> None:
    ports.provider.obeys_cancel = False
    ports.image_judge.be_away()
    row = system.processing()
    cancel_generation(ref(row), ports=ports)
    row = system.hear(row, delivered(system, row, [good(0)]))
    assert row.state is State.JUDGING
    ports.objects.delete_prefix(row.quarantine_prefix)
    ports.image_judge.failure = None

    row = looked_after(system, row)

    assert (row.state, row.credits_charged) == (State.CANCELED, 0)


# Trouble while tidying up


def test_what_was_copied_before_a_judge_changed_its_mind_goes_again() -> None:
    """A worker dies with its copies made; who takes over asks anew, perhaps another judge."""
    ports = FakePorts()
    system = System(ports)
    system.subscribe(ANA, plan="studio")
    row = system.processing(num_outputs=2)
    done = delivered(system, row, [good(0), NUDE])
    ports.image_judge.finds = lambda rendering: None
    with dies_after(ports, "FakeObjects.put_bytes", nth=2):
        system.hear(row, done)
    ports.image_judge.finds = FakeImageJudge().finds

    ports.clock.advance(SAVING_LEASE)
    row = system.hear(row, done)

    assert [image.index for image in row.blocked] == [1]
    assert published(ports) == shown_by(row)
    assert_sound(ports)


def test_a_bucket_that_is_away_after_settling_leaves_no_blocked_image_where_none_is_kept(
    system: System, ports: FakePorts
) -> None:
    ports.policies = replace(ports.policies, blocked_kept=timedelta(0))
    row = system.processing(num_outputs=2)
    done = delivered(system, row, [good(0), NUDE])
    with meanwhile(ports, "FakeObjects.delete", is_away):
        try:
            system.hear(row, done)
        except Transient:
            system.hear(row, done)  # the queue delivers it again

    system.reconcile(after=SAVING_LEASE)
    system.deliver_finishes()
    assert system.row(row).state is State.SUCCEEDED
    assert not quarantine(ports)


def test_an_answer_that_is_heard_before_the_judge_goes_away_is_paid_for_once(
    system: System, ports: FakePorts
) -> None:
    row = in_judging(system, [good(0), good(1)])
    ports.image_judge.decide()
    with meanwhile(ports, "FakeImageJudge.answer", is_away, nth=2):
        row = looked_after(system, row)

    row = looked_after(system, row)

    assert row.state is State.SUCCEEDED
    assert sum(ports.telemetry.values["JudgingCostMicroUsd"]) == 2 * COST


# The process dies, at whatever call

FOUR = [good(0), NUDE, good(2), good(3)]
Story = Callable[[System, Generation, Prediction], object]


def all_at_once(system: System, row: Generation, done: Prediction) -> None:
    system.hear(row, done)


def after_a_while(system: System, row: Generation, done: Prediction) -> None:
    system.ports.image_judge.slow = True
    system.hear(row, done)
    system.ports.image_judge.decide()
    looked_after(system, row)


def with_the_judge_away_at_first(system: System, row: Generation, done: Prediction) -> None:
    system.ports.image_judge.be_away()
    system.hear(row, done)
    system.ports.image_judge.failure = None
    looked_after(system, row)


def with_an_image_lost(system: System, row: Generation, done: Prediction) -> None:
    system.ports.image_judge.be_away()
    row = system.hear(row, done)
    system.ports.image_judge.failure = None
    if row.quarantined:
        system.ports.objects.stored.pop(row.quarantined[2].key, None)
    looked_after(system, row)


@contextmanager
def dying(ports: FakePorts, moment: str, nth: int) -> Iterator[list[str]]:
    """Let the process die before or after its nth call of any port, and tell which one that was."""
    calls, died_at = 0, []

    def hook(name: str) -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            died_at.append(name)
            raise Crash

    setattr(ports.calls, moment, hook)
    try:
        yield died_at
    except Crash:
        pass
    finally:
        setattr(ports.calls, moment, lambda _: None)


def recovered(system: System, row: Generation, done: Prediction) -> Generation:
    """What follows on a death: reconcile visits what is due, and the queue delivers the message again."""
    system.ports.image_judge.failure = None
    for _ in range(4):
        system.ports.image_judge.decide()
        system.reconcile(after=SAVING_LEASE)
        system.deliver_finishes()
    return system.hear(row, done)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "story", [all_at_once, after_a_while, with_the_judge_away_at_first], ids=lambda story: story.__name__
)
def test_wherever_the_process_dies_the_job_is_settled_once_and_nothing_harmful_is_shown(
    story: Story, moment: str
) -> None:
    died_at: list[str] = []
    for nth in range(1, 200):
        ports = FakePorts()
        system = System(ports)
        system.subscribe(ANA, plan="studio")
        row = system.processing(num_outputs=4)
        done = delivered(system, row, FOUR)
        with dying(ports, moment, nth) as died:
            story(system, row, done)
        died_at += died
        assert_sound(ports)

        ended = recovered(system, row, done)

        where = f"died {moment} {died}, call {nth}"
        assert ended.state is State.SUCCEEDED, where
        assert (ended.credits_charged, ended.credits_refunded) == (3, 1), where
        assert [image.index for image in ended.blocked] == [1], where
        account = system.account()
        assert (account.spent, account.held, account.running) == (3, 0, 0), where
        assert (account.strikes_today, account.blocks_today) == (1, 1), where
        assert published(ports) == shown_by(ended), where
        assert quarantine(ports) == {image.key for image in ended.blocked}, where
        assert_sound(ports)
        if not died:
            break
    else:
        pytest.fail("the story never ended")
    assert {"FakeChanges.commit", "FakeImageJudge.ask", "FakeObjects.copy", "FakeObjects.delete"} <= {
        *died_at
    }


@pytest.mark.parametrize("moment", ["before", "after"])
def test_wherever_the_process_dies_an_image_that_is_lost_costs_nothing(moment: str) -> None:
    for nth in range(1, 200):
        ports = FakePorts()
        system = System(ports)
        system.subscribe(ANA, plan="studio")
        row = system.processing(num_outputs=4)
        done = delivered(system, row, FOUR)
        with dying(ports, moment, nth) as died:
            with_an_image_lost(system, row, done)

        ended = recovered(system, row, done)

        assert ended.state is State.SUCCEEDED, (died, nth)
        assert ended.credits_charged == len(ended.outputs), (died, nth)
        assert system.account().strikes_today == 1, (died, nth)
        assert_sound(ports)
        if not died:
            assert ended.credits_charged == 2
            break


@pytest.mark.parametrize("moment", ["before", "after"])
def test_wherever_the_process_dies_an_impatient_job_is_released_once(moment: str) -> None:
    for nth in range(1, 200):
        ports = FakePorts()
        system = System(ports)
        system.subscribe(ANA, plan="studio")
        row = in_judging(system, [good(0), NUDE])
        ports.image_judge.be_away()
        ports.clock.advance(ports.policies.judge_patience + timedelta(seconds=1))
        with dying(ports, moment, nth) as died:
            looked_after(system, row)

        for _ in range(3):
            system.reconcile(after=SAVING_LEASE)
            system.deliver_finishes()
        ended = system.hear(row, system.prediction(row))

        assert (ended.state, failure_of(ended)) == (State.FAILED, "judge_unavailable"), (died, nth)
        assert (system.account().spent, system.account().held) == (0, 0), (died, nth)
        assert not ports.objects.stored, (died, nth)
        assert_sound(ports)
        if not died:
            break
