"""What must be true of a whole history, beyond what is true at every moment: nothing goes back."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from revela.domain.generation import Generation
from revela.domain.job import TRANSITIONS, State
from revela.domain.policy import DEADLINE_MARGIN, QUEUE_AGE_MAX
from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import Provenance, Ref
from tests.fakes import FakePorts
from tests.fakes.pictures import marked
from tests.simulation.provider import SimulatedReplicate
from tests.unit.usecases.money import ENDED, LIVE, RUNNING

Key = TypeVar("Key")
Row = TypeVar("Row")

MOVES = {(t.source, target) for t in TRANSITIONS for target in t.targets}
# A job that was claimed on its last allowed day may still use up its attempts, their deadlines and waits,
# and then wait for its judge.
LIFE_MAX = QUEUE_AGE_MAX + timedelta(hours=3)
# Between the provider's last word and our write of it, a process may be overtaken for so long.
ONE_INVOCATION = timedelta(minutes=2) + DEADLINE_MARGIN
# Ends by which images are given up knowingly; who watches over safety says whether they may be.
GIVEN_UP = {"judge_unavailable", "model_closed"}


class WatchedTable(dict[Key, Row]):
    """A table which shows every write, before it is done, to all of `on_write`."""

    def __init__(self, *on_write: Callable[[Row | None, Row], None]) -> None:
        super().__init__()
        self._on_write = on_write

    def __setitem__(self, key: Key, row: Row) -> None:
        before = self.get(key)
        for watch in self._on_write:
            watch(before, row)
        super().__setitem__(key, row)


class Witness:
    """Sees every write of a generation, every deletion at the provider, and the ages of jobs."""

    def __init__(self, ports: FakePorts, provider: SimulatedReplicate) -> None:
        self.ends: Counter[str] = Counter()
        self.accepted = 0
        self.settled_twice: list[Ref] = []
        self.lost_outputs: list[str] = []
        self.longest_life = timedelta(0)
        self.longest_save = timedelta(0)
        self._ports = ports
        self._provider = provider
        self._settled: set[Ref] = set()

    def assert_ages(self) -> None:
        now, longest = self._ports.clock.now(), LIFE_MAX + self._ports.policies.judge_patience
        for row in self._ports.store.generations.values():
            assert row.state not in LIVE or now - row.created_at <= longest, f"{row.id} does not end"

    def assert_nobody_overtook(self, before: dict[Ref, Generation]) -> None:
        """Of those that waited, whoever went was the first."""
        now = self._ports.store.generations
        for user_id in {ref.user_id for ref in before}:
            waited = sorted(
                ref.id for ref, was in before.items() if ref.user_id == user_id and was.state == "waiting"
            )
            still = [id_ for id_ in waited if now[Ref(user_id, id_)].state is State.WAITING]
            went = [id_ for id_ in waited if now[Ref(user_id, id_)].state in RUNNING]
            assert not still or not went or max(went) < min(still), f"{user_id}: {went} overtook {still}"

    def assert_outputs_are_what_was_made(self) -> None:
        """Each recorded output is in the bucket, byte for byte as the provider made it but for its mark."""
        stored, made = self._ports.objects.stored, self._provider.made
        for row in self._ports.store.generations.values():
            if row.state is not State.SUCCEEDED:
                continue
            assert row.prediction_id is not None
            urls = self._provider.rendered[row.prediction_id]
            mark = Provenance(row.id, row.own.fine_tune if row.own else row.model)
            for output in row.outputs:
                data = stored[output.key].data
                assert data == marked(made[urls[output.index]], mark), row.id
                assert hashlib.sha256(data).hexdigest() == output.sha256, row.id

    def judge_deletion(self, prediction: Prediction) -> None:
        """Say what is lost when the provider deletes this now."""
        owner = self._ports.store.predictions.get(prediction.id)
        row = next(
            (
                r
                for r in self._ports.store.generations.values()
                if owner and owner.owner == f"{r.id}:{r.attempt}"
            ),
            None,
        )
        if row is None or row.prediction_id != prediction.id or row.state not in LIVE:
            return
        # What waits for its judge is ours already.
        if row.state is not State.JUDGING and (reachable := self._reachable(prediction)):
            self.lost_outputs.append(f"{row.id} in {row.state}: {reachable} of {prediction.id}, by age")

    def see(self, before: Generation | None, after: Generation) -> None:
        ref = Ref(after.user_id, after.id)
        if before is None:
            self.accepted += 1
            assert (after.state, after.version) in {(State.QUEUED, 1), (State.WAITING, 1)}, after.id
            return
        assert (before.state, after.state) in MOVES, f"{after.id}: {before.state} to {after.state}"
        assert (after.version, after.attempt) >= (before.version + 1, before.attempt), after.id
        if before.state in ENDED:
            for what in ("outputs", "blocked", "credits_charged"):
                assert getattr(after, what) == getattr(before, what), f"{after.id}: {what}"
        if before.state in LIVE and after.state in ENDED:
            self._note_end(ref, after)
        if before.state is State.SAVING and (after.state is State.JUDGING or after.outputs or after.blocked):
            self._note_save(after)
        leaves = before.state not in (State.WAITING, State.QUEUED) and after.state is not before.state
        if leaves and after.state in (*ENDED, State.QUEUED, State.JUDGING) and before.state in LIVE:
            self._judge_leaving(before, after)

    def _note_end(self, ref: Ref, row: Generation) -> None:
        if ref in self._settled:
            self.settled_twice.append(ref)
        self._settled.add(ref)
        self.ends[f"failed: {row.failure.code}" if row.failure else row.state.value] += 1
        self.longest_life = max(self.longest_life, self._ports.clock.now() - row.created_at)

    def _note_save(self, row: Generation) -> None:
        """Note when nothing of it is lost any more though the provider deletes all."""
        completed_at = self._provider.predictions[row.prediction_id or ""].completed_at
        assert completed_at is not None
        self.longest_save = max(self.longest_save, self._ports.clock.now() - completed_at)

    def _judge_leaving(self, before: Generation, after: Generation) -> None:
        """A job that ends, is tried again or waits for its judge leaves no good image that could be had."""
        id_ = before.prediction_id or after.prediction_id
        prediction = self._provider.predictions.get(id_ or "")
        if prediction is None or prediction.status is not PredictionStatus.SUCCEEDED:
            return
        if after.failure is not None and after.failure.code in GIVEN_UP:
            return
        ours = {output.index for output in after.outputs}
        ours |= {image.index for image in after.blocked} | {image.index for image in after.quarantined}
        if before.state is State.JUDGING:
            stored = self._ports.objects.stored
            there = {image.index: image.key for image in before.quarantined if image.key in stored}
        else:
            there = {n: url for n, url in enumerate(prediction.output) if self._can_be_had(url)}
        lost = [where for index, where in there.items() if index not in ours]
        if lost and not self._was_stopped(before, prediction):
            self.lost_outputs.append(f"{after.id} {before.state} to {after.state}: {lost}")

    def _was_stopped(self, before: Generation, prediction: Prediction) -> bool:
        """Tell whether we had told it to end, and it was running when it last said so."""
        now = self._ports.clock.now()
        late = before.deadline_at is not None and now >= before.deadline_at
        assert prediction.completed_at is not None
        recent = now - prediction.completed_at < ONE_INVOCATION
        return before.state is State.PROCESSING and (late and recent)

    def _reachable(self, prediction: Prediction) -> list[str]:
        return [url for url in prediction.output if self._can_be_had(url)]

    def _can_be_had(self, url: str) -> bool:
        """Tell whether it is a good file, and there for whoever asks now."""
        return url in self._provider.made and isinstance(self._ports.outputs.files.get(url), bytes)
