"""Who stands behind each port: the only module that knows adapters.

Everything is made when it is first touched and kept for the life of the process: one client per
service, and a function loads only what its use case uses.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from revela.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

    from revela.adapters.dynamodb.tables import Tables
    from revela.adapters.replicate.client import ReplicateClient
    from revela.adapters.secrets import WebhookSecret
    from revela.domain.catalog import Catalog
    from revela.domain.prompt_policy import PromptPolicy
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
        PhotoFiles,
        Photos,
        Pictures,
        Policies,
        PromptJudge,
        Provider,
        Telemetry,
        Trainings,
        WebhookUrls,
    )


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
