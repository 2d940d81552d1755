"""Flows in which the provider or the model is at its worst: what it takes to end a job all the same."""

from __future__ import annotations

from datetime import timedelta

from revela.domain.job import State
from revela.domain.model_health import RESTS_FOR
from revela.domain.policy import QUEUE_AGE_MAX
from revela.usecases.open_account import open_account
from tests.simulation.crash_points.breaker import Fault
from tests.simulation.crash_points.cloud import Cloud
from tests.simulation.crash_points.history import ANA, History
from tests.simulation.crash_points.scenarios import DONE, Outcome, Scenario

FAILED: Outcome = frozenset({State.FAILED})
EITHER: Outcome = FAILED | DONE


def on_cloud(history: History) -> Cloud:
    """Return the deployment; ports in memory have no such troubles."""
    assert isinstance(history.on, Cloud)
    return history.on


def _adopted(history: History) -> None:
    """The create's answer is lost; its first webhook, which comes twice, tells of the prediction."""
    on = on_cloud(history)
    on.slow_down_provider()
    on.order(double_webhooks="all")
    on.provider.leave_create_unanswered()
    history.accept("first")
    history.come_to_rest()


def _adopted_late(history: History) -> None:
    """The create's answer is lost, and the webhook of its start: the last one proves whose it is."""
    on = on_cloud(history)
    on.order(lose_webhooks=1)
    on.provider.leave_create_unanswered()
    history.accept("first")
    history.come_to_rest()
    on.order(lose_webhooks=1, fail_predictions={"count": 1, "error": "E4875"})
    on.provider.leave_create_unanswered()
    history.accept("second")
    history.come_to_rest()


def _orphaned(history: History) -> None:
    """A create takes effect when another was sent in its place: it is marked, counted and canceled."""
    on = on_cloud(history)
    on.slow_down_provider()
    on.provider.delay_create()
    first = history.accept("first")
    for state in (State.STARTING, State.QUEUED, State.PROCESSING):
        history.until(first, state)
    late = on.provider.arrive()
    history.late_creates += len(late)
    history.come_to_rest()
    if not on.breaker.broken:
        assert on.telemetry.counts["PredictionsOrphaned"] == len(late) == 1
        assert [on.prediction_status(id_) for id_ in late] == ["canceled"]


def _refused(history: History) -> None:
    """There is no credit, then no model; another job is refused for what it asks."""
    on = on_cloud(history)
    on.provider.refuse_create(402, "Insufficient credit.")
    on.provider.refuse_create(404, "The requested resource could not be found.")
    history.accept("first")
    history.come_to_rest()
    for _ in range(2):  # who dies with the answer asks again
        on.provider.refuse_create(422, "- input.prompt is too long")
    history.accept("second")
    history.come_to_rest()


def _rest(history: History) -> None:
    """A model fails of itself until it rests; who is queued waits for it, and then clears its name."""
    on_cloud(history).order(fail_predictions={"count": 3, "error": "E8765"})
    history.accept("first")
    history.accept("second")
    history.come_to_rest()


def _unusable(history: History) -> None:
    """What the prediction made is no image, and neither is what the next one made."""
    on_cloud(history).order(spoil_outputs={"count": "all", "how": "wrong_type"})
    history.accept("first")
    history.come_to_rest()


def _unstoppable(history: History) -> None:
    """A prediction runs past its deadline although it is canceled; reads are throttled for a while.

    Who is late for that finds it done in the end.
    """
    on = on_cloud(history)
    on.order(slow_predictions={"count": 1, "queue_s": 4, "predict_s": 300})
    on.provider.stop_nothing()
    on.provider.throttle_reads(5)
    first = history.accept("first")
    history.come_to_rest()
    assert on.breaker.broken or history.row(first).state is State.FAILED


def _unknown(history: History) -> None:
    """No create is answered, and none takes effect."""
    for _ in range(3):
        on_cloud(history).provider.lose_create()
    history.accept("first")
    history.come_to_rest()


def _too_old(history: History) -> None:
    """The start message is lost, and nothing runs for longer than a job may be queued.

    Who waited may be handed the place of who is given up, and is then made after all.
    """
    history.accept("first")
    history.accept("second")
    history.on.pass_time(QUEUE_AGE_MAX)
    history.come_to_rest()


def _raced(history: History) -> None:
    """Somebody opens the account between our looking for it and our opening it."""

    def open_it() -> None:
        open_account(ANA, ports=history.on.new_process())

    history.on.breaker.meanwhile["accept · dynamodb.TransactWriteItems · account + entry"] = open_it
    history.accept("first")
    history.come_to_rest()


def _newer(history: History) -> None:
    """A job that another version of the code has written stands among those that are due."""
    first = history.accept("first")
    on_cloud(history).leave_row_of_another_version(first)
    history.come_to_rest()


# The shortest first: a label is broken where it is cheapest to.
TROUBLED = (
    Scenario("raced", _raced, (DONE,)),
    Scenario("newer", _newer, (DONE,)),
    Scenario("adopted", _adopted, (DONE,)),
    Scenario("adopted late", _adopted_late, (DONE, FAILED)),
    Scenario(
        "too old",
        _too_old,
        (FAILED, EITHER),
        {"accept · sqs.SendMessageBatch · GenerationQueue": Fault.THROTTLED},
        waits=QUEUE_AGE_MAX,
    ),
    Scenario("unusable", _unusable, (FAILED,)),
    Scenario("orphaned", _orphaned, (DONE,)),
    Scenario("unstoppable", _unstoppable, (EITHER,)),
    Scenario("refused", _refused, (DONE, FAILED)),
    # Two more leases of a create that nobody answers.
    Scenario("unknown", _unknown, (FAILED,), waits=timedelta(minutes=6)),
    Scenario("rest", _rest, (FAILED, DONE), waits=timedelta(minutes=6) + RESTS_FOR),
)
