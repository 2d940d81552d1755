"""What Revela needs of the outside. Use cases see these protocols only; `bootstrap` wires them.

Each port says what it raises; anything else is a bug or the process's end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from revela.domain.account import Account
from revela.domain.catalog import Catalog
from revela.domain.change import Change, IdempotencyKey
from revela.domain.events import DomainEvent
from revela.domain.generation import Generation
from revela.domain.job import AnyJob, State
from revela.domain.judgement import Judgement, Ticket
from revela.domain.ledger import LedgerEntry
from revela.domain.model_health import ModelHealth
from revela.domain.pace import Turns
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import FaceReport, Photo, PhotoFacts, Unreadable
from revela.domain.prediction import Prediction
from revela.domain.prompt_policy import PromptPolicy
from revela.domain.training import Training

Item = TypeVar("Item", covariant=True)


@dataclass(frozen=True)
class Page(Generic[Item]):
    """`cursor` is opaque; None at the end."""

    items: Sequence[Item]
    cursor: str | None = None


@dataclass(frozen=True)
class Ref:
    """Names one row: its owner and its id, which tells its kind."""

    user_id: str
    id: str

    @property
    def of_model(self) -> bool:
        """Tell whether it is a model, or a photo or training of one."""
        return self.id.startswith("mdl_")

    @property
    def of_photo(self) -> bool:
        return "#pho_" in self.id

    @property
    def of_training(self) -> bool:
        return "#trn_" in self.id


class Jobs(Protocol[AnyJob]):
    """Reads are strongly consistent, but for pages and what is due."""

    def get(self, ref: Ref) -> AnyJob | None: ...

    def get_many(self, refs: Sequence[Ref]) -> list[AnyJob]:
        """Return those that exist, in any order."""

    def remove(self, job: AnyJob) -> None:
        """Forget a row that is still as given, or gone already. Raises Conflict."""


@dataclass(frozen=True)
class ModelRef:
    """Names one personal model: its owner and its id."""

    user_id: str
    id: str


class Generations(Jobs[Generation], Protocol):
    def page(
        self, user_id: str, *, limit: int, cursor: str | None, state: State | None, model: str | None
    ) -> Page[Generation]:
        """Return a page, newest first, without those being deleted.

        Raises InvalidRequest on a bad cursor.
        """

    def live_of(self, model: ModelRef) -> list[Generation]:
        """Return the generations made with a personal model that have not ended; strongly consistent."""

    def first_waiting(self, user_id: str) -> Ref | None:
        """Return the generation that has waited longest."""

    def idempotency_key(self, user_id: str, key_id: str) -> IdempotencyKey | None: ...

    def due(self, shard: int, *, until: datetime, limit: int) -> list[Ref]:
        """Return what is due, longest overdue first."""

    def put_off(self, ref: Ref, *, until: datetime) -> None:
        """Let a row be due then, whatever else it holds: for rows that cannot be read."""


class Trainings(Jobs[Training], Protocol):
    """Pages are strongly consistent too: what is not seen of a model is not deleted with it."""

    def page(self, model: ModelRef, *, limit: int, cursor: str | None) -> Page[Training]:
        """Return a page of a model's trainings, newest first. Raises InvalidRequest on a bad cursor."""


class Models(Protocol):
    """Personal models. Reads are strongly consistent, but for what is due."""

    def get(self, ref: ModelRef) -> PersonalModel | None: ...

    def page(self, user_id: str, *, limit: int, cursor: str | None) -> Page[PersonalModel]:
        """Return a page, newest first, without those being deleted. Raises InvalidRequest on a bad cursor."""

    def due(self, shard: int, *, until: datetime, limit: int) -> list[Ref]:
        """Return which models, photos and trainings are due, longest overdue first."""

    def put_off(self, ref: Ref, *, until: datetime) -> None:
        """As of Generations: of a model, a photo or a training."""


class Photos(Protocol):
    """Reads are strongly consistent."""

    def get(self, model: ModelRef, photo_id: str) -> Photo | None: ...

    def of(self, model: ModelRef) -> list[Photo]:
        """Return a model's photos, oldest first."""


class Accounts(Protocol):
    def get(self, user_id: str) -> Account | None: ...

    def ledger(self, account_id: str, *, limit: int, cursor: str | None) -> Page[LedgerEntry]:
        """Return a page of entries, newest first. Raises InvalidRequest on a bad cursor."""


