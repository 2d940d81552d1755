"""Who stands behind each port: the only module that wires use cases to adapters.

Everything is made when it is first touched and kept for the life of the process: one client per
service, and a function loads only what its use case uses. At import nothing is loaded but the
settings, so that the webhook's door starts fast.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

from revela.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

    from revela.adapters.dynamodb.tables import Tables
    from revela.adapters.replicate.client import ReplicateClient
    from revela.adapters.secrets import WebhookSecret
    from revela.domain.account import Account
    from revela.domain.catalog import Catalog
    from revela.domain.generation import Generation
    from revela.domain.ledger import LedgerEntry
    from revela.domain.personal_model import PersonalModel
    from revela.domain.photo import Photo
    from revela.domain.prompt_policy import PromptPolicy
    from revela.domain.training import Training
    from revela.ports import (
        Accounts,
        Archives,
        Celebrities,
        Changes,
        Clock,
        Commands,
        Entropy,
        Events,
        Faces,
        Generations,
        Health,
        ImageJudge,
        KnownJudgements,
        Models,
        Objects,
        Outputs,
        Pace,
        Page,
        PhotoFiles,
        Photos,
        Pictures,
        Policies,
        PromptJudge,
        Provider,
        Ref,
        Telemetry,
        Trainings,
        WebhookUrls,
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


class Wiring:
    """The `Ports` of a process, made of its settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def catalog(self) -> Catalog:
        from importlib.resources import files

        from revela.domain.catalog import Catalog

        return Catalog.model_validate_json(files("revela").joinpath("data/catalog.json").read_text("utf-8"))

    @cached_property
    def prompt_policy(self) -> PromptPolicy:
        from importlib.resources import files

        from revela.domain.prompt_policy import PromptPolicy

        data = files("revela").joinpath("data/prompt_policy.json")
        return PromptPolicy.model_validate_json(data.read_text("utf-8"))

    @cached_property
    def generations(self) -> Generations:
        from revela.adapters.dynamodb.generations import DynamoGenerations

        return DynamoGenerations(self.tables)

    @cached_property
    def trainings(self) -> Trainings:
        from revela.adapters.dynamodb.trainings import DynamoTrainings

        return DynamoTrainings(self.tables)

    @cached_property
    def models(self) -> Models:
        from revela.adapters.dynamodb.models import DynamoModels

        return DynamoModels(self.tables)

    @cached_property
    def photos(self) -> Photos:
        from revela.adapters.dynamodb.models import DynamoPhotos

        return DynamoPhotos(self.tables)

    @cached_property
    def accounts(self) -> Accounts:
        from revela.adapters.dynamodb.accounts import DynamoAccounts

        return DynamoAccounts(self.tables)

    @cached_property
    def changes(self) -> Changes:
        from revela.adapters.dynamodb.changes import DynamoChanges

        return DynamoChanges(self.tables)

    @cached_property
    def pace(self) -> Pace:
        from revela.adapters.dynamodb.pace import DynamoPace

        return DynamoPace(
            self.tables,
            creates_per_minute=self.settings.replicate.creates_per_minute,
            reads_per_minute=self.settings.replicate.reads_per_minute,
        )

    @cached_property
    def health(self) -> Health:
        from revela.adapters.dynamodb.health import DynamoHealth

        return DynamoHealth(self.tables, self.clock)

    @cached_property
    def provider(self) -> Provider:
        from revela.adapters.replicate.provider import ReplicateProvider

        return ReplicateProvider(self.replicate_client)

    @cached_property
    def outputs(self) -> Outputs:
        from revela.adapters.replicate.outputs import ReplicateOutputs

        return ReplicateOutputs(
            origins=self.settings.replicate.output_origins,
            clock=self.clock,
            entropy=self.entropy,
            # Four of them, and publishing, fit into the time of one invocation.
            total_max=timedelta(seconds=20),
        )

    @cached_property
    def pictures(self) -> Pictures:
        from revela.adapters.pictures import PillowPictures

        return PillowPictures()

    @cached_property
    def photo_files(self) -> PhotoFiles:
        from revela.adapters.photo_files import PillowPhotoFiles

        return PillowPhotoFiles()

    @cached_property
    def faces(self) -> Faces:
        if self.settings.face_inspector == "opencv":
            from revela.adapters.opencv_faces import OpenCvFaces

            return OpenCvFaces()
        from revela.adapters.rekognition import RekognitionFaces

        return RekognitionFaces(self.client("rekognition"))

    @cached_property
    def celebrities(self) -> Celebrities:
        if self.settings.celebrity_gate == "off":
            from revela.adapters.gates_off import NoCelebrities

            return NoCelebrities()
        from revela.adapters.rekognition_celebrities import RekognitionCelebrities

        return RekognitionCelebrities(self.client("rekognition"))

    @cached_property
    def prompt_judge(self) -> PromptJudge:
        from revela.adapters.replicate import judges

        return judges.ReplicateJudge(
            provider=self.provider,
            pace=self.pace,
            clock=self.clock,
            model=self.catalog.judges.prompt,
            render=judges.render_prompt,
            read=judges.read_llama_guard,
        )

    @cached_property
    def image_judge(self) -> ImageJudge:
        if self.settings.image_judge == "off":
            from revela.adapters.gates_off import NoImageJudge

            return NoImageJudge()
        if self.settings.image_judge == "rekognition":
            from revela.adapters.rekognition_moderation import RekognitionImageJudge

            return RekognitionImageJudge(self.client("rekognition"))
        from revela.adapters.replicate import judges

        return judges.ReplicateJudge(
            provider=self.provider,
            pace=self.pace,
            clock=self.clock,
            model=self.catalog.judges.image,
            render=judges.render_jpeg,
            read=judges.read_nsfw_detection,
        )

    @cached_property
    def known_judgements(self) -> KnownJudgements:
        from revela.adapters.dynamodb.judgements import DynamoJudgements

        return DynamoJudgements(self.tables)

    @cached_property
    def objects(self) -> Objects:
        from revela.adapters.s3 import S3Objects

        return S3Objects(self.client("s3"), self.settings.bucket)

    @cached_property
    def archives(self) -> Archives:
        from revela.adapters.archives import ZipArchives

        return ZipArchives(self.objects)

    @cached_property
    def weights(self) -> Outputs:
        from revela.adapters.replicate.outputs import ReplicateOutputs

        return ReplicateOutputs(
            origins=self.settings.replicate.output_origins,
            clock=self.clock,
            entropy=self.entropy,
            # A LoRA of a high rank has some hundreds of megabytes.
            size_max_bytes=1024 * 1024 * 1024,
            total_max=timedelta(seconds=180),
        )

    @cached_property
    def policies(self) -> Policies:
        from revela.ports import Policies

        return Policies(
            photos_kept=timedelta(days=self.settings.photo_retention_days),
            copies_weights=self.settings.copies_weights,
            blocked_kept=timedelta(days=self.settings.blocked_retention_days),
            judge_patience=timedelta(minutes=self.settings.judge_patience_minutes),
            strikes_per_day=self.settings.strikes_per_day,
        )

    @cached_property
    def commands(self) -> Commands:
        from revela.adapters.sqs import SqsCommands

        return SqsCommands(self.client("sqs"), self.settings.queues)

    @cached_property
    def events(self) -> Events:
        from revela.adapters.eventbridge import EventBridgeEvents

        return EventBridgeEvents(self.client("events"), self.settings.event_bus)

    @cached_property
    def webhook_urls(self) -> WebhookUrls:
        from revela.adapters.webhook_urls import SignedWebhookUrls

        return SignedWebhookUrls(self.settings.replicate.webhook_base_url, self.webhook_secrets.url_token_key)

    @cached_property
    def clock(self) -> Clock:
        from revela.adapters.clock import SystemClock

        return SystemClock(offset_s=self.settings.clock_offset_s)

    @cached_property
    def entropy(self) -> Entropy:
        from revela.adapters.entropy import SystemEntropy

        return SystemEntropy()

    @cached_property
    def telemetry(self) -> Telemetry:
        from revela.observability import PowertoolsTelemetry

        return PowertoolsTelemetry(self.logger, self.metrics)

    @cached_property
    def logger(self) -> Logger:
        from revela.observability import make_logger

        return make_logger(self.settings)

    @cached_property
    def metrics(self) -> Metrics:
        from revela.observability import make_metrics

        return make_metrics()

    @cached_property
    def tables(self) -> Tables:
        from revela.adapters.dynamodb.tables import Tables

        return Tables(self.settings.tables, region=self.settings.region)

    @cached_property
    def replicate_client(self) -> ReplicateClient:
        from revela.adapters.replicate.client import ReplicateClient
        from revela.adapters.secrets import CachedSecret, ReplicateToken

        secret = CachedSecret(self.client("secretsmanager"), self.settings.replicate_token_secret_id)
        return ReplicateClient(
            base_url=self.settings.replicate.api_base_url,
            token=ReplicateToken(secret),
            clock=self.clock,
            entropy=self.entropy,
            telemetry=self.telemetry,
        )

    @cached_property
    def webhook_secrets(self) -> WebhookSecret:
        from revela.adapters.secrets import CachedSecret, WebhookSecret

        return WebhookSecret(CachedSecret(self.client("secretsmanager"), self.settings.webhook_secret_id))

    def client(self, service: str) -> Any:
        return aws_client(service, self.settings.region)


@cache
def aws_client(service: str, region: str) -> Any:
    """Return the process's one client of a service; botocore alone, which loads faster than boto3."""
    import botocore.session
    from botocore.config import Config

    return botocore.session.get_session().create_client(
        service,
        region_name=region,
        config=Config(
            connect_timeout=1,
            # Copies of large objects and searches for faces answer late; all else answers in milliseconds,
            # or is lost, and tries of it must fit into what the webhook's door has.
            read_timeout=10 if service in ("s3", "rekognition") else 3,
            retries={"mode": "standard", "total_max_attempts": 2},
        ),
    )


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
