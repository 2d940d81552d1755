"""Plays one seed's history to its end, and tells what happened in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from revela.domain.job import State
from revela.domain.prediction import PredictionStatus
from tests.simulation.world import World
from tests.unit.usecases.money import assert_sound

# When trouble ceases, what was begun in it ends within this: a back-off of ten minutes at most, a lease, a
# deadline, and then the waiting line of the smallest plan, one job after the other, each with its judge; who
# waited for one is looked after within minutes (`safety_history.JUDGED_WITHIN`). Photos that nobody has
# uploaded are waited for while their forms are valid; a message whose worker died comes again in 30 minutes.
REST_MAX = timedelta(minutes=90)


@dataclass
class Tally:
    """What happened in one history, or in many."""

    steps: int = 0
    seeds: int = 0
    accepted: int = 0
    trainings_accepted: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    trainings_end: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    settled_twice: int = 0
    lost_outputs: int = 0
    longest_life: timedelta = timedelta(0)
    longest_save: timedelta = timedelta(0)
    longest_judging: timedelta = timedelta(0)
    longest_rest: timedelta = timedelta(0)

    def add(self, other: Tally) -> None:
        self.steps += other.steps
        self.seeds += other.seeds
        self.accepted += other.accepted
        self.trainings_accepted += other.trainings_accepted
        self.ends += other.ends
        self.trainings_end += other.trainings_end
        self.events += other.events
        self.settled_twice += other.settled_twice
        self.lost_outputs += other.lost_outputs
        self.longest_life = max(self.longest_life, other.longest_life)
        self.longest_save = max(self.longest_save, other.longest_save)
        self.longest_judging = max(self.longest_judging, other.longest_judging)
        self.longest_rest = max(self.longest_rest, other.longest_rest)


def play(
    seed: int, *, steps: int, block: bool = False, tell: Callable[[str], None] = lambda _: None
) -> Tally:
    """Return what happened; `block`: half-way, the provider refuses every create for more than a day.

    Raises AssertionError, with the last steps, when something is not as promised.
    """
    world = World(seed)
    world.begin_trouble()
    try:
        for number in range(steps):
            if block and number == steps // 2:
                world.let_a_day_pass_without_credit()
            before = dict(world.ports.store.generations)
            world.step()
            tell(f"{world.ports.clock.now():%H:%M:%S.%f} {world.happened[-1]}")
            assert_sound(world.ports)
            world.witness.assert_nobody_overtook(before)
            world.witness.assert_ages()
            world.safety.assert_ages()
            world.model_witness.assert_ages()
            assert_limits_are_kept(world)
        rest = come_to_rest(world)
        assert_at_rest(world)
    except Exception as error:
        error.add_note(
            f"seed {seed} on {world.day}, after {len(world.happened)} steps, the last of them "
            f"{', '.join(world.happened[-12:])}\n"
            f"to replay: PYTHONPATH=layers/core python -m tests.simulation.soak --seed {seed} --steps {steps}"
            f"{' --block' if block else ''}"
        )
        raise
    finally:
        world.processes.close()
    return _tally(world, rest)


def assert_limits_are_kept(world: World) -> None:
    store, catalog = world.ports.store, world.ports.catalog
    for account in store.accounts.values():
        assert account.running <= catalog.plan(account.plan).jobs_at_once, account.user_id
        assert account.waiting <= catalog.plan(account.plan).jobs_waiting, account.user_id
    world.model_witness.assert_limits_are_kept()
    owners = Counter(c.owner for c in store.predictions.values() if not c.owner.startswith("orphan"))
    assert not [owner for owner, predictions in owners.items() if predictions > 1]
    for row in store.generations.values():
        if row.state is State.SUCCEEDED:
            assert row.prediction_id is not None
            settled = world.provider.predictions[row.prediction_id]
            assert settled.status is PredictionStatus.SUCCEEDED, row.id
    assert not world.witness.settled_twice, f"settled twice: {world.witness.settled_twice}"
    assert not world.witness.lost_outputs, f"outputs lost: {world.witness.lost_outputs}"
    # A job of the very same input may have adopted the first.
    jobs = {id_: c.owner.partition(":")[0] for id_, c in store.predictions.items() if ":" in c.owner}
    repeated = [(job, id_) for job, id_ in world.provider.repeated if jobs.get(id_, job) == job]
    assert not repeated, f"created again while the first was good: {repeated}"


def come_to_rest(world: World) -> timedelta:
    """End all trouble, let time pass until nothing is left to do, and return how long that took."""
    world.end_trouble()
    begun = world.ports.clock.now()
    while not world.at_rest or len(world.processes):
        assert world.ports.clock.now() - begun < REST_MAX, "something does not come to rest"
        world.pass_a_minute_in_peace()
        assert_sound(world.ports)
        assert_limits_are_kept(world)
        world.safety.assert_judged(begun)
    return world.ports.clock.now() - begun


def assert_at_rest(world: World) -> None:
    store = world.ports.store
    for account in store.accounts.values():
        assert (account.held, account.running, account.waiting) == (0, 0, 0), account.user_id
    assert not store.pointers
    world.witness.assert_outputs_are_what_was_made()
    rows = store.generations.values()
    known = {prefix for row in rows for prefix in (row.published_prefix, row.quarantine_prefix)}
    world.safety.assert_at_rest()
    world.image_users.assert_strikes_add_up(world.safety.strikes, world.safety.strikes_spared)
    known |= world.model_witness.known_prefixes()
    strays = [key for key in world.ports.objects.stored if not key.startswith(tuple(known))]
    # The bucket's own rule empties `incoming/` of what nobody was told of.
    strays = [key for key in strays if key not in world.users.lost_keys]
    assert not strays, f"objects of what is deleted are left: {strays}"
    world.model_witness.assert_at_rest(half_deleted=world.users.half_deleted)


def _tally(world: World, rest: timedelta) -> Tally:
    witness, processes, webhooks = world.witness, world.processes, world.webhooks
    events = processes.counts + Counter(
        {
            "webhooks written": webhooks.counts["written"],
            "webhooks lost": webhooks.counts["lost"],
            "webhooks forged": webhooks.counts["forged"],
            "duplicates": webhooks.counts["doubled"] + sum(q.duplicates for q in world.queues),
            "dead letters": sum(len(q.dead_letters) for q in world.queues),
            "predictions": len(world.provider.predictions),
            "trainings": len(world.provider.trainings),
            "photos accepted": world.ports.telemetry.counts["PhotosAccepted"],
            "photos rejected": world.ports.telemetry.counts["PhotosRejected"],
            "photos expired": world.ports.telemetry.counts["PhotosExpired"],
            "models created": world.ports.telemetry.counts["ModelsCreated"],
            "models deleted": world.ports.telemetry.counts["ModelsDeleted"],
            "orphans": world.ports.telemetry.counts["PredictionsOrphaned"],
            "spells of bad weather": world.provider.spells.total(),
            "creates unknown": world.ports.telemetry.counts["CreatesUnknown"],
            "verdicts": sum(judge.counts["judged"] for judge in world.judges),
            "tickets": sum(judge.counts["tickets"] for judge in world.judges),
            "tickets void": sum(judge.counts["tickets void"] for judge in world.judges),
            "judges away": sum(judge.counts["away"] for judge in world.judges),
            "turned away by judges": sum(judge.counts["turned away"] for judge in world.judges),
            "objects left behind": len(world.safety.left_behind),
            **world.safety.counts,
        }
    )
    return Tally(
        steps=len(world.happened),
        seeds=1,
        accepted=witness.accepted,
        trainings_accepted=world.model_witness.accepted,
        ends=witness.ends,
        trainings_end=world.model_witness.ends,
        events=events,
        settled_twice=len(witness.settled_twice),
        lost_outputs=len(witness.lost_outputs),
        longest_life=witness.longest_life,
        longest_save=witness.longest_save,
        longest_judging=world.safety.longest_judging,
        longest_rest=rest,
    )