class Changes(Protocol):
    def commit(self, change: Change) -> None:
        """Write all of it or nothing; a change that is found already written by this call is success.

        Raises:
            Conflict: a part was no longer as it was read.
        """


@dataclass(frozen=True)
class CreatePrediction:
    """`webhook_url` None: the provider is not to call back; `cancel_after_s` counts from the create.

    `wait_s`: how long the provider may hold its answer for the result; 0: not at all.
    """

    version: str
    input: Mapping[str, Any]
    webhook_url: str | None
    cancel_after_s: int
    wait_s: int = 0


@dataclass(frozen=True)
class CreateTraining:
    """`trainer` is `owner/name:version`; `destination` the `owner/name` that the new version goes under."""

    trainer: str
    destination: str
    input: Mapping[str, Any]
    webhook_url: str | None


@dataclass(frozen=True)
class UploadedFile:
    """What the provider keeps for a job's input; `url` is what an input names it by."""

    id: str
    url: str


class Provider(Protocol):
    """All may raise ProviderTransient and its kinds, ProviderRejected and ProviderNotFound.

    Trainings are told of as predictions are.
    """

    def create_prediction(self, request: CreatePrediction) -> Prediction:
        """Create once, never repeated inside: ProviderTransient alone means that nobody knows."""

    def get_prediction(self, prediction_id: str) -> Prediction: ...

    def cancel_prediction(self, prediction_id: str) -> Prediction: ...

    def list_predictions(
        self, *, created_after: datetime, created_before: datetime | None = None
    ) -> Iterator[Sequence[Prediction]]:
        """Yield pages, newest first, of what was created between the two, or until now."""

    def create_training(self, request: CreateTraining) -> Prediction:
        """As `create_prediction`. Raises ProviderNotFound when there is no such destination or trainer."""

    def get_training(self, training_id: str) -> Prediction: ...

    def cancel_training(self, training_id: str) -> Prediction: ...

    def list_trainings(
        self, *, created_after: datetime, created_before: datetime | None = None
    ) -> Iterator[Sequence[Prediction]]:
        """As `list_predictions`."""

    def ensure_destination(self, destination: str) -> None:
        """Have the model that versions are trained under exist; it is made once."""

    def delete_version(self, provider_version: str) -> None:
        """Delete a trained version with its predictions; one that is gone is no error."""

    def upload(self, path: Path, *, filename: str, content_type: str) -> UploadedFile:
        """Give the provider a file to keep for a day."""

    def delete_file(self, file_id: str) -> None:
        """Forget an upload; one that is gone is no error."""

    def account_name(self) -> str:
        """Return the account's name at the provider, under which its models are."""

    def webhook_secret(self) -> str: ...


@dataclass(frozen=True)
class Downloaded:
    """A file on local disk until its context ends; `sha256` in hex."""

    path: Path
    size_bytes: int
    sha256: str


class Outputs(Protocol):
    def download(self, url: str) -> AbstractContextManager[Downloaded]:
        """Fetch one output in bounded memory.

        Raises:
            OutputUnusable: forbidden address, gone, too large.
            ProviderTransient: the same may work later.
        """


@dataclass(frozen=True)
class Picture:
    content_type: str
    extension: str
    width: int
    height: int


