"""Flows of photos and of a model's deletion on the real adapters, each call of which can be broken."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from revela.adapters.dynamodb.mapping import model_of, photo_of
from revela.domain.change import Change, JobWrite, ModelWrite, PhotoWrite
from revela.domain.errors import NotFound, Transient
from revela.domain.job import State
from revela.domain.personal_model import ModelState, PersonalModel, TrainedVersion
from revela.domain.photo import ModelKind, Photo, PhotoState
from revela.ports import ModelRef, Ports, Ref
from revela.usecases.accept_generation import AcceptGeneration, accept_generation
from revela.usecases.check_photo import check_photo
from revela.usecases.create_model import CreateModel, create_model
from revela.usecases.delete_model import delete_model
from revela.usecases.delete_photo import delete_photo
from revela.usecases.grant_credits import GrantCredits, grant_credits
from revela.usecases.reconcile_jobs import reconcile_jobs
from revela.usecases.request_photo_uploads import RequestPhotoUploads, request_photo_uploads
from revela.usecases.show_model import list_models
from tests.contract.aws import NAMES
from tests.contract.model_stores import a_model, a_photo, a_training
from tests.fakes.faces import FakeFaces
from tests.fakes.photo_files import FakePhotoFiles
from tests.simulation.crash_points.breaker import KILLS, Breaker, Fault, Killed
from tests.simulation.crash_points.cloud import BUCKET, Cloud
from tests.simulation.crash_points.rekognition import FAMOUS
from tests.simulation.crash_points.stored import Item, items
from tests.unit.usecases.model_life import a_picture

ANA = "ana"
API_TIMEOUT, CHECK_TIMEOUT, RECONCILE_TIMEOUT = (timedelta(seconds=s) for s in (29, 60, 55))
# When a message whose receiver died is delivered again.
VISIBILITY = timedelta(minutes=6)
REPEATS = 10

Result = TypeVar("Result")


@dataclass(frozen=True)
class PhotoPoint:
    """One fault of one call of one flow; `number` counts the calls of its dry run."""

    flow: Callable[[PhotoFlows], None]
    number: int
    label: str
    fault: Fault


class PhotoFlows:
    """Clients that ask again, messages that are delivered again, and the schedule, on one deployment."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    # The flows

    def photos(self) -> None:
        """A model is created, two like photos and one bad one are uploaded and checked, one is deleted."""
        grant_credits(GrantCredits(ANA, "order-1", credits=50, plan="essential"), ports=self._ports())
        model = self._create()
        good, twin, bad = (self._uploaded(model, data) for data in (a_picture(1), a_picture(1), b"not one"))
        for photo in (good, twin, bad):
            self._delivered(photo)
        for photo in (twin, good):
            self._delivered(photo)  # S3 tells twice

        rows = {row.id: row for row in self.photo_rows()}
        states = {photo.id: rows[photo.id].state for photo in (good, twin, bad)}
        assert sorted(states.values()) == [PhotoState.ACCEPTED, PhotoState.REJECTED, PhotoState.REJECTED]
        assert states[bad.id] is PhotoState.REJECTED
        accepted = next(row for row in rows.values() if row.state is PhotoState.ACCEPTED)
        assert self.files() == {accepted.clean_key}

        self._asked("delete photo", lambda ports: _deleted_photo(accepted, ports))
        assert accepted.id not in {row.id for row in self.photo_rows()}
        assert self.files() == set()

    def famous(self) -> None:
        """Of two photos one shows somebody famous: no copy of it is kept."""
        grant_credits(GrantCredits(ANA, "order-1", credits=50, plan="essential"), ports=self._ports())
        model = self._create()
        own, famous = (
            self._uploaded(model, data) for data in (a_picture(1), a_picture(perceptual_hash=FAMOUS))
        )
        for photo in (famous, own):
            self._delivered(photo)

        rows = {row.id: row for row in self.photo_rows()}
        verdict = rows[famous.id].verdict
        assert rows[famous.id].state is PhotoState.REJECTED
        assert verdict is not None
        assert [problem.code for problem in verdict.problems] == ["public_person"]
        assert rows[own.id].state is PhotoState.ACCEPTED
        assert self.files() == {rows[own.id].clean_key}

    def deletion(self) -> None:
        """A trained model with photos, weights and an image under way is deleted."""
        self._trained_model()
        image = self._image()

        def delete(ports: Ports) -> None:
            with suppress(NotFound):  # it was heard, and is done already
                delete_model(ModelRef(ANA, "mdl_1"), ports=ports)

        self._asked("delete model", delete)
        for _ in range(30):
            if not self.models():
                break
            self.cloud.pass_time(timedelta(minutes=1))
            with suppress(Killed, Transient):  # the next minute's run does the same work
                self._process("reconcile", RECONCILE_TIMEOUT, _reconciled)

        assert not self.rows_of_models()
        assert self.files() == set()
        stored = self.cloud.stored().store
        assert stored.generations[image].state is State.CANCELED
        assert (stored.accounts[ANA].held, stored.accounts[ANA].running) == (0, 0)
        assert self.cloud.breaker.saw("DELETE /v1/models", since=0)

    # What is there

    def rows_of_models(self) -> list[Item]:
        return list(items(NAMES.models))

    def photo_rows(self) -> list[Photo]:
        row = self.cloud.tables.photo
        items = (item for item in self.rows_of_models() if "#pho_" in item["id"]["S"])
        return [photo_of(row.from_raw_data(item)) for item in items]

    def models(self) -> list[PersonalModel]:
        row = self.cloud.tables.model
        items = (item for item in self.rows_of_models() if "#" not in item["id"]["S"])
        return [model_of(row.from_raw_data(item)) for item in items]

    def files(self) -> set[str]:
        found = self.cloud.clients["s3"].list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {one["Key"] for one in found}

    # Steps

    def _create(self) -> PersonalModel:
        """Create a model; who was not answered looks first whether it is there."""

        def ask(ports: Ports) -> PersonalModel:
            known = list_models(ANA, limit=1, cursor=None, ports=ports).items
            if known:
                return known[0]
            command = CreateModel(ANA, "Ana", ModelKind.FACE, "woman", "2026-01", "203.0.113.7")
            return create_model(command, ports=ports)

        self._asked("create model", ask)
        (model,) = self.models()
        return model

    def _uploaded(self, model: PersonalModel, data: bytes) -> Photo:
        command = RequestPhotoUploads(ModelRef(ANA, model.id), ["image/jpeg"])
        (asked,) = self._asked("request upload", lambda ports: request_photo_uploads(command, ports=ports))
        self._put(asked.photo.upload_key, data)
        return asked.photo

    def _delivered(self, photo: Photo) -> None:
        ref = Ref(photo.user_id, photo.row_id)

        def work(ports: Ports, _until: datetime) -> None:
            check_photo(ref, ports=ports)

        for _ in range(REPEATS):
            try:
                self._process("check", CHECK_TIMEOUT, work)
            except (Killed, Transient):
                self.cloud.pass_time(VISIBILITY)
            else:
                return
        raise AssertionError("the message would lie in the dead letters")

    def _trained_model(self) -> None:
        version = TrainedVersion(
            id="trn_1",
            provider_version=f"revela/revela-flux-lora:{'b' * 64}",
            trainer="flux-lora",
            fine_tune="flux-dev-fine-tune",
            trained_at=self.cloud.now(),
        )
        model = a_model(state=ModelState.READY, versions=(version,), chosen_version="trn_1")
        training = a_training(state=State.SUCCEEDED, due_at=None, trained_version=version.provider_version)
        photos = [a_photo(f"pho_{n}", due_at=None) for n in range(2)]
        changes = self._ports().changes
        now = self.cloud.now()
        changes.commit(
            Change(
                now=now,
                job=JobWrite(None, training),
                model=ModelWrite(None, model),
                photos=tuple(PhotoWrite(None, photo) for photo in photos),
            )
        )
        for key in (photos[0].upload_key, f"{photos[1].clean_prefix}x.jpg", f"{model.weights_prefix}trn_1/w"):
            self._put(key, b"x")

    def _image(self) -> Ref:
        ports = self._ports()
        grant_credits(GrantCredits(ANA, "order-1", credits=50, plan="essential"), ports=ports)
        command = AcceptGeneration(ANA, {"model": "mdl_1", "prompt": "by the sea", "num_outputs": 1})
        row = accept_generation(command, ports=ports).generation
        return Ref(row.user_id, row.id)

    def _put(self, key: str, data: bytes) -> None:
        self.cloud.clients["s3"].put_object(Bucket=BUCKET, Key=key, Body=data)

    def _asked(self, flow: str, ask: Callable[[Ports], Result]) -> Result:
        for _ in range(REPEATS):
            try:
                return self._process(flow, API_TIMEOUT, lambda ports, _: ask(ports))
            except (Killed, Transient):
                self.cloud.pass_time(timedelta(seconds=2))
        raise AssertionError(f"{flow} was never answered")

    def _process(self, flow: str, timeout: timedelta, work: Callable[[Ports, datetime], Result]) -> Result:
        ends_at = self.cloud.now() + timeout
        with self.cloud.breaker.process(flow, ends_at):
            return work(self._ports(), ends_at)

    def _ports(self) -> Ports:
        ports = self.cloud.new_process()
        # What is in a picture is told by its bytes: decoding and looking call nothing outside.
        ports.photo_files, ports.faces = FakePhotoFiles(), FakeFaces()
        return ports


