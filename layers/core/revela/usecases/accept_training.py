"""Accept a training: its photos as they are now, its price held, and queue it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from revela.domain import account as accounts
from revela.domain.change import AccountWrite, Change, JobWrite, ModelWrite
from revela.domain.errors import Conflict, NotNow
from revela.domain.job import State
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import Photo
from revela.domain.photo_report import TRAINABLE
from revela.domain.policy import DISPATCH_DUE
from revela.domain.trainers import Trainer
from revela.domain.training import Training, TrainingPhoto
from revela.ports import ModelRef, Ports, Ref
from revela.usecases import idempotency, personal_models
from revela.usecases.contention import contended
from revela.usecases.model_health import require_available
from revela.usecases.moving import send_starts
from revela.usecases.strikes import standing_account

ROUTE = "trainings"


@dataclass(frozen=True)
class AcceptTraining:
    """`requested` holds the request's fields as sent, `trainer` among them."""

    model: ModelRef
    requested: Mapping[str, Any]
    idempotency_key: str | None = None


@dataclass(frozen=True)
class AcceptedTraining:
    training: Training
    replayed: bool


def accept_training(command: AcceptTraining, *, ports: Ports) -> AcceptedTraining:
    """Return the training, its credits held.

    Raises:
        NotFound: the user has no such model.
        InvalidRequest: fields that the trainer does not take; a key used with another body.
        NotNow: too few photos; the model is being deleted; the account was written by others for too long.
        NotInPlan, NoCredits, TooMany: as `account.hold_training`.
        Unavailable: the trainer rests.
    """
    requested = {"model": command.model.id, **command.requested}
    key = idempotency.key_of(command.model.user_id, ROUTE, command.idempotency_key, requested)
    wanted = {k: v for k, v in command.requested.items() if k != "trainer"}
    trainer = ports.catalog.trainer(command.requested.get("trainer"))
    id_ = f"{command.model.id}#{ports.entropy.new_id('trn', now=ports.clock.now())}"
    for _ in contended(ports):
        if known := idempotency.replay(key, ports=ports):
            assert isinstance(known, Training)  # the key names its route
            return AcceptedTraining(known, replayed=True)
        model = personal_models.get(command.model, ports=ports)
        params = trainer.complete(wanted)
        require_available(trainer.id, [other.id for other in ports.catalog.trainers], ports=ports)
        photos = personal_models.accepted_photos(command.model, ports=ports)
        if len(photos) < TRAINABLE:
            raise NotNow("too_few_photos", accepted=len(photos), needed=TRAINABLE)
        change = _accept(id_, model, trainer, params, photos, key, ports)
        try:
            ports.changes.commit(change)
        except Conflict:
            continue
        assert change.job is not None
        training = change.job.after
        assert isinstance(training, Training)
        ports.telemetry.count("TrainingsAccepted")
        ports.telemetry.count("CreditsHeld", training.credits_held)
        ports.telemetry.info(
            "training_accepted", user_id=training.user_id, training_id=training.id, trainer=trainer.id
        )
        send_starts([Ref(training.user_id, training.id)], ports=ports)
        return AcceptedTraining(training, replayed=False)
    raise NotNow("write_conflict")


def _accept(
    id_: str,
    model: PersonalModel,
    trainer: Trainer,
    params: Mapping[str, Any],
    photos: list[Photo],
    key: idempotency.Key | None,
    ports: Ports,
) -> Change:
    now = ports.clock.now()
    account = standing_account(model.user_id, ports=ports)
    cost = trainer.credits(params)
    hold = accounts.hold_training(account, ports.catalog.plan(account.plan), cost=cost, now=now)
    training = Training(
        user_id=model.user_id,
        id=id_,
        account_id=account.account_id,
        state=State.QUEUED,
        model_id=model.id,
        trainer=trainer.id,
        fine_tune=trainer.fine_tune,
        provider_version=trainer.provider.reference,
        params=dict(params),
        kind=model.kind,
        trigger_word=model.trigger_word,
        class_word=model.class_word,
        photos=tuple(_as_it_is(photo) for photo in photos),
        shows_faces=any(photo.verdict is None or photo.verdict.category for photo in photos),
        held_from=hold.held_from,
        credits_held=cost,
        price_version=ports.catalog.price_version,
        created_at=now,
        updated_at=now,
        due_at=now + DISPATCH_DUE,
    )
    return Change(
        now=now,
        job=JobWrite(None, training),
        account=AccountWrite(account, hold.posting.account),
        entries=hold.posting.entries,
        # As it was read: nobody trains a model that is being deleted.
        model=ModelWrite(model, model),
        idempotency_key=idempotency.first_answer(key, training, now=now),
    )


def _as_it_is(photo: Photo) -> TrainingPhoto:
    assert photo.facts is not None  # it was accepted
    assert photo.clean_key is not None
    return TrainingPhoto(id=photo.id, key=photo.clean_key, sha256=photo.facts.clean.sha256)
