"""Ask the judge about a prompt that the policy is uncertain of; each text is judged once, and remembered.

The house pays. A judgement settles nothing: when it is lost, it is asked for again.
"""

from __future__ import annotations

import hashlib

from revela.domain.errors import JudgeUnavailable, TicketVoid, Transient
from revela.domain.generation import Generation
from revela.domain.judgement import Judgement, Ticket
from revela.domain.policy import JUDGEMENT_KEPT, TICKET_KEPT
from revela.ports import Ports


def judge_prompt(row: Generation, *, ports: Ports) -> Judgement | Ticket:
    """Return what the judge says of the texts in doubt; a ticket while it has said nothing.

    Raises:
        JudgeUnavailable: nothing may be made meanwhile.
        Transient: what was said before cannot be read, or what was said now not be kept.
    """
    text = _to_judge(row)
    key = hashlib.sha256(f"{ports.catalog.judges.prompt.version}\n{text}".encode()).hexdigest()
    known = ports.known_judgements.get(key)
    if isinstance(known, Judgement):
        return known
    try:
        said = (_answered(known, ports) if known is not None else None) or _asked(text, ports)
    except Transient as error:
        raise JudgeUnavailable(str(error) or type(error).__name__) from error
    if said == known:
        return said
    kept = TICKET_KEPT
    if isinstance(said, Judgement):
        kept = JUDGEMENT_KEPT
        ports.telemetry.count("JudgingCostMicroUsd", said.cost_micro_usd)
        ports.telemetry.info(
            "prompt_judgement",
            generation_id=row.id,
            rules=",".join(doubt.rule for doubt in row.doubts),
            category=said.category,
        )
    ports.known_judgements.put(key, said, expires_at=ports.clock.now() + kept)
    return said


def _asked(text: str, ports: Ports) -> Judgement | Ticket:
    (said,) = ports.prompt_judge.ask([text])
    assert said is not None  # the first is always asked about
    return said


def _answered(ticket: Ticket, ports: Ports) -> Judgement | Ticket | None:
    try:
        return ports.prompt_judge.answer(ticket)
    except TicketVoid:
        return None


def _to_judge(row: Generation) -> str:
    """Return the prompt with whatever else is in doubt: words that pass alone may not pass together.

    What a negative prompt names is not to be seen; it is said so.
    """
    fields = {doubt.field for doubt in row.doubts}
    parts = [row.params["prompt"]]
    if row.own is not None and "model" in fields:
        parts.insert(0, row.own.subject.wordings[-1])
    if "negative_prompt" in fields:
        parts.append(f"without: {row.params['negative_prompt']}")
    return "\n".join(parts)
