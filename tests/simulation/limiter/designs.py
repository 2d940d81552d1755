"""Three designs of a worker: slots reserved at a learned pace, and the two that people write first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from revela.domain.pace import Read, Steps, refuse, reserve
from revela.usecases.start_generation import ONE_CREATE_NEEDS, ONE_CREATE_TAKES
from tests.simulation.limiter.backlog import Job
from tests.simulation.limiter.virtual_time import Process
from tests.simulation.limiter.world import PER_MINUTE, World

Design = Callable[[World, list[Job]], Process[None]]
FUNCTION_TIMEOUT_S = 120.0
REDISPATCHED_S = 60.0
BACKOFF_S, BACKOFF_MAX_S = 1.0, 60.0
_NEEDS_S = ONE_CREATE_NEEDS.total_seconds()


def reserved_slots(world: World, batch: list[Job]) -> Process[None]:
    """As `start_generation`: the steps of `revela.domain.pace`, the rows' own reads and writes around."""
    last_begin_s = world.time.now_s + FUNCTION_TIMEOUT_S - _NEEDS_S
    dies_at = world.chance.randrange(len(batch)) if world.chance.random() < world.crashes else None
    yield world.item()
    ready: Sequence[Job] = batch
    done = 0
    while ready:
        now = world.time.now()
        left = timedelta(seconds=last_begin_s - world.time.now_s)
        before = now + left - len(ready) * ONE_CREATE_TAKES
        turns = yield from world.carry_out(reserve(world.limit, len(ready), now=now, before=before))
        in_turn, too_many = ready[: len(turns.slots)], ready[len(turns.slots) :]
        ready = ()
        for n, (job, slot) in enumerate(zip(in_turn, turns.slots, strict=True)):
            yield world.time.seconds_until(slot)
            if done == dies_at:
                for lost in (*in_turn[n:], *too_many):
                    world.backlog.postpone(lost, world.time.now_s + REDISPATCHED_S)
                return
            done += 1
            if world.time.now_s > last_begin_s:
                yield world.item()
                world.backlog.postpone(job, world.time.now_s)
                continue
            if (yield from world.carry_out(_epoch())) != turns.epoch:
                ready = in_turn[n:]
                break
            yield from _create_in_turn(world, job)
        if not turns.slots:
            yield max(0.0, last_begin_s - world.time.now_s)
        for job, later in zip(too_many, turns.later, strict=True):
            yield world.item()
            world.backlog.postpone(job, world.time.now_s + world.time.seconds_until(later))


def _create_in_turn(world: World, job: Job) -> Process[None]:
    sent_at = world.time.now()
    wait_s = yield from world.create(job)
    if wait_s is not None:
        now = world.time.now()
        until = now + timedelta(seconds=wait_s)
        world.backlog.postpone(job, world.time.now_s + wait_s)
        yield from world.carry_out(refuse(world.limit, sent_at=sent_at, now=now, until=until, too_fast=True))


def _epoch() -> Steps[int]:
    bucket = yield Read()
    assert bucket is not None
    return bucket.epoch


def full_jitter(world: World, batch: list[Job]) -> Process[None]:
    """Nobody knows of the others: send, and when refused come back after a random wait."""
    yield world.item()
    for job in batch:
        if (yield from world.create(job)) is not None:
            full_s = min(BACKOFF_S * 2**job.refusals, BACKOFF_MAX_S)
            job.refusals += 1
            world.time.begin(_again(world, job), after_s=world.chance.random() * full_s)


def _again(world: World, job: Job) -> Process[None]:
    """A process of its own, as a message that comes back after its back-off."""
    while (yield from world.create(job)) is not None:
        full_s = min(BACKOFF_S * 2**job.refusals, BACKOFF_MAX_S)
        job.refusals += 1
        yield world.chance.random() * full_s


def minute_counter(world: World, batch: list[Job]) -> Process[None]:
    """One item per minute counts what was sent in it; when it is full, wait for the next minute."""
    yield world.item()
    for job in batch:
        while True:
            yield from _count(world)
            wait_s = yield from world.create(job)
            if wait_s is None:
                break
            yield wait_s


def _count(world: World) -> Process[None]:
    while True:
        minute = int(world.time.now_s // 60)
        wait_s = world.item()
        yield wait_s / 2
        world.writes_s.append(world.time.now_s)
        taken = world.minutes.get(minute, 0)
        world.minutes[minute] = min(taken + 1, PER_MINUTE)
        yield wait_s / 2
        if taken < PER_MINUTE:
            return
        yield (minute + 1) * 60 - world.time.now_s + world.chance.random()


DESIGNS: dict[str, Design] = {
    "reserved slots": reserved_slots,
    "full-jitter back-off": full_jitter,
    "minute counter": minute_counter,
}
