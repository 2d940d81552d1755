"""Create a personal model: a draft that photos are added to."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from revela.domain.account import Account
from revela.domain.change import AccountWrite, Change, ModelWrite
from revela.domain.errors import Conflict, InvalidRequest, NotInPlan, NotNow, TooMany
from revela.domain.personal_model import Consent, PersonalModel
from revela.domain.photo import ModelKind
from revela.domain.trigger_words import Subject, generate_trigger_word, invalid_trigger_word
from revela.ports import Ports
from revela.usecases.contention import contended
from revela.usecases.prompt_checks import Text, require_acceptable
from revela.usecases.strikes import standing_account


@dataclass(frozen=True)
class CreateModel:
    """`trigger_word` None: one is made up. Of the address that the consent came from, a hash is kept."""

    user_id: str
    name: str
    kind: ModelKind
    class_word: str
    consent_version: str
    address: str
    trigger_word: str | None = None


def create_model(command: CreateModel, *, ports: Ports) -> PersonalModel:
    """Return the draft.

    Raises:
        NotInPlan: the plan has no models of one's own.
        TooMany: beyond the plan's number of models.
        InvalidRequest: an unusable trigger word; texts that the policy refuses.
        Suspended: the account may not ask for anything for a while.
        NotNow: the account was written by others for too long.
    """
    standing_account(command.user_id, ports=ports)
    # All three end in prompts, or stand beside images. What the policy doubts of them is judged with each
    # prompt that they end in.
    texts = [Text("name", command.name, "name"), Text("class_word", command.class_word, "name")]
    if command.trigger_word:
        wordings = Subject(command.kind, command.trigger_word, command.class_word).wordings
        texts += [Text("trigger_word", words, "name") for words in wordings if words != command.class_word]
    require_acceptable(
        command.user_id,
        texts,
        own_model=command.kind.of_a_person,
        ports=ports,
    )
    for _ in contended(ports):
        account = standing_account(command.user_id, ports=ports)
        limit = ports.catalog.plan(account.plan).models_kept
        if not limit:
            raise NotInPlan("plan_without_models")
        others = ports.models.page(command.user_id, limit=limit + 1, cursor=None).items
        if len(others) >= limit:
            raise TooMany("too_many_models", limit=limit)
        model = _draft(command, account, {other.trigger_word for other in others}, ports)
        # Writing the account puts a user's creates in a row: neither more models than the plan allows
        # nor two of one trigger word.
        counted = account.model_copy(update={"updated_at": model.created_at})
        change = Change(
            now=model.created_at, account=AccountWrite(account, counted), model=ModelWrite(None, model)
        )
        try:
            ports.changes.commit(change)
        except Conflict:
            continue
        ports.telemetry.count("ModelsCreated")
        ports.telemetry.info("model_created", user_id=model.user_id, model_id=model.id, kind=model.kind)
        return model
    raise NotNow("write_conflict")


def _draft(command: CreateModel, account: Account, taken: Collection[str], ports: Ports) -> PersonalModel:
    wanted = command.trigger_word
    invalid = invalid_trigger_word("trigger_word", wanted, taken=taken) if wanted is not None else None
    if invalid:
        raise InvalidRequest("invalid_request", invalid_params=[invalid])
    now = ports.clock.now()
    id_ = ports.entropy.new_id("mdl", now=now)
    return PersonalModel(
        user_id=command.user_id,
        id=id_,
        account_id=account.account_id,
        name=command.name,
        kind=command.kind,
        class_word=command.class_word,
        trigger_word=wanted or generate_trigger_word(ports.entropy.seed(), taken=taken),
        consent=Consent(
            accepted_at=now, text_version=command.consent_version, address_hash=_hashed(id_, command.address)
        ),
        created_at=now,
        updated_at=now,
    )


def _hashed(salt: str, address: str) -> str:
    """Return proof of an address to whoever knows it; the salt keeps models of one address apart."""
    return hashlib.sha256(f"{salt}:{address}".encode()).hexdigest()
