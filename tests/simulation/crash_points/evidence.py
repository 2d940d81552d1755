"""What must be true at the end of a history, told by the oracle of the money and by the contract."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from revela.domain.change import ORPHAN
from revela.domain.generation import Generation
from revela.domain.job import Job, State
from revela.ports import ModelRef, Ref
from tests.fakes import FakePorts
from tests.simulation.crash_points.history import History
from tests.simulation.crash_points.scenarios import Scenario
from tests.unit.usecases.money import assert_sound

# From the last fault, or from what was asked for after it, to the end of the last job. Below the 12 minutes
# after which a finish message is delivered again: the schedule alone is to repair what a worker left.
TERMINAL_WITHIN = timedelta(minutes=10)


def assert_at_rest(history: History, scenario: Scenario) -> None:
    """Assert every invariant over what is stored, and that every job ended as it may, in time."""
    stored = history.on.stored()
    assert_sound(stored)
    _assert_outputs_are_whole(stored)
    jobs: list[Job] = [*stored.store.generations.values(), *stored.store.trainings.values()]
    rows = {row.id: row for row in jobs}
    for (key, ref), ends in zip(history.accepted.items(), scenario.ends, strict=True):
        deleted = ref.id in history.deleted or (ref.of_training and _model_of(ref) in history.closed)
        assert (ref.id not in rows) == deleted, f"{key}: {'still there' if deleted else 'gone'}"
        assert deleted or rows[ref.id].state in ends, f"{key} ended {rows[ref.id].state}"
    # An idempotency key makes one job, however often it was sent.
    assert rows.keys() <= {ref.id for ref in history.accepted.values()}
    for account in stored.store.accounts.values():
        assert (account.held, account.running, account.waiting, account.trainings) == (0, 0, 0, 0)
    assert not history.starts.dead_letters
    assert not history.finishes.dead_letters
    _assert_nothing_else_is_published(stored)
    _assert_only_what_can_be_appealed_is_kept(stored, history)
    _assert_images_are_charged_once(stored)
    _assert_strikes_are_counted(stored, history)
    _assert_nothing_is_left_of_closed_models(stored, history)
    _assert_no_prediction_is_lost(stored, history)
    assert history.repaired_in <= TERMINAL_WITHIN + scenario.waits, (
        f"the last ended after {history.repaired_in}"
    )


def _assert_outputs_are_whole(stored: FakePorts) -> None:
    """Every output that a row records is in the bucket, byte for byte as it was recorded."""
    for row in _succeeded(stored):
        assert len(row.outputs) + len(row.blocked) == row.num_outputs, row.id
        for output in row.outputs:
            data = stored.objects.stored[output.key].data
            assert hashlib.sha256(data).hexdigest() == output.sha256, row.id
            assert stored.objects.stored[output.thumbnail_key].data, row.id


def _assert_nothing_else_is_published(stored: FakePorts) -> None:
    recorded = {key for row in _succeeded(stored) for o in row.outputs for key in (o.key, o.thumbnail_key)}
    published = {key for key in stored.objects.stored if key.startswith("users/")}
    assert published == recorded, f"{published ^ recorded}"


def _assert_only_what_can_be_appealed_is_kept(stored: FakePorts, history: History) -> None:
    """Blocked images are in quarantine as long as they can be appealed, and nobody is given a URL of them."""
    ports, now = history.on.new_process(), history.on.now()
    blocked = [image for row in stored.store.generations.values() for image in row.blocked]
    kept = {image.key for image in blocked if image.appealable_until and image.appealable_until > now}
    assert kept == {key for key in stored.objects.stored if key.startswith("quarantine/")}
    for key in kept:
        assert key is not None
        with pytest.raises(ValueError, match="nobody may be shown"):
            ports.objects.presign([key])


def _assert_images_are_charged_once(stored: FakePorts) -> None:
    """These flows block fewer images than are free: what is shown is charged, and nothing else."""
    for row in stored.store.generations.values():
        if row.state is not State.CANCELED:
            assert row.credits_charged == len(row.outputs) * row.credits_per_image, row.id


def _assert_strikes_are_counted(stored: FakePorts, history: History) -> None:
    """A settlement counts one, exactly once; a refusal of the API one for each time that it was sent.

    Who was not answered has been counted or not: it is sent again, and then counted for sure.
    """
    jobs = [*stored.store.generations.values(), *history.deleted.values()]
    settled = sum(_is_struck(row) for row in jobs)
    for account in stored.store.accounts.values():
        most, least = settled + history.refusals.sent, settled + history.refusals.answered
        assert least <= account.strikes_today <= most, f"{account.strikes_today} strikes"


def _is_struck(row: Job) -> bool:
    if not isinstance(row, Generation):
        return False
    return bool(row.blocked) or (row.failure is not None and row.failure.code == "prompt_moderated")


def _assert_nothing_is_left_of_closed_models(stored: FakePorts, history: History) -> None:
    """Neither rows, photos nor weights, nor images that were under way when consent was withdrawn."""
    assert history.closed.isdisjoint(history.on.models())
    for model in history.closed:
        assert not [key for key in stored.objects.stored if model.id in key]
        assert not [row.id for row in stored.store.photos.values() if row.model_id == model.id]
        rows = stored.store.generations.values()
        assert not [row.id for row in rows if row.model == model.id and row.outputs]


def _model_of(training: Ref) -> ModelRef:
    return ModelRef(training.user_id, training.id.partition("#")[0])


def _assert_no_prediction_is_lost(stored: FakePorts, history: History) -> None:
    """Each prediction is over, belongs to one job or is marked as an orphan, and was settled by one.

    A crash alone orphans none: Replicate answers in the end, and whatever it made is found again by its
    webhook or its listing. Only a create that takes effect when another was sent in its place does.
    """
    predictions = history.on.predictions()
    assert all(predictions.values()), "a prediction runs on"
    settled = [row.prediction_id for row in history.rows() if row.prediction_id]
    assert len(set(settled)) == len(settled), "two jobs settled one prediction"
    owners = {id_: claim.owner for id_, claim in stored.store.predictions.items()}
    assert not set(predictions) - set(owners), "a prediction that nobody knows of"
    marked = sum(owner.startswith(ORPHAN) for owner in owners.values())
    assert marked == history.orphans, f"{history.orphans} orphans, {marked} marked"
    assert marked <= history.late_creates, f"{marked} orphans"


def _succeeded(stored: FakePorts) -> list[Generation]:
    rows = stored.store.generations.values()
    return [row for row in rows if row.state is State.SUCCEEDED]