@dataclass(frozen=True)
class Thumbnail:
    """WebP."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Provenance:
    """What a published image tells of its making: never the prompt, never the person."""

    generation_id: str
    model: str


class Pictures(Protocol):
    def inspect(self, path: Path) -> Picture:
        """Decode a file and tell what it is. Raises OutputUnusable when it is no image we publish."""

    def mark(self, path: Path, provenance: Provenance) -> None:
        """Write into the file that a model made it, in place of all other metadata; no pixel changes."""

    def thumbnail(self, path: Path, provenance: Provenance) -> Thumbnail:
        """Return a small copy, marked as well."""

    def rendering(self, path: Path) -> bytes:
        """Return the picture as a small JPEG to be judged by, whatever its format."""


Judged = TypeVar("Judged", contravariant=True)


class Judge(Protocol[Judged]):
    """A judge that may take its time. Asking again is harmless: nothing hangs on a ticket but an answer.

    Both raise Transient when the judge does not do as it is asked: whoever asks tries again later, and
    nothing passes meanwhile.
    """

    def ask(self, things: Sequence[Judged]) -> list[Judgement | Ticket | None]:
        """Have each judged; return in their order what was said at once, or where the answer will be.

        None is for what it had no turn to ask about, and for all from where it went away: ask again. It
        raises where it says nothing of the first, which is never None.
        """

    def answer(self, ticket: Ticket) -> Judgement | Ticket:
        """Return what was said, or the ticket while nothing was. Raises TicketVoid: ask anew."""


PromptJudge = Judge[str]
# JPEG renderings.
ImageJudge = Judge[bytes]


class KnownJudgements(Protocol):
    """What prompts were judged, by a hash of the text and its judge; all raise Transient."""

    def get(self, key: str) -> Judgement | Ticket | None: ...

    def put(self, key: str, known: Judgement | Ticket, *, expires_at: datetime) -> None: ...


class Celebrities(Protocol):
    def appears(self, jpeg: Path) -> bool:
        """Tell whether a clean copy shows somebody famous. Raises Transient."""


class PhotoFiles(Protocol):
    def inspect(self, path: Path, *, declared_type: str, clean: Path) -> PhotoFacts | Unreadable:
        """Decode an upload, whatever it is, and write the copy to train with to `clean`."""


class Faces(Protocol):
    def inspect(self, jpeg: Path) -> FaceReport | Unreadable:
        """Find the faces on a clean copy. Raises Transient when the same may work later."""


@dataclass(frozen=True)
class Upload:
    """Where and how a client posts one file: `fields` go before the file in the form."""

    url: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Fetched:
    """An object on local disk until its context ends; `version` names these very bytes of its key."""

    path: Path
    size_bytes: int
    version: str


# Below these lies what may be shown to its owner: images that were judged, and clean copies of photos.
SHOWN = ("users/", "photos/")


class Objects(Protocol):
    """The bucket. Keys are made of the prefixes that rows name.

    All but `presign` and `presign_upload` raise Transient when the bucket does not do as it is asked.
    """

    def fetch(self, key: str, *, max_bytes: int) -> AbstractContextManager[Fetched | None]:
        """Bring an object to local disk; None when there is none. What is too large is not read."""

    def presign_upload(self, key: str, *, content_type: str, max_bytes: int, valid_for: timedelta) -> Upload:
        """Allow one key to be posted, of this type and at most this size."""

    def put_file(self, key: str, path: Path, *, content_type: str) -> None: ...

    def put_bytes(self, key: str, data: bytes, *, content_type: str) -> None: ...

    def copy(self, source: str, target: str, *, content_type: str) -> None: ...

    def delete(self, keys: Sequence[str]) -> None:
        """Delete these; ones that do not exist are no error."""

    def delete_prefix(self, prefix: str) -> int:
        """Delete everything below and return how many there were."""

    def presign(self, keys: Sequence[str]) -> tuple[dict[str, str], datetime]:
        """Return a URL for each key, and until when at least they all work.

        Raises ValueError for a key of what nobody may be shown: see `SHOWN`.
        """


@dataclass(frozen=True)
class ArchiveEntry:
    """A file of an archive; `sha256` in hex is what the object at `key` must have."""

    name: str
    key: str
    sha256: str


class Archives(Protocol):
    def pack(self, entries: Sequence[ArchiveEntry]) -> AbstractContextManager[Path]:
        """Put objects into one zip on local disk, in bounded memory.

        Raises:
            ArchiveIncomplete: an object is gone, or is not what it was.
            Transient: the bucket does not do as it is asked.
        """


@dataclass(frozen=True)
class ProviderReport:
    """What the provider said of a prediction that was created for `ref`'s `attempt`."""

    ref: Ref
    attempt: int
    prediction: Prediction


class Commands(Protocol):
    """Messages to workers: hints, delivered at least once. Raise Transient when they cannot be sent."""

    def start(self, refs: Iterable[Ref]) -> None:
        """Have each job taken to the provider by the worker of its kind."""

    def finish(self, reports: Iterable[ProviderReport]) -> None:
        """Have what the provider said acted on."""

    def check(self, photos: Iterable[Ref]) -> None:
        """Have photos looked at again: uploaded and not told of, or not judged yet."""


class Events(Protocol):
    """The bus that whoever wants to react listens to."""

    def publish(self, events: Sequence[DomainEvent]) -> list[int]:
        """Tell them all; return the positions of those that were not taken."""


