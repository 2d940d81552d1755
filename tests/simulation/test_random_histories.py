"""Whole histories of an installation in trouble, each decided by one seed.

Users ask, cancel and delete; messages are doubled, reordered and lost; processes die or are overtaken
between any two of their calls; the provider fails in every way we know. What must always be true is
checked after every step, and at the end, when trouble has ceased, that everything has come to rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import pytest

from revela.domain.generation import Generation, State
from revela.domain.prediction import PredictionStatus
from revela.ports import Ref
from tests.simulation.processes import Chances
from tests.simulation.world import World
from tests.unit.usecases.money import ENDED, RUNNING, assert_sound

STEPS = 150
TROUBLE = Chances(killed=0.01, interrupted=0.02, refused=0.005, unanswered=0.005)
# A queue's age, and then some.
PEACE_MAX = timedelta(days=1, hours=3)

Rows = Mapping[Ref, Generation]


@pytest.mark.parametrize("seed", range(50))
def test_in_every_history_jobs_end_once_and_money_adds_up(seed: int) -> None:
    world = World(seed)
    world.processes.chances = TROUBLE
    if seed % 5 == 0:
        world.ports.webhook_urls.base = None  # jobs live by polling alone
    try:
        for _ in range(STEPS):
            before = dict(world.ports.store.generations)
            world.step()
            assert_sound(world.ports)
            assert_history_goes_on(before, world.ports.store.generations)
            assert_limits_are_kept(world)
        come_to_rest(world)
        assert_at_rest(world)
    except Exception as error:
        error.add_note(f"seed {seed}, after {len(world.happened)} steps: ... {world.happened[-12:]}")
        raise


def assert_history_goes_on(before: Rows, now: Rows) -> None:
    """Rows never go back: what has ended stays as it ended, and nobody overtakes who waits."""
    for ref, was in before.items():
        row = now.get(ref)
        if row is None:
            assert was.state in (*ENDED, State.DELETING) or was.state in RUNNING, ref
            continue
        assert (row.version, row.attempt) >= (was.version, was.attempt), ref
        if was.state in ENDED:
            assert row.state in (was.state, State.DELETING), ref
            assert (row.outputs, row.credits_charged) == (was.outputs, was.credits_charged), ref
    for user_id in {ref.user_id for ref in now}:
        waited = sorted(
            at.id for at, was in before.items() if at.user_id == user_id and was.state == "waiting"
        )
        still = [id_ for id_ in waited if now[Ref(user_id, id_)].state is State.WAITING]
        went = [id_ for id_ in waited if now[Ref(user_id, id_)].state in RUNNING]
        assert not still or not went or max(went) < min(still), f"{user_id}: {went} overtook {still}"


def assert_limits_are_kept(world: World) -> None:
    store, catalog = world.ports.store, world.ports.catalog
    for account in store.accounts.values():
        assert account.running <= catalog.plan(account.plan).jobs_at_once, account.user_id
        assert account.waiting <= catalog.plan(account.plan).jobs_waiting, account.user_id
    owners = Counter(c.owner for c in store.predictions.values() if not c.owner.startswith("orphan"))
    assert not [owner for owner, predictions in owners.items() if predictions > 1]
    for row in store.generations.values():
        if row.state is State.SUCCEEDED:
            assert row.prediction_id is not None
            settled = world.ports.provider.predictions[row.prediction_id]
            assert settled.status is PredictionStatus.SUCCEEDED, row.id


def come_to_rest(world: World) -> None:
    """End all trouble and let time pass until nothing is left to do."""
    world.processes.chances = Chances()
    world.starts.doubled = world.finishes.doubled = 0.0
    world.provider.forgive()
    begun = world.ports.clock.now()
    while any(row.state not in ENDED for row in world.ports.store.generations.values()):
        assert world.ports.clock.now() - begun < PEACE_MAX, "something does not come to rest"
        world.a_minute_passes_in_peace()
        assert_sound(world.ports)


def assert_at_rest(world: World) -> None:
    store = world.ports.store
    for account in store.accounts.values():
        assert (account.held, account.running, account.waiting) == (0, 0, 0), account.user_id
    assert not store.pointers
    rows = store.generations.values()
    known = {prefix for row in rows for prefix in (row.published_prefix, row.quarantine_prefix)}
    strays = [key for key in world.ports.objects.stored if not key.startswith(tuple(known))]
    assert not strays, "objects of deleted generations are left"
