"""Delete a personal model: what runs for it first, then all that is stored of it, here and there."""

from __future__ import annotations

from collections.abc import Iterator

from revela.domain.change import Change, ModelWrite, PhotoWrite
from revela.domain.errors import Conflict, NotFound, NotNow
from revela.domain.job import Job
from revela.domain.personal_model import ModelState, PersonalModel
from revela.domain.training import Training
from revela.ports import ModelRef, Page, Ports, Ref
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.cancel_training import cancel_training
from revela.usecases.contention import contended

_PAGE = 100
# DynamoDB takes a hundred items in one transaction.
_PHOTOS_AT_ONCE = 50


def delete_model(ref: ModelRef, *, ports: Ports) -> PersonalModel:
    """Close the model to everybody and have `reconcile_jobs` delete it; asking again changes nothing.

    Raises:
        NotFound: the user has no such model.
    """
    for _ in contended(ports):
        model = ports.models.get(ref)
        if model is None:
            raise NotFound("not_found")
        if model.state is ModelState.DELETING:
            return model
        now = ports.clock.now()
        closed = model.changed(now, state=ModelState.DELETING, due_at=now)
        try:
            ports.changes.commit(Change(now=now, model=ModelWrite(model, closed)))
        except Conflict:
            continue
        ports.telemetry.info("model_closed", user_id=ref.user_id, model_id=ref.id)
        return closed
    raise NotNow("write_conflict")


def resume_deletion(ref: ModelRef, *, ports: Ports) -> None:
    """Go on with a deletion; whatever is left of it is due again.

    Nothing can start for a closed model. What is under way is canceled and waited for: to delete a
    version at the provider deletes its predictions and their outputs as well.

    Raises:
        Transient: something did not do as it was asked.
    """
    trainings = list(_trainings(ref, ports))
    model = ports.models.get(ref)
    if model is None:
        return
    if running := _cancel(ref, trainings, model.consent.withdrawn_at is not None, ports):
        ports.telemetry.info("model_deletion_waits", model_id=ref.id, jobs=running)
        return
    # Of a training that ended otherwise as well: what it has trained is somebody's face all the same.
    for version in sorted({row.trained_version for row in trainings if row.trained_version is not None}):
        ports.provider.delete_version(version)
    for prefix in (model.incoming_prefix, model.photos_prefix, model.weights_prefix):
        ports.objects.delete_prefix(prefix)
    try:
        _forget(model, trainings, ports)
    except Conflict:
        # Someone else resumes it, or a photo's check has just ended: it is due again.
        ports.telemetry.info("model_deletion_taken_over", model_id=ref.id)
        return
    ports.telemetry.count("ModelsDeleted")
    ports.telemetry.info("model_deleted", user_id=ref.user_id, model_id=ref.id)


def cancel_what_runs(ref: ModelRef, *, ports: Ports) -> None:
    """Cancel every job of a closed model that can still be canceled; nobody is charged for it."""
    _cancel(ref, list(_trainings(ref, ports)), True, ports)


def _cancel(ref: ModelRef, trainings: list[Training], free: bool, ports: Ports) -> int:
    """Return how many jobs have not ended, canceled or not."""
    running: list[Job] = [row for row in trainings if row.state.live]
    running += ports.generations.live_of(ref)
    for row in running:
        _end(row, free, ports)
    return len(running)


def _forget(model: PersonalModel, trainings: list[Training], ports: Ports) -> None:
    """Forget the rows, the model's own last: as long as it is there, its deletion is due."""
    now = ports.clock.now()
    photos = ports.photos.of(ModelRef(model.user_id, model.id))
    for start in range(0, len(photos), _PHOTOS_AT_ONCE):
        gone = tuple(PhotoWrite(photo, None) for photo in photos[start : start + _PHOTOS_AT_ONCE])
        ports.changes.commit(Change(now=now, photos=gone))
    for row in trainings:
        ports.trainings.remove(row)
    ports.changes.commit(Change(now=now, model=ModelWrite(model, None)))


def _end(row: Job, free: bool, ports: Ports) -> None:
    ref = Ref(row.user_id, row.id)
    try:
        if ref.of_training:
            cancel_training(ref, ports=ports, free=free)
        else:
            cancel_generation(ref, ports=ports, free=free)
    except (NotFound, NotNow):
        # It is ending by itself.
        return


def _trainings(ref: ModelRef, ports: Ports) -> Iterator[Training]:
    cursor: str | None = None
    while True:
        page: Page[Training] = ports.trainings.page(ref, limit=_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return
