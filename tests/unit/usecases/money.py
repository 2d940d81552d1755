"""What must be true of everything stored, whatever has happened: money, places, rows, predictions.

Written from the contract alone: it shares no arithmetic with `revela.domain`, so that a mistake there
shows here. Each function asserts one group and says whose account or which job breaks it.
"""

from __future__ import annotations

import hashlib
from collections import Counter

from revela.domain.account import Account
from revela.domain.generation import Generation
from revela.domain.job import Job, State
from revela.domain.ledger import EntryKind
from revela.domain.messages import FAILURES
from revela.domain.training import Training
from revela.domain.training_messages import TRAINING_FAILURES
from tests.fakes import FakeObjects, FakePorts, Store

RUNNING = {State.QUEUED, State.STARTING, State.PROCESSING, State.SAVING, State.JUDGING}
LIVE = {State.WAITING, *RUNNING}
GIVES = {EntryKind.GRANT}
ENDED = {State.SUCCEEDED, State.FAILED, State.CANCELED}


def assert_sound(ports: FakePorts) -> None:
    """Assert every invariant over what is stored."""
    store = ports.store
    for account in store.accounts.values():
        assert_books_balance(account, store)
        assert_grants_hold_what_is_available(account)
        assert_places_are_counted(account, store)
    for row in store.generations.values():
        assert_hold_matches_state(row, store)
        assert_row_fits_state(row)
        assert_generation_fits_state(row)
        assert_nothing_unjudged_is_shown(row, ports.objects)
        assert_prediction_is_owned(row, store)
        assert_outputs_exist(row, ports.objects)
    for training in store.trainings.values():
        assert_training_is_settled_whole(training, store)
        assert_row_fits_state(training)
        assert_training_fits_state(training, store)
        assert_prediction_is_owned(training, store)
    assert_one_capture_per_job(store)
    assert_no_strangers(store)


def assert_books_balance(account: Account, store: Store) -> None:
    """Entries are numbered without a gap, and alone tell the balance and what was spent."""
    who = account.user_id
    entries = store.ledger_of(account.account_id)
    assert [e.number for e in entries] == list(range(1, account.entries + 1)), who
    balance = 0
    for entry in entries:
        balance += entry.credits
        assert entry.balance == balance, f"{who}: entry {entry.number}"
        assert entry.cause, f"{who}: entry {entry.number}"
        assert (entry.kind in GIVES) == (entry.credits > 0), f"{who}: entry {entry.number}"
        assert (entry.kind is EntryKind.CAPTURE) <= (entry.price_version is not None), who
    total = {kind: sum(e.credits for e in entries if e.kind is kind) for kind in EntryKind}
    brought_in = total[EntryKind.GRANT] + total[EntryKind.ADJUST] + total[EntryKind.VOID]
    assert account.available + account.held + account.spent == brought_in + total[EntryKind.EXPIRE], who
    assert account.available + account.held == balance, who
    assert account.spent == -total[EntryKind.CAPTURE], who
    # Only a clawback may push `available` below nothing, and there is none yet.
    assert min(account.available, account.held, account.spent) >= 0, who


def assert_grants_hold_what_is_available(account: Account) -> None:
    assert sum(g.remaining for g in account.grants) == account.available, account.user_id
    assert all(g.remaining >= 0 for g in account.grants), account.user_id
    assert len({g.id for g in account.grants}) == len(account.grants), account.user_id


def assert_places_are_counted(account: Account, store: Store) -> None:
    """Holds and counted jobs are exactly the live rows; each waiter has its pointer."""
    who = account.user_id
    rows = [row for row in store.generations.values() if row.user_id == who]
    trainings = [row for row in store.trainings.values() if row.user_id == who and row.state in LIVE]
    live = [row for row in rows if row.state in LIVE]
    assert account.held == sum(row.credits_held for row in [*live, *trainings]), who
    assert account.trainings == len(trainings), who
    assert account.running == sum(row.state in RUNNING for row in rows), who
    waiting = {row.id for row in rows if row.state is State.WAITING}
    assert account.waiting == len(waiting), who
    pointers = {key: ref for key, ref in store.pointers.items() if key[0] == who}
    assert {ref.id for ref in pointers.values()} == waiting, who
    assert all(key[1].removeprefix("wait#") == ref.id.removeprefix("gen_") for key, ref in pointers.items())


def assert_hold_matches_state(row: Generation, store: Store) -> None:
    """A job is settled exactly when it has ended, and then charged + refunded == what was held."""
    captured = [e.credits for e in store.entries.values() if e.cause == row.id]
    assert sum(p.credits for p in row.held_from) == row.credits_held, row.id
    assert row.credits_held == row.credits_per_image * row.num_outputs, row.id
    if row.state in LIVE:
        assert not captured, row.id
        assert (row.credits_charged, row.credits_refunded) == (0, 0), row.id
        return
    assert row.credits_charged + row.credits_refunded == row.credits_held, row.id
    assert captured == ([-row.credits_charged] if row.credits_charged else []), row.id
    by_image = len(row.outputs) * row.credits_per_image
    # Blocked images are free up to the plan's number of a day; beyond it some or all of them are charged.
    with_blocked = {by_image + n * row.credits_per_image for n in range(len(row.blocked) + 1)}
    # What the user canceled while the provider ran it is charged whole beyond the day's free cancels.
    canceled_late = row.state is State.CANCELED and row.started_at is not None
    assert row.credits_charged in ({0, row.credits_held} if canceled_late else with_blocked), row.id


