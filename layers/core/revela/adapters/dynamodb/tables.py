"""Every kind of item in the tables, and the one connection that they share.

Generations  user_id, id        GenerationRow `gen_…`, PointerRow `wait#…`, IdempotencyRow `key#…`
Models       user_id, id        ModelRow `mdl_…`, PhotoRow `mdl_…#pho_…`, TrainingRow `mdl_…#trn_…`
Credits      user_id, id        AccountRow `account`, ReceiptRow `grant#…`
Ledger       account_id, id     EntryRow `entry#…`
Control      id                 PredictionRow `prediction#…`, PaceRow `pace#…`, HealthRow `health#…`,
                                JudgementRow `judgement#…`
"""

from __future__ import annotations

from typing import Any, TypeVar

from pynamodb.attributes import (
    BooleanAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.connection import Connection
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from revela import settings
from revela.adapters.dynamodb.documents import ListDocument, MapDocument

SCHEMA_VERSION = 1

ACCOUNT_ID = "account"

# Typical latencies are 5-30 ms; a call that takes seconds is lost, and three tries end well within
# what an API caller waits.
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 4.0
ATTEMPTS = 3


class Row(Model):
    """`write_id` names the commit that wrote the item, so that a repeated request knows its own work."""

    schema_version = NumberAttribute(default=SCHEMA_VERSION)
    write_id = UnicodeAttribute(null=True)


class DueIndex(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]  # PynamoDB's __init_subclass__
    """Sparse: holds the rows that have a `due_at`."""

    class Meta:
        index_name = "due"
        projection = KeysOnlyProjection()

    due_shard = NumberAttribute(hash_key=True)
    due_at = UTCDateTimeAttribute(range_key=True)


class JobRow(Row):
    """What rows of generations and trainings have in common."""

    user_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)

    account_id = UnicodeAttribute()
    state = UnicodeAttribute()
    version = NumberAttribute()
    provider_version = UnicodeAttribute()
    held_from = ListDocument()
    credits_held = NumberAttribute()
    credits_charged = NumberAttribute()
    price_version = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    due_shard = NumberAttribute(null=True)
    due_at = UTCDateTimeAttribute(null=True)
    not_before = UTCDateTimeAttribute(null=True)
    visits = NumberAttribute()
    attempt = NumberAttribute()
    failures = NumberAttribute()
    refusals = NumberAttribute()
    lost_creates = NumberAttribute()
    save_failures = NumberAttribute()
    claimed_at = UTCDateTimeAttribute(null=True)
    lease_until = UTCDateTimeAttribute(null=True)
    deadline_at = UTCDateTimeAttribute(null=True)
    fingerprint = UnicodeAttribute(null=True)
    prediction_id = UnicodeAttribute(null=True)
    cancel_requested_at = UTCDateTimeAttribute(null=True)
    cancel_is_free = BooleanAttribute(default=False)
    started_at = UTCDateTimeAttribute(null=True)
    completed_at = UTCDateTimeAttribute(null=True)
    predict_time_s = NumberAttribute(null=True)
    provider_cost_micro_usd = NumberAttribute()
    params = MapDocument()
    failure = MapDocument(null=True)


class GenerationRow(JobRow):
    due = DueIndex()

    model = UnicodeAttribute()
    credits_per_image = NumberAttribute()
    own = MapDocument(null=True)
    # Rows that were written before anything was judged have none of these.
    doubts = ListDocument(default=list)
    prompt_judged_at = UTCDateTimeAttribute(null=True)
    quarantined = ListDocument(default=list)
    judging_since = UTCDateTimeAttribute(null=True)
    judge_waits = NumberAttribute(default=0)
    outputs = ListDocument()
    blocked = ListDocument(default=list)
    appeal = MapDocument(null=True)


class TrainingRow(JobRow):
    due = DueIndex()

    model_id = UnicodeAttribute()
    trainer = UnicodeAttribute()
    fine_tune = UnicodeAttribute()
    kind = UnicodeAttribute()
    trigger_word = UnicodeAttribute()
    class_word = UnicodeAttribute()
    destination = UnicodeAttribute(null=True)
    photos = ListDocument()
    shows_faces = BooleanAttribute(default=True)
    input_file_id = UnicodeAttribute(null=True)
    input_url = UnicodeAttribute(null=True)
    progress_percent = NumberAttribute(null=True)
    left_s = NumberAttribute(null=True)
    trained_version = UnicodeAttribute(null=True)
    weights_key = UnicodeAttribute(null=True)


class ModelRow(Row):
    user_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    due = DueIndex()

    account_id = UnicodeAttribute()
    state = UnicodeAttribute()
    version = NumberAttribute()
    name = UnicodeAttribute()
    kind = UnicodeAttribute()
    class_word = UnicodeAttribute()
    trigger_word = UnicodeAttribute()
    consent = MapDocument()
    versions = ListDocument()
    chosen_version = UnicodeAttribute(null=True)
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    due_shard = NumberAttribute(null=True)
    due_at = UTCDateTimeAttribute(null=True)


