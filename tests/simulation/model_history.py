"""What must be true of models, photos and trainings over a whole history, and when all has come to rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from datetime import timedelta

from revela.domain.job import State
from revela.domain.personal_model import ModelState
from revela.domain.photo import PhotoState
from revela.domain.policy import DEADLINE_MARGIN, QUEUE_AGE_MAX
from revela.domain.prediction import Prediction
from revela.domain.training import Training
from revela.ports import Ref
from tests.fakes import FakePorts
from tests.simulation.history import MOVES
from tests.simulation.provider import SimulatedReplicate
from tests.unit.usecases.money import ENDED, LIVE

# Two attempts of the slowest trainer, until the deadline of each, after a day in the queue.
LIFE_MAX = QUEUE_AGE_MAX + timedelta(hours=5)
UNDECIDED = {PhotoState.AWAITING_UPLOAD, PhotoState.CHECKING}


class ModelWitness:
    """Sees every write of a training; `ends` counts how they ended, `trained` what was recorded."""

    def __init__(self, ports: FakePorts, provider: SimulatedReplicate) -> None:
        self.accepted = 0
        self.ends: Counter[str] = Counter()
        self.settled_twice: list[Ref] = []
        self._ports = ports
        self._provider = provider
        self._settled: set[Ref] = set()
        self._recorded: set[str] = set()

    @property
    def at_rest(self) -> bool:
        store = self._ports.store
        return (
            all(row.state in ENDED for row in store.trainings.values())
            and not any(photo.state in UNDECIDED for photo in store.photos.values())
            and not any(model.state is ModelState.DELETING for model in store.models.values())
        )

    def assert_ages(self) -> None:
        now = self._ports.clock.now()
        for row in self._ports.store.trainings.values():
            assert row.state not in LIVE or now - row.created_at <= LIFE_MAX, f"{row.id} does not end"

    def assert_limits_are_kept(self) -> None:
        store, catalog = self._ports.store, self._ports.catalog
        for account in store.accounts.values():
            plan = catalog.plan(account.plan)
            assert account.trainings <= plan.trainings_at_once, account.user_id
        models = Counter(m.user_id for m in store.models.values() if m.state is not ModelState.DELETING)
        for user_id, count in models.items():
            assert count <= catalog.plan(store.accounts[user_id].plan).models_kept, user_id
        assert not self.settled_twice, f"settled twice: {self.settled_twice}"

    def assert_at_rest(self, *, half_deleted: Set[str]) -> None:
        assert all(account.trainings == 0 for account in self._ports.store.accounts.values())
        self._assert_accepted_photos_are_kept(half_deleted)
        self._assert_no_version_is_forgotten()

    def known_prefixes(self) -> set[str]:
        """Return what models that are there keep their files below."""
        store = self._ports.store
        photos = {photo.clean_prefix for photo in store.photos.values() if photo.state is PhotoState.ACCEPTED}
        weights = {row.weights_prefix for row in store.trainings.values() if row.state is State.SUCCEEDED}
        return photos | weights

    def _assert_accepted_photos_are_kept(self, half_deleted: Set[str]) -> None:
        stored = self._ports.objects.stored
        for photo in self._ports.store.photos.values():
            if photo.state is PhotoState.ACCEPTED and photo.id not in half_deleted:
                assert photo.clean_key in stored, f"{photo.id}: its clean copy is gone"

    def _assert_no_version_is_forgotten(self) -> None:
        """Each version that was ever trained is some training's that is there, or was deleted."""
        rows = self._ports.store.trainings.values()
        gone = set(self._provider.deleted_versions)
        kept = {row.trained_version for row in rows if row.trained_version is not None}
        used = {v.provider_version for model in self._ports.store.models.values() for v in model.versions}
        assert not used & gone, f"deleted while a model uses it: {used & gone}"
        forgotten = self._recorded - gone - kept
        assert not forgotten, f"versions of models that are gone: {forgotten}"
        # What was told to stop and ended well all the same is only known by its webhook, which may be lost.
        trained = (t for id_, t in self._provider.trainings.items() if id_ not in self._provider.canceled)
        made = {t.trained_version for t in trained} - {None}
        unknown = made - self._recorded - gone
        assert not unknown, f"versions that nobody knows of: {unknown}"

    def see(self, before: Training | None, after: Training) -> None:
        ref = Ref(after.user_id, after.id)
        if after.trained_version is not None:
            self._recorded.add(after.trained_version)
        if before is None:
            self.accepted += 1
            assert (after.state, after.version) == (State.QUEUED, 1), after.id
            return
        assert (before.state, after.state) in MOVES, f"{after.id}: {before.state} to {after.state}"
        assert (after.version, after.attempt) >= (before.version + 1, before.attempt), after.id
        if before.state in LIVE and after.state in ENDED:
            if ref in self._settled:
                self.settled_twice.append(ref)
            self._settled.add(ref)
            self.ends[f"failed: {after.failure.code}" if after.failure else after.state.value] += 1
        if before.state in LIVE and after.state in (State.FAILED, State.CANCELED, State.QUEUED):
            self._judge_giving_up(before, after)

    def _judge_giving_up(self, before: Training, after: Training) -> None:
        """No training is given up while its version is there, unless its model is going, or it is late."""
        prediction = self._provider.trainings.get(before.prediction_id or "")
        if prediction is None or prediction.trained_version is None:
            return
        model = self._ports.store.models.get((after.user_id, after.model_id))
        closed = model is None or model.state is ModelState.DELETING
        assert closed or self._is_late(before, prediction), f"{after.id}: its version is given up"

    def _is_late(self, before: Training, prediction: Prediction) -> bool:
        """Tell whether we had told it to end, and it was running when it last said so."""
        now, ended_at = self._ports.clock.now(), prediction.completed_at
        assert ended_at is not None
        late = before.deadline_at is not None and now >= before.deadline_at
        return late and now - ended_at < timedelta(minutes=2) + DEADLINE_MARGIN
