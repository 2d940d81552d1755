"""Users with models of their own: they upload photos, have models trained, and delete all of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

from revela.domain.errors import Refused
from revela.domain.personal_model import ModelState, PersonalModel
from revela.domain.photo import ModelKind
from revela.domain.policy import IDEMPOTENCY_KEPT
from revela.domain.training import Training
from revela.ports import ModelRef, Ref
from revela.usecases.accept_training import AcceptedTraining, AcceptTraining, accept_training
from revela.usecases.cancel_training import cancel_training
from revela.usecases.create_model import CreateModel, create_model
from revela.usecases.delete_model import delete_model
from revela.usecases.delete_photo import delete_photo
from revela.usecases.request_photo_uploads import (
    PhotoUpload,
    RequestPhotoUploads,
    request_photo_uploads,
)
from revela.usecases.withdraw_consent import withdraw_consent
from tests.fakes import FakePorts
from tests.fakes.objects import StoredObject
from tests.simulation.processes import Outcome, expect
from tests.unit.usecases.model_life import ADDRESS, a_picture, of

TRAINERS = ("flux-lora", "flux-fast", "sdxl-lora")
MINUTE = timedelta(minutes=1)
PHOTOS_AT_ONCE = (3, 8)
# A form is valid for half an hour, and some use it that late.
LATE_POST_MAX_S = 1800.0

Row = TypeVar("Row")


class Api(Protocol):
    """Has a request answered by a process of the API's, which may die; `then` hears of its end."""

    def __call__(
        self,
        name: str,
        request: Callable[[FakePorts], Any],
        then: Callable[[Outcome[Any]], None] | None = None,
    ) -> None: ...


class Post(NamedTuple):
    """An upload that its user makes at `due_at`."""

    due_at: datetime
    photo: Ref
    key: str
    data: bytes


class SecondThought(NamedTuple):
    """A withdrawal of consent at `due_at`, soon after something was asked of the model."""

    due_at: datetime
    model: ModelRef