def assert_training_is_settled_whole(row: Training, store: Store) -> None:
    """A training is paid whole when a version came of it, and not at all otherwise, but for late cancels."""
    captured = [e.credits for e in store.entries.values() if e.cause == row.id]
    assert sum(p.credits for p in row.held_from) == row.credits_held, row.id
    if row.state in LIVE:
        assert not captured, row.id
        assert (row.credits_charged, row.credits_refunded) == (0, 0), row.id
        return
    assert row.credits_charged + row.credits_refunded == row.credits_held, row.id
    assert captured == ([-row.credits_charged] if row.credits_charged else []), row.id
    may_be = {State.SUCCEEDED: {row.credits_held}, State.CANCELED: {0, row.credits_held}}
    assert row.credits_charged in may_be.get(row.state, {0}), row.id


def assert_row_fits_state(row: Job) -> None:
    """Everything live is due some day; each state has what the next move needs, and nothing stale."""
    assert (row.due_at is None) == (row.state in ENDED), row.id
    if row.state in (State.WAITING, State.QUEUED):
        assert row.cancel_requested_at is None, row.id
        assert not any((row.prediction_id, row.fingerprint, row.lease_until, row.deadline_at)), row.id
    if row.state is State.STARTING:
        assert row.prediction_id is None, row.id
        assert row.fingerprint, row.id
        assert row.lease_until, row.id
        assert row.deadline_at, row.id
    if row.state in (State.PROCESSING, State.SAVING, State.JUDGING, State.SUCCEEDED):
        assert row.prediction_id, row.id
    assert (row.state is State.FAILED) <= (row.failure is not None), row.id
    known = TRAINING_FAILURES if isinstance(row, Training) else FAILURES
    assert row.failure is None or row.failure.code in known, row.id


def assert_generation_fits_state(row: Generation) -> None:
    assert (row.state is State.SUCCEEDED) <= bool(row.outputs), row.id
    assert bool(row.quarantined) == (row.state is State.JUDGING), row.id
    # Each image is either shown or blocked, and both only once it is settled.
    shown, blocked = {o.index for o in row.outputs}, {b.index for b in row.blocked}
    assert not shown & blocked, row.id
    assert bool(shown | blocked) <= row.settled, row.id
    if row.state in (State.STARTING, State.PROCESSING, State.SAVING, State.JUDGING):
        assert bool(row.doubts) <= (row.prompt_judged_at is not None), row.id


def assert_nothing_unjudged_is_shown(row: Generation, objects: FakeObjects) -> None:
    """What judges find harm in is in no place that anybody is given a URL of."""
    there = {key: found for key, found in objects.stored.items() if key.startswith(row.published_prefix)}
    assert not [key for key, found in there.items() if b"harm:" in found.data], row.id
    if not row.settled and row.state not in (State.SAVING, State.JUDGING):
        assert not [key for key in there if key.startswith(f"{row.published_prefix}{row.attempt}-")], row.id


def assert_training_fits_state(row: Training, store: Store) -> None:
    """A version is its model's exactly when its training succeeded; what runs has its photos uploaded."""
    if row.state in (State.SAVING, State.SUCCEEDED):
        assert row.trained_version, row.id
    if row.state in (State.STARTING, State.PROCESSING):
        assert row.input_file_id, row.id
        assert row.input_url, row.id
        assert row.destination, row.id
    model = store.models.get((row.user_id, row.model_id))
    assert model is not None, f"{row.id}: a training without its model"
    versions = [v.provider_version for v in model.versions if v.id == row.training_id]
    assert versions == ([row.trained_version] if row.state is State.SUCCEEDED else []), row.id


def assert_prediction_is_owned(row: Job, store: Store) -> None:
    """The prediction a row names is bound to it, by the attempt that it was made for."""
    if row.prediction_id is not None:
        assert store.predictions[row.prediction_id].owner == f"{row.id}:{row.attempt}", row.id


def assert_outputs_exist(row: Generation, objects: FakeObjects) -> None:
    """While a row shows images, they are there, byte for byte as they were downloaded."""
    if row.state is not State.SUCCEEDED:
        return
    for output in row.outputs:
        assert output.key in objects.stored, row.id
        assert output.thumbnail_key in objects.stored, row.id
        data = objects.stored[output.key].data
        assert (len(data), hashlib.sha256(data).hexdigest()) == (output.size_bytes, output.sha256), row.id


def assert_one_capture_per_job(store: Store) -> None:
    captures = Counter(e.cause for e in store.entries.values() if e.kind is EntryKind.CAPTURE)
    assert not [job for job, times in captures.items() if times > 1]


def assert_no_strangers(store: Store) -> None:
    """Nothing is stored for an account that does not exist."""
    assert {owner for owner, _ in store.entries} <= {a.account_id for a in store.accounts.values()}
    rows = [*store.generations.values(), *store.trainings.values()]
    assert {row.user_id for row in rows} <= set(store.accounts)
