from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from revela.domain.errors import NotFound, NotNow, Transient
from revela.domain.job import State
from revela.domain.ledger import EntryKind
from revela.ports import Ref
from revela.usecases.delete_generation import delete_generation
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA, System, ref
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile

# Each in its order: the row is marked, both prefixes are emptied, the row goes.
STEPS = [
    ("FakeChanges.commit", 1),
    ("FakeObjects.delete_prefix", 1),
    ("FakeObjects.delete_prefix", 2),
    ("FakeGenerations.remove", 1),
]


def test_images_and_row_go_and_the_ledger_stays(system: System, ports: FakePorts) -> None:
    row = system.succeeded(num_outputs=2)

    delete_generation(ref(row), ports=ports)

    assert not ports.objects.stored
    assert not ports.store.generations
    entries = ports.store.ledger_of(system.account().account_id)
    assert [(e.kind, e.credits) for e in entries if e.cause == row.id] == [(EntryKind.CAPTURE, -2)]


def test_everything_below_its_prefixes_goes_whatever_the_row_lists(system: System, ports: FakePorts) -> None:
    row = system.succeeded()
    for prefix in (row.published_prefix, row.quarantine_prefix):
        ports.objects.put_bytes(f"{prefix}left-by-a-dead-worker", b"x", content_type="image/webp")

    delete_generation(ref(row), ports=ports)

    assert not ports.objects.stored


def test_the_images_of_another_generation_stay(system: System, ports: FakePorts) -> None:
    row, other = system.succeeded(), system.succeeded()

    delete_generation(ref(row), ports=ports)

    assert set(ports.objects.stored) == {key for o in other.outputs for key in (o.key, o.thumbnail_key)}


def test_failed_and_canceled_jobs_can_be_deleted(system: System, ports: FakePorts) -> None:
    row = system.processing()
    system.hear(row, ports.provider.fail(system.prediction(row).id, "NSFW content detected"))

    delete_generation(ref(row), ports=ports)

    assert not ports.store.generations


@pytest.mark.parametrize(
    "make",
    [
        lambda system: system.accept(),
        lambda system: [system.accept(), system.accept()][1],
        lambda system: system.starting(created=False),
        lambda system: system.processing(),
        lambda system: system.saving(),
    ],
    ids=["queued", "waiting", "starting", "processing", "saving"],
)
def test_what_has_not_ended_cannot_be_deleted(
    make: Callable[[System], object], system: System, ports: FakePorts
) -> None:
    make(system)
    row = max(ports.store.generations.values(), key=lambda r: r.id)

    with pytest.raises(NotNow) as refused:
        delete_generation(ref(row), ports=ports)

    assert refused.value.code == "generation_running"
    assert system.row(row) == row


def test_others_generations_are_not_found(system: System, ports: FakePorts) -> None:
    row = system.succeeded(ANA)

    with pytest.raises(NotFound):
        delete_generation(Ref(BIA, row.id), ports=ports)

    assert system.row(row) == row


def test_deleting_what_is_gone_is_not_found(system: System, ports: FakePorts) -> None:
    row = system.succeeded()
    delete_generation(ref(row), ports=ports)

    with pytest.raises(NotFound):
        delete_generation(ref(row), ports=ports)


def test_what_is_being_deleted_is_not_listed(system: System, ports: FakePorts) -> None:
    row = system.succeeded()
    with dies_after(ports, "FakeChanges.commit"):
        delete_generation(ref(row), ports=ports)

    assert system.row(row).state is State.DELETING
    assert not ports.generations.page(ANA, limit=9, cursor=None, state=None, model=None).items


@pytest.mark.parametrize("dies", [dies_before, dies_after])
@pytest.mark.parametrize(("call", "nth"), STEPS)
def test_asking_again_resumes_after_a_crash_at_any_step(
    dies: Callable[..., AbstractContextManager[None]], call: str, nth: int, system: System, ports: FakePorts
) -> None:
    row = system.succeeded()
    with dies(ports, call, nth=nth):
        delete_generation(ref(row), ports=ports)

    if ref(row) in ports.store.generations:
        delete_generation(ref(row), ports=ports)

    assert not ports.objects.stored
    assert not ports.store.generations


@pytest.mark.parametrize(("call", "nth"), STEPS[:-1])
def test_reconcile_resumes_after_a_crash_at_any_step(
    call: str, nth: int, system: System, ports: FakePorts
) -> None:
    row = system.succeeded()
    with dies_after(ports, call, nth=nth):
        delete_generation(ref(row), ports=ports)

    system.reconcile(after=timedelta(minutes=2))

    assert not ports.objects.stored
    assert not ports.store.generations


def test_a_bucket_that_fails_is_asked_again_until_it_is_done(system: System, ports: FakePorts) -> None:
    row = system.succeeded()
    ports.objects.failure = Transient("the bucket is away")
    with pytest.raises(Transient):
        delete_generation(ref(row), ports=ports)

    for _ in range(3):
        assert system.reconcile(after=timedelta(minutes=2)) == 1
    ports.objects.failure = None
    system.reconcile(after=timedelta(minutes=2))

    assert not ports.objects.stored
    assert not ports.store.generations


def test_two_deletes_at_once_end_with_it_gone(system: System, ports: FakePorts) -> None:
    row = system.succeeded()

    with meanwhile(ports, "FakeGenerations.remove", lambda: delete_generation(ref(row), ports=ports)):
        delete_generation(ref(row), ports=ports)

    assert not ports.store.generations


def test_a_visit_of_reconcile_between_two_steps_leaves_the_row_to_its_next_visit(
    system: System, ports: FakePorts
) -> None:
    row = system.succeeded()

    def reconcile_dies() -> None:
        with dies_before(ports, "FakeObjects.delete_prefix"):
            system.reconcile(after=timedelta(minutes=2))

    with meanwhile(ports, "FakeGenerations.remove", reconcile_dies):
        delete_generation(ref(row), ports=ports)
    assert system.row(row).state is State.DELETING

    system.reconcile(after=timedelta(minutes=2))

    assert not ports.store.generations


def test_a_late_webhook_brings_nothing_back(system: System, ports: FakePorts) -> None:
    row = system.succeeded()
    done = system.prediction(row)
    delete_generation(ref(row), ports=ports)

    system.tell(ref(row), done, attempt=1)

    assert not ports.store.generations
    assert not ports.objects.stored
    assert ports.store.predictions[done.id].owner == f"{row.id}:1"
