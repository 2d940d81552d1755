"""Texts that end in prompts, held to the prompt policy before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from revela.domain.errors import InvalidRequest
from revela.domain.prompt_policy import Use, refusal
from revela.ports import Ports


class Text(NamedTuple):
    """What was sent in the request's field `field`."""

    field: str
    text: str
    use: Use


def require_acceptable(texts: Iterable[Text], *, own_model: bool, ports: Ports) -> None:
    """Raises InvalidRequest, naming each field with its category and rule.

    `own_model`: the images are of a real person. What the policy is uncertain of passes: nobody judges it.
    """
    refused = []
    for field, text, use in texts:
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
        if param := refusal(field, verdict):
            refused.append(param)
    if refused:
        ports.telemetry.count("PromptsRefused")
        raise InvalidRequest("prompt_refused", invalid_params=refused)