class Pace(Protocol):
    """The provider's limits are the account's, so that slots are reserved, not tested.

    Of a refusal, `sent_at` is when the request went out and `until` when it may work again. All raise
    Transient; those that write, Conflict.
    """

    def reserve_creates(self, count: int, *, now: datetime, before: datetime) -> Turns:
        """Reserve up to `count` slots for creates, none after `before`."""

    def is_void(self, turns: Turns) -> bool:
        """Tell whether a refusal has taken these slots back since: reserve anew."""

    def reserve_read(self, *, now: datetime, before: datetime) -> datetime | None:
        """Return when another request may be sent, None if not `before` that time."""

    def create_refused(self, *, sent_at: datetime, now: datetime, until: datetime) -> float | None:
        """We were too fast: block and slow down. Return the new rate per minute, None if it was known."""

    def read_refused(self, *, sent_at: datetime, now: datetime, until: datetime) -> float | None:
        """As `create_refused`, of other requests."""

    def block(self, *, sent_at: datetime, now: datetime, until: datetime) -> None:
        """The provider refused the account, at any rate: nobody creates before `until`."""

    def blocked_until(self) -> datetime | None: ...


class Health(Protocol):
    """How the provider's models fare. All raise Transient."""

    def get(self, model_id: str) -> ModelHealth:
        """Return what is known of a model, up to some seconds old."""

    def put(self, health: ModelHealth) -> None:
        """Write over the version before. Raises Conflict."""


class WebhookUrls(Protocol):
    def for_job(self, ref: Ref, attempt: int) -> str | None:
        """Return the URL the provider calls back, with a token only we can make.

        None where there are no webhooks.
        """


class WebhookSecrets(Protocol):
    """Where the webhook's door finds the provider's signing secrets. All raise Transient."""

    def knows_replicate_secret(self) -> bool: ...

    def remember_replicate_secret(self, secret: str) -> bool:
        """Store it as the newest, beside the one before; tell whether anything had to be written."""


@dataclass(frozen=True)
class Policies:
    """What whoever runs an installation decides.

    `blocked_kept`: how long a blocked image can be appealed; `judge_patience`: how long a job waits for a
    judge that is away before it fails and is released; over `strikes_per_day` an account is suspended.
    """

    photos_kept: timedelta
    copies_weights: bool
    blocked_kept: timedelta
    judge_patience: timedelta
    strikes_per_day: int


class Clock(Protocol):
    def now(self) -> datetime: ...

    def sleep_until(self, when: datetime) -> None: ...


class Entropy(Protocol):
    def new_id(self, prefix: str, *, now: datetime) -> str:
        """Return `<prefix>_<ulid>`: unique, and sorted by time."""

    def seed(self) -> int:
        """Return a seed for an image model, 0 to 2**31 - 1."""

    def fraction(self) -> float:
        """Return a number in [0, 1)."""


class Telemetry(Protocol):
    """Fields carry ids, codes and numbers: never prompts, tokens, URLs or anything of a person."""

    def debug(self, event: str, **fields: object) -> None: ...

    def info(self, event: str, **fields: object) -> None: ...

    def warning(self, event: str, **fields: object) -> None: ...

    def count(self, metric: str, value: float = 1, *, unit: str = "Count") -> None: ...


class Ports(Protocol):
    """Everything a use case may ask for; each is made when it is first touched."""

    @property
    def catalog(self) -> Catalog: ...
    @property
    def prompt_policy(self) -> PromptPolicy: ...
    @property
    def generations(self) -> Generations: ...
    @property
    def trainings(self) -> Trainings: ...
    @property
    def models(self) -> Models: ...
    @property
    def photos(self) -> Photos: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def changes(self) -> Changes: ...
    @property
    def provider(self) -> Provider: ...
    @property
    def outputs(self) -> Outputs: ...
    @property
    def pictures(self) -> Pictures: ...
    @property
    def photo_files(self) -> PhotoFiles: ...
    @property
    def faces(self) -> Faces: ...
    @property
    def celebrities(self) -> Celebrities: ...
    @property
    def prompt_judge(self) -> PromptJudge: ...
    @property
    def image_judge(self) -> ImageJudge: ...
    @property
    def known_judgements(self) -> KnownJudgements: ...
    @property
    def objects(self) -> Objects: ...
    @property
    def weights(self) -> Outputs: ...
    @property
    def archives(self) -> Archives: ...
    @property
    def policies(self) -> Policies: ...
    @property
    def commands(self) -> Commands: ...
    @property
    def events(self) -> Events: ...
    @property
    def pace(self) -> Pace: ...
    @property
    def health(self) -> Health: ...
    @property
    def webhook_urls(self) -> WebhookUrls: ...
    @property
    def webhook_secrets(self) -> WebhookSecrets: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def entropy(self) -> Entropy: ...
    @property
    def telemetry(self) -> Telemetry: ...
