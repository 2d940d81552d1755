"""Accept a generation: validate it, hold its credits, and queue it or let it wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from revela.domain import account as accounts
from revela.domain.account import Account
from revela.domain.change import AccountWrite, Change, JobWrite, ModelWrite
from revela.domain.errors import Conflict, InvalidParam, InvalidRequest, NotNow
from revela.domain.generation import Doubt, Generation
from revela.domain.job import State
from revela.domain.parameters import Params
from revela.domain.policy import DISPATCH_DUE, WAITING_DUE
from revela.domain.prompt_policy import Use
from revela.ports import Ports, Ref
from revela.usecases import idempotency, image_models, show_account
from revela.usecases.contention import contended
from revela.usecases.image_models import ImageMaker
from revela.usecases.model_health import require_available
from revela.usecases.moving import send_starts
from revela.usecases.prompt_checks import Text, require_acceptable
from revela.usecases.show_account import AccountView
from revela.usecases.strikes import standing_account

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
        Suspended: the account may not ask for anything for a while.
        Unavailable: the model rests; `alternatives` names those that do not.
        NotFound: the user has no such personal model.
        NotNow: the personal model is not trained, or being deleted; others wrote the account for too long.
    """
    model_id = command.requested.get("model")
    if not isinstance(model_id, str):
        code = "required" if model_id is None else "must_be_string"
        raise InvalidRequest("invalid_request", invalid_params=[InvalidParam("model", code)])
    id_ = ports.entropy.new_id("gen", now=ports.clock.now())
    seed = ports.entropy.seed()
    key = idempotency.key_of(command.user_id, ROUTE, command.idempotency_key, command.requested)
    for _ in contended(ports):
        if known := idempotency.replay(key, ports=ports):
            assert isinstance(known, Generation)  # the key names its route
            return Accepted(known, account=None)
        maker = image_models.find(command.user_id, model_id, ports=ports)
        require_available(maker.model_id, [other.id for other in ports.catalog.models], ports=ports)
        account = standing_account(command.user_id, ports=ports)
        plan = ports.catalog.plan(account.plan)
        params = maker.model.complete(
            {k: v for k, v in command.requested.items() if k != "model"},
            max_outputs=plan.images_per_request,
        )
        doubts = require_acceptable(
            command.user_id, _texts(params, maker), own_model=_shows_people(maker), ports=ports
        )
        if "seed" in maker.model.parameters:
            params.setdefault("seed", seed)
        change = _accept(command.user_id, id_, maker, params, doubts, key, account, ports)
        try:
            ports.changes.commit(change)
        except Conflict:
            continue
        assert change.account is not None
        generation = change.job.after if change.job else None
        assert isinstance(generation, Generation)
        ports.telemetry.count("GenerationsAccepted")
        ports.telemetry.count("CreditsHeld", generation.credits_held)
        ports.telemetry.info(
            "generation_accepted",
            user_id=generation.user_id,
            generation_id=generation.id,
            model=maker.model_id,
            state=generation.state,
        )
        if generation.state is State.QUEUED:
            send_starts([Ref(generation.user_id, generation.id)], ports=ports)
        return Accepted(generation, show_account.view(change.account.after, ports=ports))
    raise NotNow("write_conflict")


def _accept(
    user_id: str,
    id_: str,
    maker: ImageMaker,
    params: Params,
    doubts: tuple[Doubt, ...],
    key: idempotency.Key | None,
    account: Account,
    ports: Ports,
) -> Change:
    now = ports.clock.now()
    plan = ports.catalog.plan(account.plan)
    cost = maker.model.credits_per_image * params["num_outputs"]
    hold = accounts.hold(account, plan, cost=cost, images=params["num_outputs"], now=now)
    starts = hold.starts_at_once
    generation = Generation(
        user_id=user_id,
        id=id_,
        account_id=account.account_id,
        state=State.QUEUED if starts else State.WAITING,
        model=maker.model_id,
        own=maker.own,
        provider_version=maker.provider_version,
        params=params,
        doubts=doubts,
        held_from=hold.held_from,
        credits_held=cost,
        credits_per_image=maker.model.credits_per_image,
        price_version=ports.catalog.price_version,
        created_at=now,
        updated_at=now,
        due_at=now + (DISPATCH_DUE if starts else WAITING_DUE),
    )
    return Change(
        now=now,
        job=JobWrite(None, generation),
        account=AccountWrite(account, hold.posting.account),
        entries=hold.posting.entries,
        pointer_added=None if starts else generation,
        model=ModelWrite(maker.personal, maker.personal) if maker.personal else None,
        idempotency_key=idempotency.first_answer(key, generation, now=now),
    )


def _texts(params: Params, maker: ImageMaker) -> Iterator[Text]:
    """Yield all that the provider will read: the words of the model alone, and as they stand together.

    They passed the policy of their time. Refused now, they are no offence of whoever uses the model.
    """
    uses: tuple[Use, ...] = ("prompt", "negative_prompt")
    yield from (Text(use, params[use], use) for use in uses if use in params)
    if maker.own is not None:
        for words in maker.own.subject.wordings:
            yield Text("model", words, "name", asked_now=False)


def _shows_people(maker: ImageMaker) -> bool:
    return maker.personal is not None and maker.personal.shows_people
