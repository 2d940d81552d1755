"""Withdraw the consent behind a personal model: nothing more is made or shown, and the model is deleted."""

from __future__ import annotations

from revela.domain.change import Change, ModelWrite
from revela.domain.errors import Conflict, NotFound, NotNow
from revela.domain.personal_model import ModelState, PersonalModel
from revela.ports import ModelRef, Ports
from revela.usecases.contention import contended
from revela.usecases.delete_model import cancel_what_runs


def withdraw_consent(ref: ModelRef, *, ports: Ports) -> PersonalModel:
    """Return the model, closed; `reconcile_jobs` deletes it. Asking again changes nothing.

    From the first write on no job of it is sent to the provider and no image of it is published, whatever
    is under way; jobs are canceled here already, so that they do not run on until the deletion sees them.

    Raises:
        NotFound: the user has no such model.
        NotNow: others wrote it for too long.
    """
    model = _withdrawn(ref, ports)
    cancel_what_runs(ref, ports=ports)
    return model


def _withdrawn(ref: ModelRef, ports: Ports) -> PersonalModel:
    for _ in contended(ports):
        model = ports.models.get(ref)
        if model is None:
            raise NotFound("not_found")
        if model.consent.withdrawn_at is not None:
            return model
        now = ports.clock.now()
        consent = model.consent.model_copy(update={"withdrawn_at": now})
        closed = model.changed(now, state=ModelState.DELETING, consent=consent, due_at=now)
        try:
            ports.changes.commit(Change(now=now, model=ModelWrite(model, closed)))
        except Conflict:
            continue
        ports.telemetry.count("ConsentsWithdrawn")
        ports.telemetry.info("consent_withdrawn", user_id=ref.user_id, model_id=ref.id)
        return closed
    raise NotNow("write_conflict")