FLOWS = (PhotoFlows.photos, PhotoFlows.famous, PhotoFlows.deletion)


def play(cloud: Cloud, flow: Callable[[PhotoFlows], None], point: PhotoPoint | None = None) -> Breaker:
    """Play a flow, with the fault of `point`; whatever does not hold at its end is raised."""
    breaks = {point.number: point.fault} if point else {}
    cloud.begin(lambda on: Breaker(on.time, breaks))
    flow(PhotoFlows(cloud))
    if point is not None:
        assert cloud.breaker.seen[point.number].label == point.label, "the flow took another course"
    return cloud.breaker


def every_point(cloud: Cloud) -> Iterator[PhotoPoint]:
    """Yield everything that can be broken."""
    for flow in FLOWS:
        for number, call in enumerate(play(cloud, flow).seen):
            for fault in call.faults:
                yield PhotoPoint(flow, number, call.label, fault)


def first_of_each_label(points: Sequence[PhotoPoint]) -> list[PhotoPoint]:
    """Return both kills of the first call of each label and, of every third label, one other fault."""
    chosen: list[PhotoPoint] = []
    for label in dict.fromkeys(point.label for point in points):
        first = next(point for point in points if point.label == label)
        same = [p for p in points if (p.flow, p.number) == (first.flow, first.number)]
        others = [point for point in same if point.fault not in KILLS]
        chosen += [point for point in same if point.fault in KILLS]
        drawn = zlib.crc32(label.encode())
        if others and drawn % 3 == 0:
            chosen.append(others[drawn // 3 % len(others)])
    return chosen


def _deleted_photo(photo: Photo, ports: Ports) -> None:
    with suppress(NotFound):  # the answer was lost
        delete_photo(ModelRef(photo.user_id, photo.model_id), photo.id, ports=ports)


def _reconciled(ports: Ports, until: datetime) -> int:
    return reconcile_jobs(ports=ports, until=until)
