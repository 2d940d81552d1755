"""Prompts that the policy is uncertain of: accepted, and judged before anything is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import pytest

from revela.domain.errors import JudgeUnavailable, Transient
from revela.domain.generation import Generation
from revela.domain.job import Event, ImpossibleTransition, State, step
from revela.domain.judgement import Judgement, Ticket
from revela.domain.personal_model import PersonalModel
from revela.domain.policy import JUDGE_FIRST, JUDGE_MAX, JUDGEMENT_KEPT, START_LEASE
from revela.usecases.cancel_generation import cancel_generation
from tests.examples import a_generation
from tests.fakes import FakePorts
from tests.fakes.judges import COST
from tests.unit.usecases.model_life import ModelLife
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.system import ANA, BIA, System, ref
from tests.unit.usecases.trouble import Crash, dies_before, meanwhile

# The policy is uncertain of these: tests/safety/corpus.tsv. The second is so beside a personal model alone.
DOUBTFUL = "renaissance painting of a nude Venus"
ANOTHER = "life drawing of a nude model in charcoal"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def room_for_many(system: System) -> None:
    system.subscribe(ANA, plan="studio")


def failure_of(row: Generation) -> str | None:
    return row.failure.code if row.failure else None


def is_away() -> NoReturn:
    raise Transient("away for a moment")


def tried(system: System, row: Generation) -> Generation:
    """Let the time pass until the job is due, and its worker try to start it."""
    system.until_due(row)
    system.deliver_starts()
    return system.row(row)


def have_patience(ports: FakePorts, patience: timedelta) -> None:
    ports.policies = replace(ports.policies, judge_patience=patience)


# Accepted, and judged before the first claim


def test_a_prompt_in_doubt_is_accepted_with_its_doubts_and_its_hold(system: System, ports: FakePorts) -> None:
    row = system.accept(prompt=DOUBTFUL, num_outputs=2)

    assert row.state is State.QUEUED
    assert [(doubt.field, doubt.category) for doubt in row.doubts] == [("prompt", "sexual")]
    assert (row.credits_held, system.account().held) == (2, 2)
    assert row.prompt_judged_at is None
    assert system.account().strikes_today == 0


def test_accepting_does_not_wait_for_the_judge(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.be_away()

    system.accept(prompt=DOUBTFUL)

    assert "FakePromptJudge.ask" not in ports.calls.names


def test_a_prompt_that_the_judge_lets_pass_is_made(system: System, ports: FakePorts) -> None:
    row = system.processing(prompt=DOUBTFUL)

    assert row.state is State.PROCESSING
    assert row.prompt_judged_at == ports.clock.now()
    assert ports.prompt_judge.asked == [DOUBTFUL]
    calls = ports.calls.names
    assert calls.index("FakePromptJudge.ask") < calls.index("FakeProvider.create_prediction")
    assert system.hear(row, ports.provider.succeed(system.prediction(row).id)).credits_charged == 1


def test_the_time_of_its_function_is_enough_to_judge_and_start_a_prompt(system: System) -> None:
    row = system.accept(prompt=DOUBTFUL)
    system.deliver_starts()  # with as much time left as template.yaml gives

    assert system.row(row).state is State.PROCESSING


def test_a_prompt_that_nobody_doubts_is_not_judged(system: System, ports: FakePorts) -> None:
    row = system.processing()

    assert row.state is State.PROCESSING
    assert row.prompt_judged_at is None
    assert "FakePromptJudge.ask" not in ports.calls.names
    assert "FakeJudgements.get" not in ports.calls.names


def test_nothing_in_doubt_can_be_claimed_unjudged_whatever_a_worker_does() -> None:
    row = a_generation(doubts=({"field": "prompt", "rule": "sexual.art", "category": "sexual"},))

    with pytest.raises(ImpossibleTransition):
        step(row, Event.CLAIMED, State.STARTING, now=row.created_at)


def test_a_job_that_waits_in_line_is_judged_when_its_turn_comes(system: System, ports: FakePorts) -> None:
    first = system.processing(BIA)
    row = system.accept(BIA, prompt=DOUBTFUL)
    assert row.state is State.WAITING
    ports.prompt_judge.harmful = {"nude": "sexual"}

    system.hear(first, ports.provider.succeed(system.prediction(first).id))
    system.deliver_starts()

    assert failure_of(system.row(row)) == "prompt_moderated"
    assert (system.account(BIA).held, system.account(BIA).waiting) == (0, 0)


# Refused


def test_a_prompt_that_the_judge_refuses_fails_and_is_released(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.harmful = {"nude": "sexual"}

    row = system.processing(prompt=DOUBTFUL, num_outputs=2)

    assert (row.state, failure_of(row)) == (State.FAILED, "prompt_moderated")
    assert row.failure is not None
    assert row.failure.detail == "sexual"
    assert (row.credits_charged, row.credits_refunded) == (0, 2)
    assert (system.account().held, system.account().running, system.account().images_today) == (0, 0, 0)
    assert not ports.provider.requests


def test_a_refusal_by_the_judge_is_a_strike(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.harmful = {"nude": "sexual"}

    system.processing(prompt=DOUBTFUL)

    assert system.account().strikes_today == 1
    assert ports.telemetry.counts["PromptsRefused"] == 1


def test_whoever_asks_for_self_harm_is_refused_without_a_strike(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.harmful = {"anorexic": "self_harm"}

    row = system.processing(prompt="anorexic model on a runway")

    assert failure_of(row) == "prompt_moderated"
    assert system.account().strikes_today == 0


def test_a_refused_job_makes_room_for_who_waits(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.harmful = {"nude": "sexual"}
    refused = system.accept(BIA, prompt=DOUBTFUL)
    waiting = system.accept(BIA)
    assert waiting.state is State.WAITING

    system.deliver_starts()
    system.deliver_starts()

    assert failure_of(system.row(refused)) == "prompt_moderated"
    assert system.row(waiting).state is State.PROCESSING


def test_a_start_message_that_comes_again_strikes_nobody_twice(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.harmful = {"nude": "sexual"}
    row = system.processing(prompt=DOUBTFUL)

    system.start(row)

    assert system.account().strikes_today == 1


# What was said is remembered, by the text


def test_a_text_is_judged_once_for_all_who_send_it(system: System, ports: FakePorts) -> None:
    system.processing(ANA, prompt=DOUBTFUL)
    row = system.processing(BIA, prompt=DOUBTFUL)

    assert row.state is State.PROCESSING
    assert ports.prompt_judge.asked == [DOUBTFUL]
    assert ports.telemetry.values["JudgingCostMicroUsd"] == [COST]


def test_a_refusal_is_remembered_too_and_strikes_each_time(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.harmful = {"nude": "sexual"}
    for _ in range(3):
        assert failure_of(system.processing(prompt=DOUBTFUL)) == "prompt_moderated"

    assert len(ports.prompt_judge.asked) == 1
    assert system.account().strikes_today == 3


@pytest.mark.parametrize("other", [ANOTHER, DOUBTFUL + ".", DOUBTFUL.upper()])
def test_another_text_is_judged_for_itself(system: System, ports: FakePorts, other: str) -> None:
    ports.prompt_judge.harmful = {other: "sexual"}
    passed, refused = system.processing(prompt=DOUBTFUL), system.processing(prompt=other)

    assert (passed.state, failure_of(refused)) == (State.PROCESSING, "prompt_moderated")


def test_another_judge_is_asked_anew(system: System, ports: FakePorts) -> None:
    system.processing(prompt=DOUBTFUL)
    judges = ports.catalog.judges
    newer = judges.prompt.model_copy(update={"version": "meta/llama-guard-5"})
    ports.catalog = ports.catalog.model_copy(
        update={"judges": judges.model_copy(update={"prompt": newer})},
    )

    system.processing(prompt=DOUBTFUL)

    assert len(ports.prompt_judge.asked) == 2


def test_what_is_remembered_names_no_word_of_the_prompt_and_ends(system: System, ports: FakePorts) -> None:
    system.processing(prompt=DOUBTFUL)

    ((key, (known, expires_at)),) = ports.known_judgements.known.items()
    assert len(key) == 64
    assert isinstance(known, Judgement)
    assert expires_at == ports.clock.now() + JUDGEMENT_KEPT
    assert "Venus" not in repr(ports.telemetry.lines)


def test_two_of_one_text_in_one_batch_are_judged_once(system: System, ports: FakePorts) -> None:
    rows = [system.accept(prompt=DOUBTFUL) for _ in range(3)]

    assert not system.start(*rows)

    assert len(ports.prompt_judge.asked) == 1
    assert {system.row(row).state for row in rows} == {State.PROCESSING}


def test_an_attempt_more_is_not_judged_once_more(system: System, ports: FakePorts) -> None:
    row = system.processing(prompt=DOUBTFUL)
    row = system.hear(row, ports.provider.fail(system.prediction(row).id))
    assert row.state is State.QUEUED
    ports.known_judgements.known.clear()
    ports.prompt_judge.be_away()

    row = tried(system, row)

    assert (row.state, row.attempt) == (State.PROCESSING, 2)
    assert len(ports.prompt_judge.asked) == 1


def test_a_row_keeps_when_its_prompt_was_judged(system: System, ports: FakePorts) -> None:
    row = system.processing(prompt=DOUBTFUL)
    judged_at = row.prompt_judged_at
    row = system.hear(row, ports.provider.fail(system.prediction(row).id))

    assert tried(system, row).prompt_judged_at == judged_at


# What the judge is shown


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="studio", amount=2000)
    return ModelLife(ports)


def test_what_is_to_be_left_out_is_shown_as_such(system: System, ports: FakePorts) -> None:
    row = system.accept(model="sdxl", prompt=DOUBTFUL, negative_prompt="fog")
    doubt = row.doubts[0].model_copy(update={"field": "negative_prompt"})
    ports.store.generations[ref(row)] = row.model_copy(update={"doubts": (*row.doubts, doubt)})

    system.started(row)

    assert ports.prompt_judge.asked == [f"{DOUBTFUL}\nwithout: fog"]


def test_words_of_the_model_are_judged_where_they_are_in_doubt(life: ModelLife, ports: FakePorts) -> None:
    model = life.trained(class_word="garota", trigger_word="ZQANA")
    row = life.generate(model)
    assert [(doubt.field, doubt.category) for doubt in row.doubts] == [("model", "minors")]
    ports.prompt_judge.harmful = {"garota": "minors"}

    row = System(ports).started(row)

    assert failure_of(row) == "prompt_moderated"
    assert not ports.provider.requests


def test_the_judge_sees_doubtful_words_of_the_model_in_the_prompt_that_they_end_in(
    life: ModelLife, ports: FakePorts
) -> None:
    """Each may pass alone; what the provider would be sent is what has to be judged."""
    model = life.trained(class_word="garota", trigger_word="ZQANA")

    System(ports).started(life.generate(model, prompt="in a bikini on a bed"))

    (asked,) = ports.prompt_judge.asked
    assert "garota" in asked
    assert "in a bikini on a bed" in asked


def test_a_prompt_may_be_in_doubt_beside_a_person_and_nowhere_else(
    life: ModelLife, system: System, ports: FakePorts
) -> None:
    prompt = "me in high school"
    ports.prompt_judge.harmful = {"high school": "minors"}
    person: PersonalModel = life.trained()

    assert failure_of(system.started(life.generate(person, prompt=prompt))) == "prompt_moderated"
    assert system.processing(prompt=prompt).state is State.PROCESSING


# A judge that takes its time


def test_while_the_judge_thinks_the_job_is_held_and_nothing_is_made(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.slow = True

    row = system.processing(prompt=DOUBTFUL)

    assert (row.state, row.attempt) == (State.QUEUED, 0)
    assert row.due_at is not None
    assert row.not_before == row.due_at
    assert ports.clock.now() < row.due_at <= ports.clock.now() + JUDGE_FIRST
    assert system.account().held == 1
    assert not ports.provider.requests


@pytest.mark.parametrize(
    ("harmful", "state"), [({}, State.PROCESSING), ({"nude": "sexual"}, State.FAILED)], ids=["pass", "refuse"]
)
def test_what_the_judge_says_later_is_obeyed_without_asking_again(
    system: System, ports: FakePorts, harmful: dict[str, str], state: State
) -> None:
    ports.prompt_judge.slow = True
    row = system.processing(prompt=DOUBTFUL)
    row = tried(system, row)
    assert row.state is State.QUEUED
    ports.prompt_judge.harmful = harmful  # type: ignore[assignment]  # categories
    ports.prompt_judge.decide()

    row = tried(system, row)

    assert row.state is state
    assert ports.prompt_judge.asked == [DOUBTFUL]
    assert ports.telemetry.values["JudgingCostMicroUsd"] == [COST]


def test_a_question_that_the_judge_forgot_is_asked_anew(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.slow = True
    row = system.processing(prompt=DOUBTFUL)
    ports.prompt_judge.forget()
    ports.prompt_judge.slow = False

    row = tried(system, row)

    assert row.state is State.PROCESSING
    assert len(ports.prompt_judge.asked) == 2


def test_a_ticket_is_never_leave_to_make_anything(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.slow = True
    system.processing(ANA, prompt=DOUBTFUL)
    ((known, _),) = ports.known_judgements.known.values()
    assert isinstance(known, Ticket)

    row = system.processing(BIA, prompt=DOUBTFUL)

    assert row.state is State.QUEUED
    assert not ports.provider.requests


def test_a_judge_that_thinks_for_longer_than_its_patience_is_no_better_than_one_that_is_away(
    system: System, ports: FakePorts
) -> None:
    have_patience(ports, HOUR)
    ports.prompt_judge.slow = True
    row = system.processing(prompt=DOUBTFUL)

    ports.clock.advance(HOUR + timedelta(minutes=1))
    row = tried(system, row)

    assert (row.state, failure_of(row)) == (State.FAILED, "judge_unavailable")


def test_once_the_judge_has_answered_it_is_not_what_a_job_waits_for(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.slow = True
    row = system.processing(prompt=DOUBTFUL)
    assert row.awaits_judge
    ports.prompt_judge.decide()
    ports.clock.advance(JUDGE_MAX)
    now = ports.clock.now()
    ports.pace.block(sent_at=now, now=now, until=now + timedelta(days=1))

    system.start(row)

    row = system.row(row)
    assert (row.state, row.awaits_judge, row.judge_waits) == (State.QUEUED, False, 0)
    assert row.prompt_judged_at is not None
    ports.known_judgements.known.clear()
    system.reconcile(after=timedelta(days=1) + HOUR)
    assert failure_of(system.row(row)) == "queue_timeout"
    assert ports.prompt_judge.asked == [DOUBTFUL]


# A judge that is away


def test_while_its_judge_is_away_a_job_is_held_and_tried_again(system: System, ports: FakePorts) -> None:
    ports.prompt_judge.be_away()
    row = system.processing(prompt=DOUBTFUL)
    for _ in range(12):
        assert row.state is State.QUEUED
        assert row.due_at is not None
        assert row.due_at == row.not_before
        assert ports.clock.now() < row.due_at <= ports.clock.now() + JUDGE_MAX
        row = tried(system, row)
    assert (system.account().held, system.account().running) == (1, 1)
    assert not ports.provider.requests
    assert ports.telemetry.counts["JudgeUnavailable"] == 13

    ports.prompt_judge.failure = None
    row = tried(system, row)

    assert row.state is State.PROCESSING


def test_after_its_patience_a_job_fails_and_is_released(system: System, ports: FakePorts) -> None:
    have_patience(ports, HOUR)
    ports.prompt_judge.be_away()
    row = system.processing(prompt=DOUBTFUL)
    ports.clock.advance(HOUR - timedelta(minutes=10))
    row = tried(system, row)
    assert row.state is State.QUEUED

    ports.clock.advance(timedelta(minutes=15))
    row = tried(system, row)

    assert (row.state, failure_of(row)) == (State.FAILED, "judge_unavailable")
    assert (row.credits_charged, row.credits_refunded) == (0, 1)
    assert system.account().strikes_today == 0
    assert not ports.provider.requests


def test_after_the_patience_of_a_day_the_cause_that_is_told_is_the_judge(
    system: System, ports: FakePorts
) -> None:
    assert ports.policies.judge_patience == timedelta(days=1)  # as template.yaml has it
    ports.prompt_judge.be_away()
    row = system.processing(prompt=DOUBTFUL)

    while row.state is State.QUEUED:
        row = tried(system, row)
        ports.clock.advance(timedelta(minutes=5))

    assert failure_of(row) == "judge_unavailable"


def test_patience_with_the_judge_begins_when_it_is_asked(system: System, ports: FakePorts) -> None:
    have_patience(ports, HOUR)
    first = system.processing(BIA)
    row = system.accept(BIA, prompt=DOUBTFUL)
    assert row.state is State.WAITING
    ports.clock.advance(2 * HOUR)
    system.hear(first, ports.provider.succeed(system.prediction(first).id))
    ports.prompt_judge.be_away()

    system.deliver_starts()
    assert system.row(row).state is State.QUEUED

    ports.prompt_judge.failure = None
    assert tried(system, row).state is State.PROCESSING


def test_what_was_said_cannot_be_looked_up_so_nothing_is_made_and_the_message_comes_again(
    system: System, ports: FakePorts
) -> None:
    row = system.accept(prompt=DOUBTFUL)
    with meanwhile(ports, "FakeJudgements.get", is_away):
        assert system.start(row) == [ref(row)]
    assert system.row(row) == row

    assert not system.start(row)
    assert system.row(row).state is State.PROCESSING


def test_a_judgement_that_cannot_be_remembered_is_asked_for_again_and_counted_each_time(
    system: System, ports: FakePorts
) -> None:
    row = system.accept(prompt=DOUBTFUL)
    with meanwhile(ports, "FakeJudgements.put", is_away):
        assert system.start(row) == [ref(row)]
    assert not ports.provider.requests

    assert not system.start(row)

    assert system.row(row).state is State.PROCESSING
    assert (
        sum(ports.telemetry.values["JudgingCostMicroUsd"]) == COST * len(ports.prompt_judge.asked) == 2 * COST
    )


def test_a_judge_may_say_that_it_is_away_in_whatever_words_its_port_allows(
    system: System, ports: FakePorts
) -> None:
    have_patience(ports, HOUR)
    ports.prompt_judge.failure = Transient("the network is away")
    row = system.accept(prompt=DOUBTFUL)
    ports.commands.take_started()
    system.start(row)
    assert system.row(row).state is State.QUEUED

    ports.clock.advance(HOUR + timedelta(minutes=1))
    system.start(row)

    assert failure_of(system.row(row)) == "judge_unavailable"


# Among others


def test_nobody_waits_for_the_judge_of_another(system: System, ports: FakePorts) -> None:
    doubtful, plain = system.accept(prompt=DOUBTFUL), system.accept(prompt="a lighthouse")

    assert not system.start(doubtful, plain)

    calls = ports.calls.names
    assert calls.index("FakeProvider.create_prediction") < calls.index("FakePromptJudge.ask")
    assert {system.row(row).state for row in (doubtful, plain)} == {State.PROCESSING}


def test_one_that_is_refused_one_that_is_held_and_one_that_passes_do_not_touch_each_other(
    system: System, ports: FakePorts
) -> None:
    ports.prompt_judge.harmful = {"charcoal": "sexual"}
    held = "woman in lingerie, boudoir portrait"
    rows = [system.accept(prompt=prompt) for prompt in (DOUBTFUL, ANOTHER, held)]
    asked = ports.prompt_judge.ask

    def ask(things: list[str]) -> list[Judgement | Ticket | None]:
        if things == [held]:
            raise JudgeUnavailable("away")
        return asked(things)

    ports.prompt_judge.ask = ask  # type: ignore[method-assign, assignment]  # away for one text alone

    assert not system.start(*rows)

    passed, refused, waits = map(system.row, rows)
    assert (passed.state, failure_of(refused), waits.state) == (
        State.PROCESSING,
        "prompt_moderated",
        State.QUEUED,
    )


def test_what_cannot_be_judged_in_time_is_started_by_the_next_run(system: System, ports: FakePorts) -> None:
    row = system.accept(prompt=DOUBTFUL)
    ports.commands.take_started()

    assert not system.start(row, time_left=timedelta(seconds=30))
    assert system.row(row).state is State.QUEUED
    assert "FakePromptJudge.ask" not in ports.calls.names

    assert tried(system, row).state is State.PROCESSING


def test_a_judge_that_takes_most_of_the_time_leaves_the_create_to_the_next_run(
    system: System, ports: FakePorts
) -> None:
    row = system.accept(prompt=DOUBTFUL)
    ports.commands.take_started()
    with meanwhile(ports, "FakePromptJudge.ask", lambda: ports.clock.advance(timedelta(seconds=30))):
        assert not system.start(row)
    assert system.row(row).state is State.QUEUED

    assert tried(system, row).state is State.PROCESSING
    assert len(ports.prompt_judge.asked) == 1


# Somebody else is faster


def test_two_workers_with_one_message_judge_and_start_it_once(system: System, ports: FakePorts) -> None:
    row = system.accept(prompt=DOUBTFUL)

    with meanwhile(ports, "FakePromptJudge.ask", lambda: system.start(row)):
        system.start(row)

    assert len(ports.provider.requests) == 1
    assert system.row(row).attempt == 1


@pytest.mark.parametrize("harmful", [{}, {"nude": "sexual"}], ids=["pass", "refuse"])
def test_what_is_canceled_while_it_is_judged_stays_canceled(
    system: System, ports: FakePorts, harmful: dict[str, str]
) -> None:
    ports.prompt_judge.harmful = harmful  # type: ignore[assignment]  # categories
    row = system.accept(prompt=DOUBTFUL)

    with meanwhile(ports, "FakePromptJudge.ask", lambda: cancel_generation(ref(row), ports=ports)):
        system.start(row)

    assert system.row(row).state is State.CANCELED
    assert not ports.provider.requests
    assert system.account().strikes_today == 0


def test_a_late_refusal_does_not_reach_a_job_that_another_worker_has_started(
    system: System, ports: FakePorts
) -> None:
    ports.prompt_judge.slow = True
    row = system.processing(prompt=DOUBTFUL)
    ports.clock.advance(JUDGE_FIRST)
    ports.prompt_judge.decide()

    with meanwhile(ports, "FakePromptJudge.answer", lambda: system.start(row)):
        ports.prompt_judge.harmful = {"nude": "sexual"}
        ports.prompt_judge.decided.clear()
        ports.prompt_judge.decide()
        system.start(row)

    # Both heard the same ticket: one of them ended it, and no prediction was made.
    assert failure_of(system.row(row)) == "prompt_moderated"
    assert system.account().strikes_today == 1


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


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("harmful", [False, True], ids=["pass", "refuse"])
def test_wherever_the_worker_dies_the_prompt_is_made_once_or_refused_once(moment: str, harmful: bool) -> None:
    for nth in range(1, 100):
        ports = FakePorts()
        system = System(ports)
        system.subscribe(ANA, plan="studio")
        if harmful:
            ports.prompt_judge.harmful = {"nude": "sexual"}
        row = system.accept(prompt=DOUBTFUL)
        ports.commands.take_started()
        with dying(ports, moment, nth) as died:
            system.start(row)
        assert_sound(ports)

        system.start(row)  # delivered again
        for _ in range(3):
            if system.row(row).state not in (State.QUEUED, State.STARTING):
                break
            system.reconcile(after=START_LEASE)
            system.deliver_starts()

        ended = system.row(row)
        assert system.account().strikes_today == harmful, (died, nth)
        if harmful:
            assert failure_of(ended) == "prompt_moderated", (died, nth)
            assert not ports.provider.requests, (died, nth)
        else:
            assert ended.state is State.PROCESSING, (died, nth)
            assert len(ports.provider.requests) == 1, (died, nth)
        assert_sound(ports)
        if not died:
            break


def test_a_worker_that_dies_with_the_judges_answer_has_not_made_anything(
    system: System, ports: FakePorts
) -> None:
    row = system.accept(prompt=DOUBTFUL)
    with dies_before(ports, "FakeJudgements.put"):
        system.start(row)

    assert system.row(row) == row
    assert not ports.provider.requests
