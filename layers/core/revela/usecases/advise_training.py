"""Advise on a training: parameters with their reasons and price, before anybody pays."""

from __future__ import annotations

from dataclasses import dataclass

from revela.domain import account as accounts
from revela.domain.photo_report import PhotoReport, report
from revela.domain.training_advice import TrainingAdvice
from revela.domain.training_advice import advise_training as advise
from revela.ports import ModelRef, Ports
from revela.usecases import personal_models
from revela.usecases.open_account import open_account


@dataclass(frozen=True)
class AdviceView:
    advice: TrainingAdvice
    photos: PhotoReport
    available_credits: int


def advise_training(ref: ModelRef, trainer_id: str | None, *, ports: Ports) -> AdviceView:
    """Raises NotFound, NotNow while the model is being deleted, InvalidRequest for an unknown trainer."""
    model = personal_models.get(ref, ports=ports)
    photos = report(personal_models.photos_now(ref, ports=ports), kind=model.kind)
    account = open_account(ref.user_id, ports=ports)
    advice = advise(
        ports.catalog,
        kind=model.kind,
        photos=photos,
        plan=ports.catalog.plan(account.plan),
        trainer_id=trainer_id,
    )
    # Lapsed grants pay for nothing, though the next hold is what writes them off.
    available = accounts.expire(account, now=ports.clock.now()).account.available
    return AdviceView(advice, photos, available)
