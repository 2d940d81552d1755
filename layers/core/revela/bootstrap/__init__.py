"""The use cases, wired: what functions call.

At import nothing is loaded but the settings, so that the webhook's door starts fast; each use case is loaded
when it is first asked for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol

from revela.bootstrap.wiring import Wiring
from revela.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

    from revela.domain.account import Account
    from revela.domain.generation import Generation
    from revela.domain.ledger import LedgerEntry
    from revela.domain.personal_model import PersonalModel
    from revela.domain.photo import Photo
    from revela.domain.training import Training
    from revela.ports import (
        Page,
        Ref,
    )
    from revela.usecases.accept_generation import Accepted
    from revela.usecases.accept_training import AcceptedTraining
    from revela.usecases.advise_training import AdviceView
    from revela.usecases.hear_webhook import Verdict
    from revela.usecases.list_photos import PhotosView
    from revela.usecases.request_photo_uploads import PhotoUpload
    from revela.usecases.show_account import AccountView
    from revela.usecases.show_generation import GenerationView
    from revela.usecases.show_model import ModelView


class LambdaContext(Protocol):
    def get_remaining_time_in_millis(self) -> int: ...


@cache
def ports() -> Wiring:
    return Wiring(Settings())


def logger() -> Logger:
    return ports().logger


def metrics() -> Metrics:
    return ports().metrics


def ends_at(context: LambdaContext) -> datetime:
    """Return when this invocation will be stopped, by the clock that the use cases see."""
    return ports().clock.now() + timedelta(milliseconds=context.get_remaining_time_in_millis())


@cache
def hear_webhook() -> partial[Verdict]:
    from revela.adapters.replicate.webhooks import reduced_prediction
    from revela.adapters.webhook_proofs import WebhookProofs
    from revela.adapters.webhook_reports import WebhookReports
    from revela.usecases.hear_webhook import DoorPorts, hear_webhook

    wiring = ports()
    return partial(
        hear_webhook,
        ports=DoorPorts(
            proofs=WebhookProofs(wiring.webhook_secrets),
            reports=WebhookReports(wiring.client("sqs"), wiring.settings.queues),
            reduced=reduced_prediction,
            clock=wiring.clock,
            telemetry=wiring.telemetry,
        ),
    )


@cache
def accept_generation() -> partial[Accepted]:
    from revela.usecases.accept_generation import accept_generation

    return partial(accept_generation, ports=ports())


@cache
def accept_training() -> partial[AcceptedTraining]:
    from revela.usecases.accept_training import accept_training

    return partial(accept_training, ports=ports())


@cache
def advise_training() -> partial[AdviceView]:
    from revela.usecases.advise_training import advise_training

    return partial(advise_training, ports=ports())


@cache
def appeal_generation() -> partial[Generation]:
    from revela.usecases.appeal_generation import appeal_generation

    return partial(appeal_generation, ports=ports())


@cache
def cancel_generation() -> partial[Generation]:
    from revela.usecases.cancel_generation import cancel_generation

    return partial(cancel_generation, ports=ports())


@cache
def cancel_training() -> partial[Training]:
    from revela.usecases.cancel_training import cancel_training

    return partial(cancel_training, ports=ports())


@cache
def change_model() -> partial[PersonalModel]:
    from revela.usecases.change_model import change_model

    return partial(change_model, ports=ports())


@cache
def change_photo() -> partial[Photo]:
    from revela.usecases.change_photo import change_photo

    return partial(change_photo, ports=ports())


@cache
def check_photo() -> partial[None]:
    from revela.usecases.check_photo import check_photo

    return partial(check_photo, ports=ports())


@cache
def create_model() -> partial[PersonalModel]:
    from revela.usecases.create_model import create_model

    return partial(create_model, ports=ports())


@cache
def delete_generation() -> partial[None]:
    from revela.usecases.delete_generation import delete_generation

    return partial(delete_generation, ports=ports())


@cache
def delete_model() -> partial[PersonalModel]:
    from revela.usecases.delete_model import delete_model

    return partial(delete_model, ports=ports())


@cache
def delete_photo() -> partial[None]:
    from revela.usecases.delete_photo import delete_photo

    return partial(delete_photo, ports=ports())


@cache
def finish_generation() -> partial[None]:
    from revela.usecases.finish_generation import finish_generation

    return partial(finish_generation, ports=ports())


@cache
def finish_training() -> partial[None]:
    from revela.usecases.finish_training import finish_training

    return partial(finish_training, ports=ports())


@cache
def grant_credits() -> partial[Account]:
    from revela.usecases.grant_credits import grant_credits

    return partial(grant_credits, ports=ports())


@cache
def lift_suspension() -> partial[Account]:
    from revela.usecases.lift_suspension import lift_suspension

    return partial(lift_suspension, ports=ports())


@cache
def list_generations() -> partial[Page[GenerationView]]:
    from revela.usecases.list_generations import list_generations

    return partial(list_generations, ports=ports())


@cache
def list_ledger() -> partial[Page[LedgerEntry]]:
    from revela.usecases.list_ledger import list_ledger

    return partial(list_ledger, ports=ports())


@cache
def list_models() -> partial[Page[PersonalModel]]:
    from revela.usecases.show_model import list_models

    return partial(list_models, ports=ports())


@cache
def list_photos() -> partial[PhotosView]:
    from revela.usecases.list_photos import list_photos

    return partial(list_photos, ports=ports())


@cache
def list_trainings() -> partial[Page[Training]]:
    from revela.usecases.show_training import list_trainings

    return partial(list_trainings, ports=ports())


@cache
def open_account() -> partial[Account]:
    from revela.usecases.open_account import open_account

    return partial(open_account, ports=ports())


@cache
def publish_changes() -> partial[Any]:
    from revela.usecases.publish_changes import publish_changes

    return partial(publish_changes, ports=ports())


@cache
def reconcile_jobs() -> partial[int]:
    from revela.usecases.reconcile_jobs import reconcile_jobs

    return partial(reconcile_jobs, ports=ports())


@cache
def request_photo_uploads() -> partial[list[PhotoUpload]]:
    from revela.usecases.request_photo_uploads import request_photo_uploads

    return partial(request_photo_uploads, ports=ports())


@cache
def show_account() -> partial[AccountView]:
    from revela.usecases.show_account import show_account

    return partial(show_account, ports=ports())


@cache
def show_generation() -> partial[GenerationView]:
    from revela.usecases.show_generation import show_generation

    return partial(show_generation, ports=ports())


@cache
def show_model() -> partial[ModelView]:
    from revela.usecases.show_model import show_model

    return partial(show_model, ports=ports())


@cache
def show_photo() -> partial[PhotosView]:
    from revela.usecases.show_photo import show_photo

    return partial(show_photo, ports=ports())


@cache
def show_training() -> partial[Training]:
    from revela.usecases.show_training import show_training

    return partial(show_training, ports=ports())


@cache
def start_generation() -> partial[list[Ref]]:
    from revela.usecases.start_generation import start_generation

    return partial(start_generation, ports=ports())


@cache
def start_training() -> partial[None]:
    from revela.usecases.start_training import start_training

    return partial(start_training, ports=ports())


@cache
def withdraw_consent() -> partial[PersonalModel]:
    from revela.usecases.withdraw_consent import withdraw_consent

    return partial(withdraw_consent, ports=ports())