class ModelUsers:
    """`told` receives what S3 tells of each upload; `lost` is how likely nobody is told, of `lost_keys`.

    `half_deleted` are photos whose deletion was not answered well: their users have to ask again.
    """

    def __init__(
        self,
        ports: FakePorts,
        chance: random.Random,
        api: Api,
        told: Callable[[Ref], None],
        *,
        users: tuple[str, ...],
    ) -> None:
        self.lost = 0.0
        self.lost_keys: set[str] = set()
        self.half_deleted: set[str] = set()
        self.posts: list[Post] = []
        self.second_thoughts: list[SecondThought] = []
        self._ports = ports
        self._chance = chance
        self._api = api
        self._told = told
        self._users = users
        self._pictures = 0
        self._trained: dict[str, Training] = {}

    @property
    def busy(self) -> bool:
        return bool(self.posts or self.second_thoughts)

    # What they do

    def someone_creates_a_model(self) -> None:
        user_id = self._chance.choice(self._users)
        kind = self._chance.choice((ModelKind.FACE, ModelKind.STYLE))
        command = CreateModel(user_id, "Ana", kind, "woman", "2026-01", ADDRESS)
        self._api("create model", lambda ports: create_model(command, ports=ports))

    def someone_uploads_photos(self) -> None:
        model = self._some(self._ports.store.models.values())
        if model is None:
            return
        types = ["image/jpeg"] * self._chance.randint(*PHOTOS_AT_ONCE)
        command = RequestPhotoUploads(of(model), types)

        def then(outcome: Outcome[list[PhotoUpload]]) -> None:
            expect(outcome, Refused)
            for asked in outcome.result or ():
                self._plan_posts(Ref(asked.photo.user_id, asked.photo.row_id), asked.photo.upload_key)

        self._api("request uploads", lambda ports: request_photo_uploads(command, ports=ports), then)

    def someone_trains(self) -> None:
        model = self._some(self._ports.store.models.values())
        if model is None:
            return
        key = f"{model.id}-{self._chance.randrange(3)}" if self._chance.random() < 0.5 else None
        # The key decides the body, so that a repeated key is a repeated request.
        details = random.Random(key or self._chance.random())
        requested = {"trainer": details.choice(TRAINERS), "steps": 500}
        command = AcceptTraining(of(model), requested, key)

        def then(outcome: Outcome[AcceptedTraining]) -> None:
            expect(outcome, Refused)
            if outcome.result is not None and key is not None:
                given = outcome.result.training
                first = self._trained.setdefault(key, given)
                # A key is remembered for a day.
                if given.created_at - first.created_at >= IDEMPOTENCY_KEPT - MINUTE:
                    self._trained[key] = given
                else:
                    assert given.id == first.id, f"two trainings for {key}"

        self._api("train", lambda ports: accept_training(command, ports=ports), then)

    def someone_cancels_a_training(self) -> None:
        if row := self._some(self._ports.store.trainings.values()):
            ref = Ref(row.user_id, row.id)
            self._api("cancel training", lambda ports: cancel_training(ref, ports=ports))

    def someone_deletes_a_photo(self) -> None:
        if photo := self._some(self._ports.store.photos.values()):
            ref = ModelRef(photo.user_id, photo.model_id)

            def then(outcome: Outcome[None]) -> None:
                expect(outcome, Refused)
                if outcome.error is not None:
                    self.half_deleted.add(photo.id)

            self._api("delete photo", lambda ports: delete_photo(ref, photo.id, ports=ports), then)

    def someone_deletes_a_model(self) -> None:
        if model := self._some(self._ports.store.models.values()):
            self._api("delete model", lambda ports: delete_model(of(model), ports=ports))

    def someone_withdraws_consent(self) -> None:
        """Mostly where something of it is under way, best of all where its images are in somebody's hands."""
        store = self._ports.store
        jobs = [(row.user_id, row.model, row.state) for row in store.generations.values() if row.own]
        jobs += [(row.user_id, row.model_id, row.state) for row in store.trainings.values()]
        live = [job for job in jobs if job[2].live]
        for wanted in ([job for job in live if job[2].has_outputs], live):
            keys = sorted({(user_id, model_id) for user_id, model_id, _ in wanted})
            models = [store.models[key] for key in keys if key in store.models]
            if models and self._chance.random() < 0.6:
                break
        else:
            models = list(store.models.values())
        if model := self._some(models):
            self._withdraw(of(model))

    def think_again(self, model: PersonalModel) -> None:
        """Withdraw consent while what was just asked for is in some worker's hands."""
        longest_s = self._chance.choice((1, 10, 60))
        due_at = self._ports.clock.now() + timedelta(seconds=self._chance.uniform(0, longest_s))
        self.second_thoughts.append(SecondThought(due_at, of(model)))

    # What follows

    def trained_model_of(self, user_id: str) -> PersonalModel | None:
        models = self._ports.store.models.values()
        return self._some(m for m in models if m.user_id == user_id and m.state is ModelState.READY)

    def do_what_is_due(self) -> None:
        """Upload, and have S3 tell of it; whatever became of the row meanwhile, the form still works."""
        now = self._ports.clock.now()
        thoughts = [thought for thought in self.second_thoughts if thought.due_at <= now]
        self.second_thoughts = [thought for thought in self.second_thoughts if thought.due_at > now]
        for thought in thoughts:
            self._withdraw(thought.model)
        due = [post for post in self.posts if post.due_at <= now]
        self.posts = [post for post in self.posts if post.due_at > now]
        for post in due:
            self._ports.objects.stored[post.key] = StoredObject(post.data, "image/jpeg")
            if self._chance.random() < self.lost:
                self.lost_keys.add(post.key)
            else:
                self._told(post.photo)

    def _withdraw(self, model: ModelRef) -> None:
        self._api("withdraw consent", lambda ports: withdraw_consent(model, ports=ports))

    def _plan_posts(self, photo: Ref, key: str) -> None:
        chance, now = self._chance, self._ports.clock.now()
        # Some never come, some use the form twice.
        for _ in range(chance.choices((0, 1, 2), (6, 90, 4))[0]):
            longest_s = 30.0 if chance.random() < 0.9 else LATE_POST_MAX_S
            due_at = now + timedelta(seconds=chance.uniform(0, longest_s))
            self.posts.append(Post(due_at, photo, key, self._a_picture()))

    def _a_picture(self) -> bytes:
        chance = self._chance.random()
        if chance < 0.05:
            return b"not an image"
        if chance > 0.1:
            self._pictures += 1
        return a_picture(self._pictures)

    def _some(self, rows: Iterable[Row]) -> Row | None:
        found = list(rows)
        return self._chance.choice(found) if found else None
