"""Workers killed at the worst moments, and a closed door: every job ends, saved and paid for once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from local import aws
from local.state import State
from tests.e2e.conftest import Advance, Reconcile
from tests.e2e.held_aws import Call, Moment, between
from tests.e2e.pulled_plugs import assert_saved, door_closed, pull
from tests.e2e.stand_in import StandIn
from tests.e2e.stored import messages, published, quarantined
from tests.e2e.users import Json, User, assert_credits_add_up, eventually

pytestmark = pytest.mark.usefixtures("unscheduled")

# Leases, with a margin: who finds them over may go on.
START_LEASE_S, SAVING_LEASE_S = 125, 215
DOOR_CLOSED_S, LATE_S, RESTART_S = 600, 1500, 6
DRIP = {"count": 1, "how": "drip"}


@pytest.fixture
def pull_the_plug(engine_state: State) -> Callable[[str], None]:
    return partial(pull, engine_state)


def assert_saved_once(user: User, done: Json, stand_in: StandIn) -> None:
    assert_saved(user, done, stand_in.predictions(done["params"]["prompt"]), stand_in)


# ---------------------------------------------------------------- finish_generation


def puts(prefix: str) -> Callable[[Call], bool]:
    def matches(call: Call) -> bool:
        is_image = call.method == "PUT" and not call.path.endswith(".thumbnail.webp")
        return is_image and f"/{prefix}/" in call.path

    return matches


@pytest.fixture
def settles(engine_state: State) -> Callable[[Call], bool]:
    def matches(call: Call) -> bool:
        return call.operation == "TransactWriteItems" and engine_state.tables["ledger"].encode() in call.body

    return matches


def test_a_job_whose_saver_is_killed_again_and_again_is_saved_once(
    user: User,
    stand_in: StandIn,
    engine_state: State,
    settles: Callable[[Call], bool],
    pull_the_plug: Callable[[str], None],
    advance: Advance,
    reconcile: Reconcile,
) -> None:
    stand_in.order(spoil_outputs=DRIP)
    id_ = user.create(prompt=f"a cat with many lives of {user.name}", num_outputs=4)["id"]
    eventually(stand_in.orders_left, lambda left: not left)
    pull_the_plug("finish_generation")
    assert quarantined(engine_state, user, id_) == []

    later: list[tuple[Moment, int, int]] = [
        (Moment(puts("quarantine"), nth=3), 2, 0),
        (Moment(puts("quarantine"), nth=4, is_done=True), 4, 0),
        (Moment(puts("users"), nth=3), 4, 2),
        (Moment(settles), 4, 4),
    ]
    with between(engine_state, "finish_generation") as held:
        for moment, in_quarantine, in_place in later:
            with held.holding(moment) as come:
                advance(SAVING_LEASE_S)
                reconcile()
                come()
                pull_the_plug("finish_generation")
            assert len(quarantined(engine_state, user, id_)) == in_quarantine
            assert len(published(engine_state, user, id_)) == in_place
            seen = user.generation(id_)
            assert (seen["status"], seen["credits"]["held"]) == ("saving", 4)
    advance(SAVING_LEASE_S)

    done = user.wait(id_, "succeeded", meanwhile=reconcile)

    assert_saved_once(user, done, stand_in)
    assert quarantined(engine_state, user, id_) == []
    assert len(published(engine_state, user, id_)) == 4
    assert_credits_add_up(user)


def test_a_saver_killed_once_it_has_settled_has_settled(
    user: User,
    stand_in: StandIn,
    engine_state: State,
    settles: Callable[[Call], bool],
    pull_the_plug: Callable[[str], None],
    advance: Advance,
    reconcile: Reconcile,
) -> None:
    with (
        between(engine_state, "finish_generation") as held,
        held.holding(Moment(settles, is_done=True)) as come,
    ):
        id_ = user.create(prompt=f"the last breath of {user.name}")["id"]
        come()
        pull_the_plug("finish_generation")
    done = user.wait(id_, "succeeded")

    advance(SAVING_LEASE_S)
    reconcile()

    assert user.generation(id_)["updated_at"] == done["updated_at"]
    assert_saved_once(user, done, stand_in)
    assert_credits_add_up(user)


@contextmanager
def redelivered_soon(current: State, queue: str, folder: str) -> Iterator[Callable[[bool], None]]:
    """Deliver what a killed worker held in seconds, not in minutes; yield what opens and closes the queue."""
    sqs = aws.client("sqs", current.aws_endpoint_url)
    lambdas = aws.client("lambda", current.aws_endpoint_url)
    url = current.queues[queue]
    usual = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    (mapping,) = lambdas.list_event_source_mappings(FunctionName=current.functions[folder])[
        "EventSourceMappings"
    ]

    def deliver(is_on: bool) -> None:
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=is_on)

    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    try:
        yield deliver
    finally:
        deliver(True)
        sqs.set_queue_attributes(QueueUrl=url, Attributes=usual)


def test_a_message_that_comes_again_before_the_lease_is_over_leaves_the_job_to_reconcile(
    user: User,
    stand_in: StandIn,
    engine_state: State,
    pull_the_plug: Callable[[str], None],
    advance: Advance,
    reconcile: Reconcile,
) -> None:
    # Other killed workers' messages are still hidden.
    before = messages(engine_state, "GenerationWebhookQueue")
    stand_in.order(spoil_outputs=DRIP)
    with redelivered_soon(engine_state, "GenerationWebhookQueue", "finish_generation"):
        id_ = user.create(prompt=f"too early for {user.name}", num_outputs=2)["id"]
        eventually(stand_in.orders_left, lambda left: not left)
        pull_the_plug("finish_generation")
        eventually(lambda: messages(engine_state, "GenerationWebhookQueue"), lambda left: left <= before)
    assert user.generation(id_)["status"] == "saving"

    advance(SAVING_LEASE_S)

    done = user.wait(id_, "succeeded", meanwhile=reconcile)
    assert_saved_once(user, done, stand_in)
    assert quarantined(engine_state, user, id_) == []
    assert_credits_add_up(user)


def test_a_message_that_comes_again_after_the_lease_needs_nobody_else(
    user: User,
    stand_in: StandIn,
    engine_state: State,
    pull_the_plug: Callable[[str], None],
    advance: Advance,
) -> None:
    stand_in.order(spoil_outputs=DRIP)
    with redelivered_soon(engine_state, "GenerationWebhookQueue", "finish_generation") as deliver:
        id_ = user.create(prompt=f"in good time for {user.name}", num_outputs=2)["id"]
        eventually(stand_in.orders_left, lambda left: not left)
        deliver(False)
        pull_the_plug("finish_generation")
        advance(SAVING_LEASE_S)
        assert user.generation(id_)["status"] == "saving"
        deliver(True)
        done = user.wait(id_, "succeeded")

    assert_saved_once(user, done, stand_in)
    assert_credits_add_up(user)


# ---------------------------------------------------------------- start_generation


def claims(call: Call) -> bool:
    return call.operation == "PutItem" and b'"starting"' in call.body


def records(call: Call) -> bool:
    return call.operation == "TransactWriteItems" and b'"prediction#' in call.body


def test_a_starter_killed_between_claim_and_record_makes_one_prediction(
    user: User,
    stand_in: StandIn,
    engine_state: State,
    pull_the_plug: Callable[[str], None],
    advance: Advance,
    reconcile: Reconcile,
) -> None:
    stand_in.order(lose_webhooks="all")
    jobs: dict[str, str] = {}
    with between(engine_state, "start_generation") as held:
        for how, moment in {
            "claimed, not created": Moment(claims, is_done=True),
            "created, not recorded": Moment(records),
        }.items():
            with held.holding(moment) as come:
                jobs[how] = user.create(prompt=f"{how} of {user.name}")["id"]
                come()
                pull_the_plug("start_generation")
    how = "created, not answered"
    stand_in.order(answer_late={"count": 1, "seconds": 600})
    jobs[how] = user.create(prompt=f"{how} of {user.name}")["id"]
    eventually(lambda: stand_in.predictions(f"{how} of {user.name}"), bool)
    pull_the_plug("start_generation")
    made = {how: len(stand_in.predictions(f"{how} of {user.name}")) for how in jobs}
    assert made == {"claimed, not created": 0, "created, not recorded": 1, "created, not answered": 1}
    assert {user.generation(id_)["status"] for id_ in jobs.values()} == {"starting"}

    advance(START_LEASE_S)
    stand_in.order(lose_webhooks=0)

    for done in user.wait_all(jobs.values(), meanwhile=reconcile):
        assert_saved_once(user, done, stand_in)
        assert quarantined(engine_state, user, done["id"]) == []
    assert_credits_add_up(user)


def test_a_starter_killed_before_its_record_is_made_up_for_by_the_webhook_alone(
    user: User, stand_in: StandIn, engine_state: State, pull_the_plug: Callable[[str], None]
) -> None:
    with between(engine_state, "start_generation") as held, held.holding(Moment(records)) as come:
        id_ = user.create(prompt=f"heard of by {user.name}")["id"]
        come()
        pull_the_plug("start_generation")

    assert_saved_once(user, user.wait(id_, "succeeded"), stand_in)
    assert_credits_add_up(user)


# ---------------------------------------------------------------- replicate_webhook


def test_jobs_end_by_polling_while_the_door_is_closed_and_late_webhooks_change_nothing(
    user: User, stand_in: StandIn, engine_state: State, advance: Advance, reconcile: Reconcile
) -> None:
    before = stand_in.counters()
    with door_closed(engine_state):
        stand_in.order(slow_predictions={"count": 2, "queue_s": 0.1, "predict_s": 100})
        slow = [user.create(prompt=f"slow job {n} of {user.name}")["id"] for n in range(2)]
        for id_ in slow:
            user.wait(id_, "processing")
        eventually(stand_in.counters, lambda now: now["webhooks_failed"] >= before["webhooks_failed"] + 2)
        # Some are not even tried before the door is open again.
        stand_in.order(delay_webhooks={"count": 4, "seconds": LATE_S})
        comes_at = time.monotonic() + LATE_S
        late = [user.create(prompt=f"late news {n} of {user.name}")["id"] for n in range(2)]
        for id_ in late:
            user.wait(id_, "processing")
        ended: list[Json] = []
        for step_s in (40, 80, DOOR_CLOSED_S - 120):
            advance(step_s)
            reconcile()
            if len(ended) < 4:
                waited_for = late if step_s == 40 else slow
                ended += user.wait_all(waited_for, meanwhile=reconcile)
        assert stand_in.counters()["webhooks_sent"] == before["webhooks_sent"]
        assert stand_in.counters()["webhooks_failed"] > before["webhooks_failed"]

    # The moved clock restarts all functions: the late ones come when that is over, to an open door.
    advance(int(comes_at - time.monotonic()) - DOOR_CLOSED_S - RESTART_S)
    eventually(stand_in.counters, lambda now: now["webhooks_sent"] >= before["webhooks_sent"] + 4)
    # One that came later has gone through the same queue.
    user.wait(user.create()["id"], "succeeded")

    for done in ended:
        assert user.generation(done["id"])["updated_at"] == done["updated_at"]
        assert_saved_once(user, done, stand_in)
    assert_credits_add_up(user)
