"""Messages that fail every time: nobody waits or pays for them, and they can be brought back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import aws
from local.state import State
from tests.e2e.command_line import local, run
from tests.e2e.conftest import Advance, NewUser, Reconcile
from tests.e2e.dead_letters import Letter, Queue, Rows, logged
from tests.e2e.stand_in import StandIn
from tests.e2e.users import Json, User, assert_credits_add_up, eventually

# As template.yaml says.
DELIVERIES = 5
# What is being worked on is not delivered again as soon as this, nor do five of them take long.
VISIBILITY_S = 4
NO_JSON, NO_MESSAGE = "not a message", '{"user_id": "somebody"}'
REFUNDED = {"estimated": 1, "held": 0, "charged": 0, "refunded": 1}
CHARGED = {"estimated": 1, "held": 0, "charged": 1, "refunded": 0}
SIZE, NO_SIZE = 1024, 1000


@pytest.fixture(scope="module", autouse=True)
def no_schedule(engine_state: State) -> Iterator[None]:
    """Reconcile when a test says so: its messages about these jobs would be counted as well."""
    rules = aws.client("events", engine_state.aws_endpoint_url)
    (name,) = (rule["Name"] for rule in rules.list_rules()["Rules"] if "ScheduleExpression" in rule)
    rules.disable_rule(Name=name)
    yield
    rules.enable_rule(Name=name)


@dataclass
class Buried:
    """What lies in the dead letters after good and bad were delivered together.

    stuck    its jobs cannot be started while their rows ask for a size that the model does not make
    broken   its jobs have failed at Replicate and could not be settled while their account was away
    """

    starts: Queue
    finishes: Queue
    rows: Rows
    well: User
    good: list[Json]
    stuck: User
    stuck_jobs: list[str]
    broken: User
    broken_jobs: list[str]
    start_letters: list[Letter]
    finish_letters: list[Letter]


@pytest.fixture(scope="module")
def buried(new_user: NewUser, _stand_in: StandIn, engine_state: State) -> Iterator[Buried]:
    starts, finishes = Queue(engine_state, "GenerationQueue"), Queue(engine_state, "GenerationWebhookQueue")
    rows = Rows(engine_state)
    well, stuck, broken = (new_user("developer", credits=20) for _ in range(3))
    for queue in (starts, finishes):
        # Tests that kill workers leave messages behind that are hidden for minutes.
        queue.purge()
    with ExitStack() as delivering:
        for queue in (starts, finishes):
            delivering.enter_context(queue.impatient(VISIBILITY_S))
        with finishes.held():
            _stand_in.order(fail_predictions={"count": 2, "error": "flagged as sensitive (E005)"})
            prompt = f"not to be settled for {broken.name}"
            broken_jobs = [broken.create(prompt=prompt)["id"] for _ in range(2)]
            eventually(lambda: _stand_in.predictions(prompt), have_failed)
            # That each started, and that each ended.
            eventually(finishes.undone, lambda count: count >= 2 * len(broken_jobs))
            with starts.held():
                stuck_jobs = [stuck.create()["id"] for _ in range(2)]
                for id_ in stuck_jobs:
                    rows.set_width(stuck.name, id_, NO_SIZE)
                for queue in (starts, finishes):
                    queue.send(NO_JSON)
                    queue.send(NO_MESSAGE)
                good_jobs = [well.create()["id"] for _ in range(4)]
            delivering.enter_context(rows.without_account(broken.name))
        good = well.wait_all(good_jobs)
        for queue in (starts, finishes):
            eventually(queue.buried, lambda count: count == 4)
    yield Buried(
        *(starts, finishes, rows, well, good, stuck, stuck_jobs, broken, broken_jobs),
        *(starts.letters(), finishes.letters()),
    )
    for queue in (starts, finishes):
        queue.purge()


def have_failed(predictions: list[Json]) -> bool:
    return [prediction["status"] for prediction in predictions] == ["failed"] * 2


def about(letters: list[Letter], generation_id: str) -> list[Letter]:
    return [letter for letter in letters if generation_id in letter.body]


def test_good_messages_beside_bad_ones_all_do_their_work(buried: Buried) -> None:
    assert [g["status"] for g in buried.good] == ["succeeded"] * 4
    assert_credits_add_up(buried.well)


def test_each_bad_message_lies_in_the_dead_letters_after_five_deliveries(
    buried: Buried, engine_state: State
) -> None:
    for letters, jobs in (
        (buried.start_letters, buried.stuck_jobs),
        (buried.finish_letters, buried.broken_jobs),
    ):
        assert [letter.deliveries for letter in letters] == [DELIVERIES] * 4
        assert {letter.body for letter in letters} > {NO_JSON, NO_MESSAGE}
        assert all(len(about(letters, id_)) == 1 for id_ in jobs)


def test_the_functions_were_given_each_bad_message_five_times(buried: Buried, engine_state: State) -> None:
    for letter in buried.start_letters:
        if letter.body in (NO_JSON, NO_MESSAGE):
            unreadable = {"message": "unreadable_message", "message_id": letter.message_id}
            assert logged(engine_state, "start_generation", **unreadable) == DELIVERIES
    for id_ in buried.stuck_jobs:
        faulted = {"message": "start_faulted", "generation_ids": [id_]}
        assert logged(engine_state, "start_generation", **faulted) == DELIVERIES
    for letter in buried.finish_letters:
        failed = {"message": "finish_failed", "message_id": letter.message_id}
        assert logged(engine_state, "finish_generation", **failed) == DELIVERIES


def test_a_job_in_the_dead_letters_keeps_its_hold_and_can_be_canceled(buried: Buried) -> None:
    _, canceled = buried.stuck_jobs
    assert buried.stuck.generation(canceled)["credits"]["held"] == 1

    assert buried.stuck.cancel(canceled).json()["status"] == "canceled"

    assert buried.stuck.generation(canceled)["credits"] == REFUNDED
    assert_credits_add_up(buried.stuck)


def test_a_redrive_completes_the_job_that_waits_and_changes_none_that_has_ended(
    buried: Buried, state_dir: Path
) -> None:
    waits, canceled = buried.stuck_jobs
    buried.stuck.cancel(canceled)
    before = buried.stuck.generation(canceled)
    # The cause is mended.
    buried.rows.set_width(buried.stuck.name, waits, SIZE)

    assert local("redrive", "GenerationQueue", state_dir=state_dir) == (
        "GenerationQueue: 4 messages moved back\n"
    )

    assert buried.stuck.wait(waits, "succeeded")["credits"] == CHARGED
    # Only the two that will never be read are to be delivered again.
    eventually(buried.starts.undone, lambda count: count == 2)
    assert buried.stuck.generation(canceled) == before
    assert_credits_add_up(buried.stuck)
    assert buried.starts.buried() == 0


def test_jobs_end_without_the_messages_that_lie_in_the_dead_letters(
    buried: Buried, advance: Advance, reconcile: Reconcile, state_dir: Path
) -> None:
    advance(35)
    ended = buried.broken.wait_all(buried.broken_jobs, meanwhile=reconcile)

    assert [(g["status"], g["credits"]) for g in ended] == [("failed", REFUNDED)] * 2
    assert_credits_add_up(buried.broken)

    # What is brought back afterwards has nothing left to do.
    assert "4 messages moved back" in local("redrive", "GenerationWebhookQueue", state_dir=state_dir)
    eventually(buried.finishes.undone, lambda count: count == 2)
    assert [buried.broken.generation(id_) for id_ in buried.broken_jobs] == ended
    assert_credits_add_up(buried.broken)


def test_nothing_to_bring_back_is_said_clearly(buried: Buried, state_dir: Path) -> None:
    local("redrive", state_dir=state_dir)

    assert local("redrive", state_dir=state_dir).splitlines() == [
        "GenerationQueue: no dead letters to move",
        "GenerationWebhookQueue: no dead letters to move",
        "PhotoQueue: no dead letters to move",
        "TrainingQueue: no dead letters to move",
        "TrainingWebhookQueue: no dead letters to move",
    ]


def test_an_unknown_queue_is_refused_by_naming_the_known_ones(state_dir: Path) -> None:
    done = run("redrive", "PostQueue", state_dir=state_dir)

    assert done.returncode == 1
    assert "GenerationQueue, GenerationWebhookQueue, PhotoQueue" in done.stderr


def test_what_the_stream_keeps_can_be_published_again(
    user: User, engine_state: State, state_dir: Path, tmp_path: Path
) -> None:
    """As the dead letters of publish_changes are replayed: they name a place in the stream, no changes."""
    user.wait(user.create()["id"], "succeeded")
    streams = aws.client("dynamodbstreams", engine_state.aws_endpoint_url)
    (stream,) = streams.list_streams(TableName=engine_state.tables["generations"])["Streams"]
    shards = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=stream["StreamArn"],
        ShardId=shards[0]["ShardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=shards[0]["SequenceNumberRange"]["StartingSequenceNumber"],
    )["ShardIterator"]
    records = streams.get_records(ShardIterator=iterator, Limit=10)
    assert any(record["dynamodb"]["Keys"]["id"]["S"].startswith("gen_") for record in records["Records"])
    batch = tmp_path / "batch.json"
    batch.write_text(json.dumps(records, default=str))

    answer = local("invoke", "publish_changes", "--event", str(batch), state_dir=state_dir)

    assert json.loads(answer) == {"batchItemFailures": []}
