"""Texts that end in prompts, held to the prompt policy before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from revela.domain.errors import InvalidParam, InvalidRequest
from revela.domain.generation import Doubt
from revela.domain.prompt_policy import Use, refusal
from revela.ports import Ports
from revela.usecases.strikes import count_strike

# Whoever asks for this needs somebody to talk to, whom the refusal names, and no punishment.
NO_STRIKE = frozenset({"self_harm"})


class Text(NamedTuple):
    """What is judged for the request's field `field`; `asked_now`: its words were sent in this request."""

    field: str
    text: str
    use: Use
    asked_now: bool = True


def require_acceptable(
    user_id: str, texts: Iterable[Text], *, own_model: bool, ports: Ports
) -> tuple[Doubt, ...]:
    """Return what a judge has to be asked about; a refusal of what is asked now counts against the user.

    `own_model`: the images are of a real person.

    Raises:
        InvalidRequest: naming each field that is refused with its category and rule.
        Transient: the refusal could not be counted.
    """
    refused: list[InvalidParam] = []
    doubts: list[Doubt] = []
    strikes = False
    for field, text, use, asked_now in texts:
        verdict = ports.prompt_policy.judge(text, use=use, own_model=own_model)
        if verdict.outcome == "allow":
            continue
        ports.telemetry.info(
            "prompt_judged",
            field=field,
            outcome=verdict.outcome,
            rule=verdict.rule,
            category=verdict.category,
            policy_version=ports.prompt_policy.version,
        )
        assert verdict.rule is not None
        assert verdict.category is not None
        if param := refusal(field, verdict):
            if param not in refused:
                refused.append(param)
            strikes = strikes or (asked_now and verdict.category not in NO_STRIKE)
        else:
            doubts.append(Doubt(field=field, rule=verdict.rule, category=verdict.category))
    if refused:
        ports.telemetry.count("PromptsRefused")
        if strikes:
            count_strike(user_id, ports=ports)
        raise InvalidRequest("prompt_refused", invalid_params=refused)
    return tuple(dict.fromkeys(doubts))
