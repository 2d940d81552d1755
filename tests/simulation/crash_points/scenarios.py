"""The flows that are played: what a user does, and what goes wrong before any fault is added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from revela.domain.job import State
from tests.simulation.crash_points.breaker import Fault
from tests.simulation.crash_points.history import History
from tests.simulation.crash_points.witness import IN_DOUBT

Outcome = frozenset[State]


@dataclass(frozen=True)
class Scenario:
    """`scripted`: faults by the label of the call; `ends`: how its jobs may end, in the order of asking.

    `waits`: how long it takes by itself, beyond what every repair may take.
    """

    name: str
    play: Callable[[History], None]
    ends: tuple[Outcome, ...]
    scripted: Mapping[str, Fault] = field(default_factory=dict)
    waits: timedelta = timedelta(0)


TRAININGS = "/v1/models/replicate/fast-flux-trainer/versions/{id}/trainings"
DOUBTFUL = f"a woman in {IN_DOUBT}"
DONE: Outcome = frozenset({State.SUCCEEDED})
# Who cancels may come too late for it.
CANCELED: Outcome = frozenset({State.CANCELED, State.SUCCEEDED})


def _life(history: History) -> None:
    """One job, and nothing goes wrong."""
    history.accept("first")
    history.come_to_rest()


def _queue(history: History) -> None:
    """Two jobs of a user who may run one: the second waits, and is handed the place of the first."""
    history.accept("first")
    history.accept("second")
    history.come_to_rest()


def _silence(history: History) -> None:
    """The start message is lost, then the create's answer, and every webhook: reconcile carries it.

    Another application's prediction stands before ours in the listing, and fills its first page.
    """
    history.on.lose_webhooks()
    first = history.accept("first")
    history.until(first, State.STARTING)
    history.on.let_another_application_predict()
    history.come_to_rest()


def _upgrade(history: History) -> None:
    """A place comes free without anybody's job ending: reconcile hands it over."""
    history.on.slow_down_provider()
    history.accept("first")
    history.accept("second")
    history.upgrade("essential")
    history.come_to_rest()


def _cancel(history: History) -> None:
    """Cancels of a job that waits, of one that runs, and of one that is queued."""
    history.on.slow_down_provider()
    running = history.accept("running")
    waiting = history.accept("waiting")
    history.cancel(waiting)
    history.until(running, State.PROCESSING)
    history.pass_time(timedelta(seconds=6))
    history.cancel(running)
    history.come_to_rest()
    queued = history.accept("queued")
    history.cancel(queued)
    history.come_to_rest()


def _delete(history: History) -> None:
    """A finished job is deleted."""
    first = history.accept("first")
    history.come_to_rest()
    history.delete(first)
    history.come_to_rest()


def _trouble(history: History) -> None:
    """The create is refused, then the prediction fails, then publishing is delayed."""
    history.on.fail_next_prediction("E8367")
    history.accept("first")
    history.come_to_rest()


def _judged(history: History) -> None:
    """A prompt in doubt is passed, and its image: both judges are asked, and answer on a later visit."""
    history.on.slow_down_judges()
    history.accept("first", prompt=DOUBTFUL)
    history.come_to_rest()


def _train(history: History) -> None:
    """One training, and nothing goes wrong."""
    history.upgrade("essential")
    history.train("first", history.on.put_model())
    history.come_to_rest()


def _train_in_silence(history: History) -> None:
    """The create's answer is lost, and every webhook: the listing of trainings proves it."""
    history.on.lose_webhooks()
    _train(history)


def _cancel_trainings(history: History) -> None:
    """Cancels of a training that is queued, and of one that runs."""
    history.upgrade("essential")
    model = history.on.put_model()
    history.cancel(history.train("queued", model))
    history.come_to_rest()
    running = history.train("running", model)
    history.until(running, State.PROCESSING)
    history.cancel(running)
    history.come_to_rest()


# The shortest first: a label is broken where it is cheapest to.
SCENARIOS = (
    Scenario("life", _life, (DONE,)),
    Scenario("delete", _delete, (DONE,)),
    Scenario("cancel", _cancel, (CANCELED, CANCELED, CANCELED)),
    Scenario("upgrade", _upgrade, (DONE, DONE)),
    Scenario(
        "silence",
        _silence,
        (DONE,),
        {
            "accept · sqs.SendMessageBatch · GenerationQueue": Fault.THROTTLED,
            "start · POST /v1/predictions": Fault.UNANSWERED,
        },
    ),
    Scenario("queue", _queue, (DONE, DONE)),
    Scenario(
        "trouble",
        _trouble,
        (DONE,),
        {
            "start · POST /v1/predictions": Fault.THROTTLED,
            "finish · s3.CopyObject · users": Fault.THROTTLED,
        },
    ),
    Scenario("judged", _judged, (DONE,)),
    Scenario("train", _train, (DONE,)),
    Scenario("cancel training", _cancel_trainings, (CANCELED, CANCELED)),
    Scenario(
        "train in silence",
        _train_in_silence,
        (DONE,),
        {f"start training · POST {TRAININGS}": Fault.UNANSWERED},
    ),
    # The deletion dies half-way, and reconcile resumes it.
    Scenario("resume", _delete, (DONE,), {"delete · s3.ListObjectsV2 · users": Fault.KILLED_AFTER}),
)