class PhotoRow(Row):
    user_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    due = DueIndex()

    state = UnicodeAttribute()
    version = NumberAttribute()
    declared_type = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    due_shard = NumberAttribute(null=True)
    due_at = UTCDateTimeAttribute(null=True)
    expires_at = UTCDateTimeAttribute(null=True)
    object_version = UnicodeAttribute(null=True)
    facts = MapDocument(null=True)
    verdict = MapDocument(null=True)
    chosen_category = UnicodeAttribute(null=True)


class PointerRow(Row):
    """Marks a generation's place among its user's waiting ones."""

    user_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    generation_id = UnicodeAttribute()


class IdempotencyRow(Row):
    """`accepted` is JSON text: what was answered first is answered again, to the digit."""

    user_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    request_hash = UnicodeAttribute()
    accepted = UnicodeAttribute()
    expires_at = UTCDateTimeAttribute()
    ttl = TTLAttribute()


class AccountRow(Row):
    user_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True, default=ACCOUNT_ID)

    account_id = UnicodeAttribute()
    plan = UnicodeAttribute()
    available = NumberAttribute()
    held = NumberAttribute()
    spent = NumberAttribute()
    running = NumberAttribute()
    waiting = NumberAttribute()
    trainings = NumberAttribute(default=0)
    entries = NumberAttribute()
    grants = ListDocument()
    day = UnicodeAttribute()
    images_today = NumberAttribute()
    cancels_today = NumberAttribute(default=0)
    blocks_today = NumberAttribute(default=0)
    strikes_today = NumberAttribute(default=0)
    suspension = MapDocument(null=True)
    suspensions = NumberAttribute(default=0)
    version = NumberAttribute()
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class ReceiptRow(Row):
    user_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class EntryRow(Row):
    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)

    number = NumberAttribute()
    kind = UnicodeAttribute()
    credits = NumberAttribute()
    balance = NumberAttribute()
    cause = UnicodeAttribute()
    price_version = UnicodeAttribute(null=True)
    created_at = UTCDateTimeAttribute()


class PredictionRow(Row):
    id = UnicodeAttribute(hash_key=True)
    owner = UnicodeAttribute()
    ttl = TTLAttribute()


class PaceRow(Row):
    """Times are whole microseconds since the epoch, because conditions and sums are made of them."""

    id = UnicodeAttribute(hash_key=True)
    next_us = NumberAttribute(null=True)
    blocked_from_us = NumberAttribute(null=True)
    blocked_until_us = NumberAttribute(null=True)
    learned_gap_us = NumberAttribute(null=True)
    epoch = NumberAttribute(null=True)


class HealthRow(Row):
    id = UnicodeAttribute(hash_key=True)
    failures = NumberAttribute()
    unavailable_until = UTCDateTimeAttribute(null=True)
    version = NumberAttribute()


class JudgementRow(Row):
    """Under a hash of text and judge: what was said (`allowed`, or the harm), or the ticket to ask with."""

    id = UnicodeAttribute(hash_key=True)
    said = UnicodeAttribute(null=True)
    ticket = UnicodeAttribute(null=True)
    ttl = TTLAttribute()


RowKind = TypeVar("RowKind", bound=Row)


class Tables:
    """The kinds of items bound to the tables of one deployment; nothing is sent before it is used."""

    def __init__(self, names: settings.Tables, *, region: str) -> None:
        self.connection = Connection(
            region=region,
            connect_timeout_seconds=CONNECT_TIMEOUT_S,
            read_timeout_seconds=READ_TIMEOUT_S,
            retry_configuration={"mode": "standard", "total_max_attempts": ATTEMPTS},
        )
        self._region = region
        self._known: set[str] = set()
        # The first of a table brings its indexes along.
        self.generation = self._bind(GenerationRow, names.generations)
        self.pointer = self._bind(PointerRow, names.generations)
        self.idempotency = self._bind(IdempotencyRow, names.generations)
        self.model = self._bind(ModelRow, names.models)
        self.photo = self._bind(PhotoRow, names.models)
        self.training = self._bind(TrainingRow, names.models)
        self.account = self._bind(AccountRow, names.credits)
        self.receipt = self._bind(ReceiptRow, names.credits)
        self.entry = self._bind(EntryRow, names.ledger)
        self.prediction = self._bind(PredictionRow, names.control)
        self.pace = self._bind(PaceRow, names.control)
        self.health = self._bind(HealthRow, names.control)
        self.judgement = self._bind(JudgementRow, names.control)

    def _bind(self, kind: type[RowKind], table_name: str) -> type[RowKind]:
        meta = type("Meta", (), {"table_name": table_name, "region": self._region})
        bound: type[RowKind] = type(kind.__name__, (kind,), {"Meta": meta})
        # A model makes a client of its own, with its own connections, and cannot be told how to
        # retry: all kinds use this one instead.
        table = bound._get_connection()
        if table_name not in self._known:
            self.connection.add_meta_table(table.get_meta_table())
            self._known.add(table_name)
        table.connection = self.connection
        return bound
