"""Rows as tests need them: plausible, small, and changed by keyword."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from revela.domain.account import Account, Portion, new_grant
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.ledger import EntryKind, LedgerEntry
from revela.domain.photo import ModelKind
from revela.domain.plans import Plan
from revela.domain.training import Training, TrainingPhoto
from tests.fakes.clock import START


def a_generation(id_: str = "gen_01", **changes: Any) -> Generation:
    """Return a queued generation of two images that cost three credits each."""
    values: dict[str, Any] = {
        "user_id": "ana",
        "id": id_,
        "account_id": "acc_1",
        "state": State.QUEUED,
        "model": "flux-dev",
        "provider_version": "black-forest-labs/flux-dev",
        "params": {"prompt": "a lighthouse", "num_outputs": 2, "width": 1024, "height": 1024, "seed": 7},
        "held_from": (Portion(grant_id="plan:free", credits=6),),
        "credits_held": 6,
        "credits_per_image": 3,
        "price_version": "2026-1",
        "created_at": START,
        "updated_at": START,
        "due_at": START + timedelta(seconds=60),
    }
    return Generation(**values | changes)


def a_training(id_: str = "mdl_01#trn_01", **changes: Any) -> Training:
    """Return a queued training of two photos that costs 250 credits."""
    values: dict[str, Any] = {
        "user_id": "ana",
        "id": id_,
        "account_id": "acc_1",
        "state": State.QUEUED,
        "model_id": id_.partition("#")[0],
        "trainer": "flux-lora",
        "fine_tune": "flux-dev-fine-tune",
        "provider_version": f"ostris/flux-dev-lora-trainer:{'0' * 64}",
        "params": {"steps": 1000, "resolution": 1024, "learning_rate": 0.0004, "autocaption": True},
        "kind": ModelKind.FACE,
        "trigger_word": "REVK",
        "class_word": "woman",
        "photos": tuple(
            TrainingPhoto(id=f"pho_{n}", key=f"photos/ana/mdl_01/pho_{n}/x.jpg", sha256=f"{n}" * 64)
            for n in (1, 2)
        ),
        "held_from": (Portion(grant_id="plan:free", credits=250),),
        "credits_held": 250,
        "price_version": "2026-1",
        "created_at": START,
        "updated_at": START,
        "due_at": START + timedelta(seconds=60),
    }
    return Training(**values | changes)


def an_account(user_id: str = "ana", **changes: Any) -> Account:
    """Return an account that has 14 of 20 credits left and 6 held."""
    values: dict[str, Any] = {
        "user_id": user_id,
        "account_id": "acc_1",
        "plan": "free",
        "available": 14,
        "held": 6,
        "running": 1,
        "entries": 1,
        "grants": (
            new_grant("plan:free", "plan", 14, now=START),
            new_grant("promo", "promotion", 0, now=START, expires_at=START + timedelta(days=30)),
        ),
        "day": START.date(),
        "images_today": 2,
        "created_at": START,
        "updated_at": START,
    }
    return Account(**values | changes)


def an_entry(number: int = 1, **changes: Any) -> LedgerEntry:
    values: dict[str, Any] = {
        "account_id": "acc_1",
        "number": number,
        "kind": EntryKind.GRANT,
        "credits": 20,
        "balance": 20,
        "cause": "opened",
        "created_at": START,
    }
    return LedgerEntry(**values | changes)


def a_plan(id_: str = "small", **changes: Any) -> Plan:
    """Return a plan of two jobs at once, three waiting, 40 images a day, and 20 credits that stay."""
    values: dict[str, Any] = {
        "id": id_,
        "name": {"en": "Small", "pt-BR": "Pequeno"},
        "credits": 20,
        "monthly": False,
        "jobs_at_once": 2,
        "jobs_waiting": 3,
        "images_per_request": 4,
        "images_per_day": 40,
        "free_cancels_per_day": 2,
        "free_blocks_per_day": 3,
        "trainings_at_once": 1,
        "models_kept": 2,
    }
    return Plan(**values | changes)
