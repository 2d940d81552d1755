from __future__ import annotations

from datetime import datetime

from revela.adapters.dynamodb.failures import transient
from revela.adapters.dynamodb.tables import Tables
from revela.domain.judgement import HARM_CATEGORIES, Judgement, Ticket

ALLOWED = "allowed"


class DynamoJudgements:
    """One item per text that was ever in doubt; the last writer wins, for all say the same.

    Leave is a word of its own: what cannot be read is as good as unknown, and asked for again.
    """

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
        if found.said == ALLOWED:
            return Judgement()
        return next((Judgement(category=harm) for harm in HARM_CATEGORIES if harm == found.said), None)

    def put(self, key: str, known: Judgement | Ticket, *, expires_at: datetime) -> None:
        item = self._tables.judgement(f"judgement#{key}", ttl=expires_at)
        if isinstance(known, Ticket):
            item.ticket = known.id
        else:
            item.said = known.category or ALLOWED
        with transient():
            item.save()
