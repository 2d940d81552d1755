"""Start generations: take each queued job to the provider, at the provider's pace, exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from revela.domain.change import ModelWrite
from revela.domain.errors import JudgeUnavailable, Refused, Transient
from revela.domain.generation import Generation
from revela.domain.job import Event, Failure, State, fingerprint
from revela.domain.judgement import Judgement
from revela.domain.policy import JUDGE_FIRST, JUDGE_MAX, START_LEASE
from revela.domain.retry import backoff
from revela.ports import CreatePrediction, ModelRef, Ports, Ref
from revela.usecases import image_models, personal_models
from revela.usecases.creates import create_once, may_start, postpone
from revela.usecases.judge_prompt import judge_prompt
from revela.usecases.model_health import rests_until
from revela.usecases.moving import Move, move
from revela.usecases.prompt_checks import NO_STRIKE
from revela.usecases.provider_predictions import cancel_at_provider

# A claim, a create at its time-out and its record must fit into what is left of the function's time.
ONE_CREATE_NEEDS = timedelta(seconds=40)
# A judge waits up to ten seconds for its slot, and then asks as a create does. A job that is judged too late
# to be created in the same run is created in the next: what was said is remembered.
ONE_JUDGEMENT_NEEDS = timedelta(seconds=40)
# What a create usually takes: those of a batch follow each other, so that the last begins after its slot.
ONE_CREATE_TAKES = timedelta(seconds=0.5)


def start_generation(refs: Sequence[Ref], *, ports: Ports, until: datetime) -> list[Ref]:
    """Send a batch; return the refs that must be delivered again. `until`: when this process ends.

    Slots are reserved for the whole batch in one write, after its rows were checked, and each row
    is claimed immediately before its create. What cannot start in time becomes the row's `due_at`.
    Prompts in doubt come last: they wait for their judge, and nobody waits for them.
    """
    now = ports.clock.now()
    rows = ports.generations.get_many(list(dict.fromkeys(refs)))
    failed: list[Ref] = []
    for row in rows:
        if row.cancel_requested_at is not None and row.state.at_provider:
            cancel_at_provider(row, ports=ports)
    startable = sorted((row for row in rows if may_start(row, now)), key=lambda row: row.id)
    available = _of_available_models(startable, failed, ports)
    ready: Sequence[Generation] = [row for row in available if not row.undecided]
    while ready:
        ready = _start_in_turn(ready, failed, ports, until)
    ready = _passed([row for row in available if row.undecided], failed, ports, until)
    while ready:
        ready = _start_in_turn(ready, failed, ports, until)
    return failed


def _of_available_models(rows: Sequence[Generation], failed: list[Ref], ports: Ports) -> Sequence[Generation]:
    """Return the rows whose model may be used; the others wait until it is tried again."""
    resting = {model: rests_until(model, ports=ports) for model in {row.model for row in rows}}
    for row in rows:
        if until := resting[row.model]:
            with _apart(row, failed, ports):
                postpone(row, until, ports)
    return [row for row in rows if resting[row.model] is None]


def _passed(
    rows: Sequence[Generation], failed: list[Ref], ports: Ports, until: datetime
) -> Sequence[Generation]:
    """Return the rows whose prompt the judge lets pass; the others end, or wait for it."""
    passed = []
    for row in rows:
        with _apart(row, failed, ports):
            now = ports.clock.now()
            if now + ONE_JUDGEMENT_NEEDS > until:
                postpone(row, now, ports)
                continue
            said = _judgement(row, ports)
            if said is not None and said.allowed:
                passed += [row] if row.judging_since is None else _no_longer_awaiting(row, ports)
            elif said is not None:
                _refuse(row, said, ports)
            else:
                _await_judge(row, ports)
    return passed


def _judgement(row: Generation, ports: Ports) -> Judgement | None:
    """Return what the judge says, None while it has said nothing, or is away."""
    try:
        said = judge_prompt(row, ports=ports)
        return said if isinstance(said, Judgement) else None
    except JudgeUnavailable as error:
        ports.telemetry.count("JudgeUnavailable")
        ports.telemetry.warning("judge_unavailable", generation_id=row.id, reason=str(error))
        return None


def _no_longer_awaiting(row: Generation, ports: Ports) -> list[Generation]:
    """Write down that its judge has answered: whatever holds the job from here on is not the judge."""

    def decide(seen: Generation) -> Move | None:
        if seen.state is not State.QUEUED:
            return None
        answered = {"prompt_judged_at": ports.clock.now(), "judging_since": None, "judge_waits": 0}
        return Move(Event.PROMPT_PASSED, State.QUEUED, changes=answered)

    passed, moved = move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)
    return [passed] if passed is not None and moved else []


def _refuse(row: Generation, said: Judgement, ports: Ports) -> None:
    def decide(seen: Generation) -> Move | None:
        if seen.state is not State.QUEUED:
            return None
        failure = Failure(code="prompt_moderated", detail=said.category)
        return Move(
            Event.PROMPT_REFUSED, State.FAILED, failure=failure, strike=said.category not in NO_STRIKE
        )

    if move(Ref(row.user_id, row.id), decide, ports=ports, seen=row).moved:
        ports.telemetry.count("PromptsRefused")


def _await_judge(row: Generation, ports: Ports) -> None:
    """Hold the job until its judge has answered, as long as the installation says."""
    fraction = ports.entropy.fraction()

    def decide(seen: Generation) -> Move | None:
        if seen.state is not State.QUEUED:
            return None
        now = ports.clock.now()
        since = seen.judging_since or now
        if now - since > ports.policies.judge_patience:
            return Move(Event.JUDGE_AWAY, State.FAILED, failure=Failure(code="judge_unavailable"))
        again_at = now + backoff(JUDGE_FIRST, seen.judge_waits, fraction=fraction, maximum=JUDGE_MAX)
        later = {"due_at": again_at, "not_before": again_at, "judge_waits": seen.judge_waits + 1}
        return Move(Event.POSTPONED, State.QUEUED, changes=later | {"judging_since": since})

    move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)


def _start_in_turn(
    ready: Sequence[Generation], failed: list[Ref], ports: Ports, until: datetime
) -> Sequence[Generation]:
    """Start each row in its slot; return those whose slots became void, for somebody was refused."""
    now, last_begin = ports.clock.now(), until - ONE_CREATE_NEEDS
    before = last_begin - len(ready) * ONE_CREATE_TAKES
    turns = ports.pace.reserve_creates(len(ready), now=now, before=before)
    in_turn, too_many = ready[: len(turns.slots)], ready[len(turns.slots) :]
    void: Sequence[Generation] = ()
    for n, (row, slot) in enumerate(zip(in_turn, turns.slots, strict=True)):
        with _apart(row, failed, ports):
            ports.clock.sleep_until(slot)
            begins_at = ports.clock.now()
            if begins_at > last_begin:
                # Creates of the same batch have taken long.
                postpone(row, begins_at, ports)
                continue
            if ports.pace.is_void(turns):
                void = in_turn[n:]
                break
            ports.telemetry.count("SlotWait", (begins_at - now).total_seconds() * 1000, unit="Milliseconds")
            _start(Ref(row.user_id, row.id), row, ports)
    if not turns.slots:
        # Nothing to do before this process ends. Its waiting keeps the others in the queue, in their
        # order; to postpone at once would take them all out of it, for reconcile to bring them back.
        ports.clock.sleep_until(last_begin)
    for row, later in zip(too_many, turns.later, strict=True):
        with _apart(row, failed, ports):
            postpone(row, later, ports)
    return void


@contextmanager
def _apart(row: Generation, failed: list[Ref], ports: Ports) -> Iterator[None]:
    """Keep what fails for one row from the rest of its batch."""
    try:
        yield
    except Transient as error:
        ports.telemetry.warning("start_failed", generation_id=row.id, reason=type(error).__name__)
        failed.append(Ref(row.user_id, row.id))
    except Refused as error:
        # Its model has left the catalog: it may come back, or the job gets too old for the queue.
        ports.telemetry.warning("start_impossible", generation_id=row.id, reason=str(error))


def _start(ref: Ref, row: Generation, ports: Ports) -> None:
    model = image_models.model_of(row, ports.catalog)
    model_input = image_models.input_of(row, ports.catalog)
    # Made before the claim: its key may be out of reach, and then nothing is claimed that cannot be sent.
    webhook_url = ports.webhook_urls.for_job(ref, row.attempt + 1)

    def claim(seen: Generation) -> Move | None:
        now = ports.clock.now()
        # Its attempt is in the webhook's URL: a row that was claimed meanwhile is another message's.
        if not may_start(seen, now) or seen.attempt != row.attempt:
            return None
        personal = None
        if seen.own:
            personal = personal_models.open_model(ModelRef(seen.user_id, seen.model), ports=ports)
            if personal is None:
                return personal_models.CLOSED
        return Move(
            Event.CLAIMED,
            State.STARTING,
            # Whoever withdraws consent in this moment is heard: the claim is void, and decided anew.
            model=ModelWrite(personal, personal) if personal else None,
            changes={
                "prompt_judged_at": (seen.prompt_judged_at or now) if seen.doubts else None,
                "judging_since": None,
                "judge_waits": 0,
                "attempt": seen.attempt + 1,
                "claimed_at": now,
                "lease_until": now + START_LEASE,
                "due_at": now + START_LEASE,
                "deadline_at": now + timedelta(seconds=model.deadline_s),
                "fingerprint": fingerprint(seen.provider_version, model_input),
            },
        )

    claimed, moved = move(ref, claim, ports=ports, seen=row)
    if claimed is None or not moved or claimed.state is not State.STARTING:
        return
    request = CreatePrediction(
        version=claimed.provider_version,
        input=model_input,
        webhook_url=webhook_url,
        cancel_after_s=model.deadline_s,
    )
    create_once(claimed, lambda: ports.provider.create_prediction(request), ports=ports)
