"""A change: everything that one decision writes, all of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from revela.domain.account import Account
from revela.domain.generation import Generation
from revela.domain.job import Job
from revela.domain.ledger import LedgerEntry
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import Photo

ORPHAN = "orphan"


@dataclass(frozen=True)
class JobWrite:
    """Written only if the stored row still is `before` (its version); None means it must not exist."""

    before: Job | None
    after: Job

    @property
    def stored(self) -> Job:
        """`after` as it is written and will be read: one version further than `before`."""
        return self.after.model_copy(update={"version": self.before.version + 1 if self.before else 1})


@dataclass(frozen=True)
class AccountWrite:
    """As JobWrite."""

    before: Account | None
    after: Account

    @property
    def stored(self) -> Account:
        return self.after.model_copy(update={"version": self.before.version + 1 if self.before else 1})


@dataclass(frozen=True)
class ModelWrite:
    """As JobWrite. `after` None: the row goes; the same as `before`: it only has to be as it was read."""

    before: PersonalModel | None
    after: PersonalModel | None

    @property
    def key(self) -> tuple[str, str]:
        row = self.after or self.before
        assert row is not None
        return row.user_id, row.id


@dataclass(frozen=True)
class PhotoWrite:
    """As JobWrite; `after` None: the row goes."""

    before: Photo | None
    after: Photo | None

    @property
    def key(self) -> tuple[str, str]:
        row = self.after or self.before
        assert row is not None
        return row.user_id, row.row_id


@dataclass(frozen=True)
class PredictionClaim:
    """`prediction#<id>` belongs to `owner` (`<job id>:<attempt>`, or `orphan_…`) from now on."""

    prediction_id: str
    owner: str
    expires_at: datetime


@dataclass(frozen=True)
class IdempotencyKey:
    """The first answer given for a key: the job as it was accepted."""

    user_id: str
    id: str
    request_hash: str
    accepted: Job
    expires_at: datetime


@dataclass(frozen=True)
class GrantReceipt:
    """Marks a grant as given; a second one with the same reference changes nothing."""

    user_id: str
    reference: str


@dataclass(frozen=True)
class Change:
    """Parts are named in `Conflict.failed` as the fields here; both kinds of pointer are `pointer`."""

    now: datetime
    job: JobWrite | None = None
    account: AccountWrite | None = None
    model: ModelWrite | None = None
    photos: tuple[PhotoWrite, ...] = ()
    entries: tuple[LedgerEntry, ...] = ()
    pointer_added: Generation | None = None
    pointer_removed: Generation | None = None
    prediction: PredictionClaim | None = None
    idempotency_key: IdempotencyKey | None = None
    receipt: GrantReceipt | None = None
