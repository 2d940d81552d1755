from __future__ import annotations

from datetime import datetime

from revela.adapters.dynamodb.failures import transient
from revela.adapters.dynamodb.tables import Tables
from revela.domain.judgement import Judgement, Ticket


class DynamoJudgements:
    """One item per text that was ever in doubt; the last writer wins, for all say the same."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, key: str) -> Judgement | Ticket | None:
        row = self._tables.judgement
        try:
            with transient():
                found = row.get(f"judgement#{key}", consistent_read=True)
        except row.DoesNotExist:
            return None
        if found.ticket is not None:
            return Ticket(id=found.ticket)
        # What was paid for it was counted when it was said.
        return Judgement.model_validate({"category": found.category})

    def put(self, key: str, known: Judgement | Ticket, *, expires_at: datetime) -> None:
        said = {"ticket": known.id} if isinstance(known, Ticket) else {"category": known.category}
        with transient():
            self._tables.judgement(f"judgement#{key}", ttl=expires_at, **said).save()
