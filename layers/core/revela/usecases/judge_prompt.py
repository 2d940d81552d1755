"""Ask the judge about a prompt that the policy is uncertain of; each text is judged once, and remembered.

The house pays. A judgement settles nothing: when it is lost, it is asked for again.
"""

from __future__ import annotations

import hashlib

from revela.domain.errors import TicketVoid
from revela.domain.generation import Generation
from revela.domain.judgement import Judgement, Ticket
from revela.domain.policy import JUDGEMENT_KEPT, TICKET_KEPT
from revela.ports import Ports


def judge_prompt(row: Generation, *, ports: Ports) -> Judgement | Ticket:
    """Return what the judge says of the texts in doubt; a ticket while it has said nothing.

    Raises:
        Transient: the judge or what it said before cannot be reached; nothing may be made meanwhile.
    """
    text = _in_doubt(row)
    key = hashlib.sha256(f"{ports.catalog.judges.prompt.version}\n{text}".encode()).hexdigest()
    known = ports.known_judgements.get(key)
    if isinstance(known, Judgement):
        return known
    said = _answered(known, ports) if known is not None else None
    if said is None:
        (said,) = ports.prompt_judge.ask([text])
        assert said is not None  # the first is always asked about
    if said == known:
        return said
    kept = JUDGEMENT_KEPT if isinstance(said, Judgement) else TICKET_KEPT
    ports.known_judgements.put(key, said, expires_at=ports.clock.now() + kept)
    if isinstance(said, Judgement):
        ports.telemetry.count("JudgingCostMicroUsd", said.cost_micro_usd)
        ports.telemetry.info(
            "prompt_judgement",
            generation_id=row.id,
            rules=",".join(doubt.rule for doubt in row.doubts),
            category=said.category,
        )
    return said


def _answered(ticket: Ticket, ports: Ports) -> Judgement | Ticket | None:
    try:
        return ports.prompt_judge.answer(ticket)
    except TicketVoid:
        return None


def _in_doubt(row: Generation) -> str:
    """Return the texts in doubt as one. What the negative prompt names is not to be seen: it is said so."""
    own = {"class_word": row.own.class_word, "trigger_word": row.own.trigger_word} if row.own else {}
    texts = {**own, **row.params}
    return "\n".join(
        f"without: {texts[doubt.field]}" if doubt.field == "negative_prompt" else str(texts[doubt.field])
        for doubt in row.doubts
    )
