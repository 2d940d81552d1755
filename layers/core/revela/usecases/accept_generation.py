"""Accept a generation: validate it, hold its credits, and queue it or let it wait."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from revela.domain import account as accounts
from revela.domain.account import Account
from revela.domain.catalog import CatalogModel
from revela.domain.change import AccountWrite, Change, GenerationWrite, IdempotencyKey
from revela.domain.errors import Conflict, InvalidParam, InvalidRequest, NotNow, Unavailable
from revela.domain.generation import Generation, State
from revela.domain.parameters import Params
from revela.domain.policy import DISPATCH_DUE, IDEMPOTENCY_KEPT, WAITING_DUE
from revela.domain.prompt_policy import Use, refusal
from revela.ports import Ports, Ref
from revela.usecases import show_account
from revela.usecases.model_health import rests_until
from revela.usecases.moving import contended, send_starts
from revela.usecases.open_account import open_account
from revela.usecases.show_account import AccountView

ROUTE = "generations"


@dataclass(frozen=True)
class AcceptGeneration:
    """`requested` holds the request's fields as sent, `model` among them."""

    user_id: str
    requested: Mapping[str, Any]
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Accepted:
    """`generation` as it was first accepted; `account` None: the key was known, and nothing is held anew."""

    generation: Generation
    account: AccountView | None

    @property
    def replayed(self) -> bool:
        return self.account is None


def accept_generation(command: AcceptGeneration, *, ports: Ports) -> Accepted:
    """Return the generation, its credits held. Whatever happens after the write, it will be worked on.

    Raises:
        InvalidRequest: fields that the model or the plan does not take, or whose text the policy refuses; a
            key used with another body.
        NoCredits, TooMany: as `account.hold`.
        Unavailable: the model rests; `alternatives` names those that do not.
        NotNow: the account was written by others for too long.
    """
    model_id = command.requested.get("model")
    if not isinstance(model_id, str):
        code = "required" if model_id is None else "must_be_string"
        raise InvalidRequest("invalid_request", invalid_params=[InvalidParam("model", code)])
    model = ports.catalog.model(model_id)
    id_ = ports.entropy.new_id("gen", now=ports.clock.now())
    seed = ports.entropy.seed()
    for _ in contended(ports):
        if known := _replay(command, ports):
            return known
        _require_available(model, ports)
        account = open_account(command.user_id, ports=ports)
        plan = ports.catalog.plan(account.plan)
        params = model.complete(
            {k: v for k, v in command.requested.items() if k != "model"},
            max_outputs=plan.images_per_request,
        )
        _require_acceptable(params, ports)
        if "seed" in model.parameters:
            params.setdefault("seed", seed)
        change = _accept(command, id_, model, params, account, ports)
        try:
            ports.changes.commit(change)
        except Conflict:
            continue
        assert change.generation is not None
        assert change.account is not None
        generation = change.generation.after
        ports.telemetry.count("GenerationsAccepted")
        ports.telemetry.count("CreditsHeld", generation.credits_held)
        ports.telemetry.info(
            "generation_accepted",
            user_id=generation.user_id,
            generation_id=generation.id,
            model=model.id,
            state=generation.state,
        )
        if generation.state is State.QUEUED:
            send_starts([Ref(generation.user_id, generation.id)], ports=ports)
        return Accepted(generation, show_account.view(change.account.after, ports=ports))
    raise NotNow("write_conflict")


def _accept(
    command: AcceptGeneration, id_: str, model: CatalogModel, params: Params, account: Account, ports: Ports
) -> Change:
    now = ports.clock.now()
    plan = ports.catalog.plan(account.plan)
    cost = model.credits_per_image * params["num_outputs"]
    hold = accounts.hold(account, plan, cost=cost, images=params["num_outputs"], now=now)
    starts = hold.starts_at_once
    generation = Generation(
        user_id=command.user_id,
        id=id_,
        account_id=account.account_id,
        state=State.QUEUED if starts else State.WAITING,
        model=model.id,
        provider_version=model.version,
        params=params,
        held_from=hold.held_from,
        credits_held=cost,
        credits_per_image=model.credits_per_image,
        price_version=ports.catalog.price_version,
        created_at=now,
        updated_at=now,
        due_at=now + (DISPATCH_DUE if starts else WAITING_DUE),
    )
    key = command.idempotency_key
    return Change(
        now=now,
        generation=GenerationWrite(None, generation),
        account=AccountWrite(account, hold.posting.account),
        entries=hold.posting.entries,
        pointer_added=None if starts else generation,
        idempotency_key=IdempotencyKey(
            user_id=command.user_id,
            id=_key_id(key),
            request_hash=_request_hash(command.requested),
            accepted=generation,
            expires_at=now + IDEMPOTENCY_KEPT,
        )
        if key
        else None,
    )


def _require_acceptable(params: Params, ports: Ports) -> None:
    """Refuse texts by the prompt policy. What it is uncertain of passes: nobody judges that yet."""
    uses: tuple[Use, ...] = ("prompt", "negative_prompt")
    refused = []
    for name in uses:
        if name not in params:
            continue
        # Models of the catalog show nobody in particular: no image is of the person who asks.
        verdict = ports.prompt_policy.judge(params[name], use=name, own_model=False)
        if verdict.outcome == "allow":
            continue
        ports.telemetry.info(
            "prompt_judged",
            field=name,
            outcome=verdict.outcome,
            rule=verdict.rule,
            category=verdict.category,
            policy_version=ports.prompt_policy.version,
        )
        if param := refusal(name, verdict):
            refused.append(param)
    if refused:
        ports.telemetry.count("PromptsRefused")
        raise InvalidRequest("prompt_refused", invalid_params=refused)


def _require_available(model: CatalogModel, ports: Ports) -> None:
    until = rests_until(model.id, ports=ports)
    if until is None:
        return
    others = [other.id for other in ports.catalog.models if other is not model]
    alternatives = [id_ for id_ in others if rests_until(id_, ports=ports) is None]
    seconds = max(math.ceil((until - ports.clock.now()).total_seconds()), 1)
    minutes = math.ceil(seconds / 60)
    if not alternatives:
        raise Unavailable("all_models_resting", retry_after_s=seconds, model=model.id, minutes=minutes)
    raise Unavailable(
        "model_resting",
        retry_after_s=seconds,
        model=model.id,
        minutes=minutes,
        alternatives=", ".join(alternatives),
    )


def _replay(command: AcceptGeneration, ports: Ports) -> Accepted | None:
    if not command.idempotency_key:
        return None
    known = ports.generations.idempotency_key(command.user_id, _key_id(command.idempotency_key))
    # TTL deletes late, so that an expired key may still be there.
    if known is None or known.expires_at <= ports.clock.now():
        return None
    if known.request_hash != _request_hash(command.requested):
        raise InvalidRequest("idempotency_key_reused")
    return Accepted(known.accepted, account=None)


def _key_id(key: str) -> str:
    return f"key#{ROUTE}#{hashlib.sha256(key.encode()).hexdigest()}"


def _request_hash(requested: Mapping[str, Any]) -> str:
    canonical = json.dumps(dict(requested), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
