"""What an installation may be set to: all of it shows within an hour or two."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from revela.domain.catalog import Catalog
from revela.ports import Policies
from tests.fakes.ports import POLICIES, load_catalog


def some_catalog(chance: random.Random) -> Catalog:
    """Return what is shipped, in some histories with so few free images a day that they are used up."""
    shipped = load_catalog()
    most = chance.choice((0, 1, 3, 1000))
    plans = [
        plan.model_copy(update={"free_blocks_per_day": min(most, plan.free_blocks_per_day)})
        for plan in shipped.plans
    ]
    return shipped.model_copy(update={"plans": tuple(plans)})


def some_policies(chance: random.Random) -> Policies:
    """Return a patience, strikes and a retention that histories can come to the end of."""
    return replace(
        POLICIES,
        copies_weights=chance.random() < 0.5,
        blocked_kept=timedelta(days=chance.choice((0, 7))),
        judge_patience=chance.choice((timedelta(minutes=20), timedelta(days=1))),
        strikes_per_day=chance.choice((1, 2, 4, 10)),
    )
