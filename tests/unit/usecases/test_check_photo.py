from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest

from revela.domain.errors import Conflict, Transient
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import (
    BYTES_MAX,
    AgeRange,
    Category,
    Face,
    FaceReport,
    ModelKind,
    Photo,
    PhotoState,
    Remark,
    Unreadable,
)
from revela.domain.policy import PHOTO_DUE, UPLOAD_WINDOW
from revela.ports import Ref
from revela.usecases.check_photo import check_photo
from revela.usecases.delete_model import delete_model
from revela.usecases.delete_photo import delete_photo
from tests.fakes import FakePorts
from tests.fakes.faces import ONE_ADULT
from tests.photos.findings import exposed, face_of, faces_of
from tests.unit.usecases.model_life import ModelLife, a_picture, at, of
from tests.unit.usecases.system import ANA, System
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile

NOBODY = FaceReport((), knows_age=True)


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="essential")
    return ModelLife(ports)


@pytest.fixture
def model(life: ModelLife) -> PersonalModel:
    return life.create()


def leading_problem(photo: Photo) -> str | None:
    assert photo.verdict is not None
    return photo.verdict.problems[0].code if photo.verdict.problems else None


# Verdicts


def test_an_accepted_photo_has_facts_a_category_and_an_end(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.checked(model, a_picture())

    assert (photo.state, photo.due_at) == (PhotoState.ACCEPTED, None)
    assert photo.facts is not None
    assert photo.object_version
    assert photo.category is Category.FACE
    assert photo.expires_at == ports.clock.now() + ports.policies.photos_kept


def test_of_an_accepted_photo_the_clean_copy_alone_is_kept(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.checked(model, a_picture())

    assert photo.clean_key is not None
    assert life.files() == {photo.clean_key}
    assert photo.clean_key.startswith(model.photos_prefix)
    assert ports.objects.stored[photo.clean_key].content_type == "image/jpeg"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_an_image"),
        (b"<svg/>", "not_an_image"),
        (a_picture(width=400, height=400), "too_small"),
        (a_picture(sharpness=0.2), "blurry"),
        (a_picture(exposure=exposed(low=2, high=40)), "too_dark"),
        (a_picture(exposure=exposed(low=230, high=255)), "too_bright"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_verdict_on_the_file_reaches_the_row_and_leaves_no_file(
    life: ModelLife, model: PersonalModel, data: bytes, code: str
) -> None:
    photo = life.checked(model, data)

    assert (photo.state, photo.due_at, photo.expires_at) == (PhotoState.REJECTED, None, None)
    assert leading_problem(photo) == code
    assert not life.files()


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (NOBODY, "no_face"),
        (faces_of(face_of(), face_of()), "several_faces"),
        (faces_of(face_of(0.02)), "face_too_small"),
        (faces_of(face_of(sunglasses=True)), "sunglasses"),
        (faces_of(face_of(occluded=True)), "face_covered"),
        (faces_of(face_of(age=AgeRange(15, 22))), "minor"),
        (faces_of(face_of(age=None)), "minor"),
        (Unreadable(Remark(code="broken")), "broken"),
    ],
    ids=["nobody", "two", "far away", "sunglasses", "covered", "minor", "age unknown", "unreadable"],
)
def test_a_verdict_on_the_faces_reaches_the_row_and_leaves_no_file(
    life: ModelLife, model: PersonalModel, ports: FakePorts, found: FaceReport | Unreadable, code: str
) -> None:
    ports.faces.found = found

    photo = life.checked(model, a_picture())

    assert (photo.state, leading_problem(photo)) == (PhotoState.REJECTED, code)
    assert not life.files()


@pytest.mark.parametrize(
    ("height", "category"),
    [(0.4, Category.FACE), (0.2, Category.HALF_BODY), (0.08, Category.FULL_BODY)],
)
def test_the_faces_share_tells_how_much_of_the_person_is_seen(
    life: ModelLife, model: PersonalModel, ports: FakePorts, height: float, category: Category
) -> None:
    ports.faces.found = faces_of(face_of(height))

    assert life.checked(model, a_picture()).category is category


def test_a_style_needs_no_face(life: ModelLife, ports: FakePorts) -> None:
    ports.faces.found = NOBODY

    photo = life.checked(life.create(kind=ModelKind.STYLE), a_picture())

    assert (photo.state, photo.category) == (PhotoState.ACCEPTED, None)


def test_what_is_no_image_is_shown_to_nobody(life: ModelLife, model: PersonalModel, ports: FakePorts) -> None:
    life.checked(model, b"not a picture")

    assert "FakeFaces.inspect" not in ports.calls.names


def test_no_more_than_the_limit_is_read_of_what_is_too_large(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model, bytes(BYTES_MAX + 1000))

    with ports.objects.fetch(photo.upload_key, max_bytes=BYTES_MAX) as file:
        assert file is not None
        assert (file.size_bytes, file.path.stat().st_size) == (BYTES_MAX + 1, BYTES_MAX + 1)


# Public persons


@pytest.mark.parametrize("kind", ModelKind)
def test_a_photo_of_a_public_person_is_rejected_and_leaves_no_file(
    life: ModelLife, ports: FakePorts, kind: ModelKind
) -> None:
    ports.celebrities.famous = True

    photo = life.checked(life.create(kind=kind), a_picture())

    assert (photo.state, leading_problem(photo)) == (PhotoState.REJECTED, "public_person")
    assert (photo.expires_at, photo.due_at) == (None, None)
    assert not life.files()


def test_who_the_public_person_is_is_told_to_nobody(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    ports.celebrities.famous = True
    photo = life.checked(model, a_picture())

    (line,) = (line for line in ports.telemetry.lines if line.event == "photo_checked")
    assert line.fields == {"photo_id": photo.row_id, "verdict": "public_person"}


def test_everybody_on_an_accepted_photo_was_looked_up(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    assert life.checked(model, a_picture()).state is PhotoState.ACCEPTED

    assert ports.calls.names.count("FakeCelebrities.appears") == 1


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (a_picture(), NOBODY),
        (a_picture(), Unreadable(Remark(code="broken"))),
        (b"not a picture", ONE_ADULT),
    ],
    ids=["nobody", "faces unreadable", "file unreadable"],
)
@pytest.mark.parametrize("kind", [ModelKind.FACE, ModelKind.STYLE])
def test_where_nobody_is_found_nobody_is_looked_up(
    life: ModelLife, ports: FakePorts, data: bytes, found: FaceReport | Unreadable, kind: ModelKind
) -> None:
    ports.faces.found = found
    ports.celebrities.failure = Transient("it would be away")

    life.checked(life.create(kind=kind), data)

    assert "FakeCelebrities.appears" not in ports.calls.names


def test_while_public_persons_cannot_be_told_the_photo_waits(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())
    ports.celebrities.failure = Transient("the service is away")
    with pytest.raises(Transient):
        check_photo(at(photo), ports=ports)
    assert life.photo(photo).state is PhotoState.CHECKING
    assert life.files() == {photo.upload_key}

    system.reconcile(after=PHOTO_DUE)
    assert ports.commands.take_checked() == [at(photo)]
    with pytest.raises(Transient):
        check_photo(at(photo), ports=ports)
    ports.celebrities.failure = None
    ports.celebrities.famous = True

    assert leading_problem(life.check(photo)) == "public_person"


def test_a_public_person_who_is_uploaded_to_an_accepted_photo_is_not_trained_with(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture(1))

    def replace_it() -> None:
        life.post(photo, a_picture(2))
        ports.celebrities.famous = True

    # The bytes that are looked up are those that were read.
    with meanwhile(ports, "FakePhotoFiles.inspect", replace_it):
        judged = life.check(photo)

    assert leading_problem(judged) == "public_person"


# A photo among others


def test_a_near_duplicate_names_the_photo_that_it_is_like(life: ModelLife, model: PersonalModel) -> None:
    first, twin = life.checked(model, a_picture(1)), life.checked(model, a_picture(1))

    assert (first.state, twin.state) == (PhotoState.ACCEPTED, PhotoState.REJECTED)
    assert twin.verdict is not None
    assert [(p.code, p.photo_id) for p in twin.verdict.problems] == [("near_duplicate", first.id)]


def test_a_twin_in_another_model_is_no_duplicate(life: ModelLife, model: PersonalModel) -> None:
    life.checked(model, a_picture(1))

    assert life.checked(life.create(), a_picture(1)).state is PhotoState.ACCEPTED


@pytest.mark.parametrize("gone", ["rejected", "deleted", "expired"])
def test_what_is_not_trained_with_makes_no_duplicates(
    life: ModelLife, model: PersonalModel, ports: FakePorts, gone: str
) -> None:
    first = life.checked(model, a_picture(1, sharpness=0.1 if gone == "rejected" else 0.7))
    if gone == "deleted":
        delete_photo(of(model), first.id, ports=ports)
    if gone == "expired":
        ports.clock.advance(ports.policies.photos_kept)

    assert life.checked(model, a_picture(1)).state is PhotoState.ACCEPTED


@pytest.mark.parametrize(
    ("call", "nth"),
    [
        ("FakeFaces.inspect", 1),
        ("FakeModels.get", 1),
        ("FakePhotos.of", 1),
        ("FakeObjects.put_file", 1),
        ("FakeChanges.commit", 2),
    ],
)
def test_of_two_alike_that_are_checked_at_once_exactly_one_is_accepted(
    life: ModelLife, model: PersonalModel, ports: FakePorts, call: str, nth: int
) -> None:
    one, twin = life.upload(model, a_picture(1)), life.upload(model, a_picture(1))

    with meanwhile(ports, call, lambda: life.check(twin), nth=nth):
        life.check(one)

    assert life.photo(twin).state is PhotoState.ACCEPTED
    assert leading_problem(life.photo(one)) == "near_duplicate"
    assert life.files() == {life.photo(twin).clean_key}


# Messages: twice, late, never


def test_a_second_delivery_changes_nothing(life: ModelLife, model: PersonalModel) -> None:
    photo = life.checked(model, a_picture())
    files = life.files()

    assert life.check(photo) == photo
    assert life.files() == files


def test_an_upload_after_the_verdict_is_not_looked_at_and_deleted(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    accepted, rejected = life.checked(model, a_picture(1)), life.checked(model, b"not a picture")
    inspected = ports.calls.names.count("FakePhotoFiles.inspect")
    life.post(accepted, b"somebody else")
    life.post(rejected, a_picture(2))

    assert life.check(accepted) == accepted
    assert life.check(rejected) == rejected
    assert ports.calls.names.count("FakePhotoFiles.inspect") == inspected
    assert life.files() == {accepted.clean_key}


def test_an_upload_replaced_during_its_check_is_judged_as_it_was_read(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture(1))

    with meanwhile(ports, "FakePhotoFiles.inspect", lambda: life.post(photo, b"somebody else")):
        judged = life.check(photo)

    assert judged.state is PhotoState.ACCEPTED
    assert life.check(photo) == judged
    assert life.files() == {judged.clean_key}


def test_before_its_upload_nothing_happens_to_a_photo(life: ModelLife, model: PersonalModel) -> None:
    (asked,) = life.request(model)

    assert life.check(asked.photo) == asked.photo


def test_a_photo_that_nobody_told_of_is_found_and_checked(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())

    system.reconcile(after=UPLOAD_WINDOW + PHOTO_DUE)

    assert ports.commands.checked == [at(photo)]
    assert life.check(photo).state is PhotoState.ACCEPTED


def test_a_photo_that_was_never_uploaded_expires_and_is_not_looked_at_again(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    (asked,) = life.request(model)
    ports.clock.advance(UPLOAD_WINDOW)
    assert life.check(asked.photo).state is PhotoState.AWAITING_UPLOAD

    ports.clock.advance(PHOTO_DUE)
    gone = life.check(asked.photo)

    assert (gone.state, gone.due_at) == (PhotoState.EXPIRED, None)
    assert ports.telemetry.counts["PhotosExpired"] == 1


def test_what_arrives_for_an_expired_photo_is_deleted(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    (asked,) = life.request(model)
    ports.clock.advance(UPLOAD_WINDOW + PHOTO_DUE)
    life.check(asked.photo)
    life.post(asked.photo, a_picture())

    assert life.check(asked.photo).state is PhotoState.EXPIRED
    assert not life.files()


def test_two_runs_of_reconcile_ask_for_a_check_once(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    photo = life.upload(model)
    ports.clock.advance(UPLOAD_WINDOW + PHOTO_DUE)

    with meanwhile(ports, "FakeChanges.commit", system.reconcile):
        system.reconcile()

    assert ports.commands.checked == [at(photo)]


def test_a_check_that_cannot_be_sent_is_due_again(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    photo = life.upload(model)
    ports.commands.failure = Transient("the queue is away")
    system.reconcile(after=UPLOAD_WINDOW + PHOTO_DUE)
    ports.commands.failure = None

    system.reconcile(after=PHOTO_DUE)

    assert ports.commands.checked == [at(photo)]


# Deleted meanwhile


def test_a_photo_that_is_deleted_while_it_is_checked_leaves_nothing(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())

    def delete() -> None:
        delete_photo(of(model), photo.id, ports=ports)

    # Between the clean copy and the verdict.
    with meanwhile(ports, "FakeChanges.commit", delete, nth=2), pytest.raises(Transient):
        check_photo(at(photo), ports=ports)
    check_photo(at(photo), ports=ports)

    assert not ports.store.photos
    assert not life.files()


def test_what_is_uploaded_for_a_deleted_photo_is_deleted(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model)
    delete_photo(of(model), photo.id, ports=ports)
    life.post(photo)

    check_photo(at(photo), ports=ports)

    assert not life.files()


def test_a_model_that_is_closed_while_its_photo_is_checked_gets_none(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())

    with meanwhile(ports, "FakeChanges.commit", lambda: delete_model(of(model), ports=ports), nth=2):
        judged = life.check(photo)

    assert judged.state is PhotoState.CHECKING
    assert not life.files()
    system.reconcile()
    assert not ports.store.photos


def test_a_model_that_is_gone_before_the_verdict_leaves_nothing(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())

    def delete() -> None:
        delete_model(of(model), ports=ports)
        system.reconcile()

    with meanwhile(ports, "FakeChanges.commit", delete, nth=2), pytest.raises(Transient):
        check_photo(at(photo), ports=ports)
    check_photo(at(photo), ports=ports)

    assert not ports.store.models
    assert not ports.store.photos
    assert not life.files()


def test_a_photo_of_no_model_is_nobodys(life: ModelLife, ports: FakePorts) -> None:
    check_photo(Ref(ANA, "mdl_none#pho_none"), ports=ports)

    assert not ports.store.photos


# Two processes


def test_of_two_that_begin_at_once_the_slower_is_delivered_again(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())

    with meanwhile(ports, "FakeChanges.commit", lambda: life.check(photo)), pytest.raises(Transient):
        check_photo(at(photo), ports=ports)

    judged = life.photo(photo)
    assert judged.state is PhotoState.ACCEPTED
    assert life.check(photo) == judged


def test_a_slower_process_that_read_other_bytes_does_not_spoil_what_was_judged(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture(1))

    def judge_another_upload() -> None:
        life.post(photo, a_picture(2))
        life.check(photo)

    with meanwhile(ports, "FakeObjects.put_file", judge_another_upload), pytest.raises(Transient):
        check_photo(at(photo), ports=ports)

    judged = life.check(photo)
    assert judged.clean_key is not None
    assert ports.objects.stored[judged.clean_key].data == a_picture(2)


def test_of_two_processes_one_gives_the_verdict(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())

    with meanwhile(ports, "FakeFaces.inspect", lambda: life.check(photo)), pytest.raises(Transient):
        check_photo(at(photo), ports=ports)

    assert life.check(photo).state is PhotoState.ACCEPTED
    assert ports.telemetry.counts["PhotosAccepted"] == 1


# Trouble


def test_while_faces_cannot_be_found_the_photo_waits(
    life: ModelLife, model: PersonalModel, system: System, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())
    ports.faces.failure = Transient("the service is away")
    with pytest.raises(Transient):
        check_photo(at(photo), ports=ports)
    assert life.photo(photo).state is PhotoState.CHECKING
    ports.faces.failure = None

    system.reconcile(after=PHOTO_DUE)

    assert ports.commands.checked == [at(photo)]
    assert life.check(photo).state is PhotoState.ACCEPTED


def test_a_photo_that_never_could_be_checked_expires_with_its_upload(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())
    ports.faces.failure = Transient("the service is away")
    with pytest.raises(Transient):
        check_photo(at(photo), ports=ports)

    # The lifecycle of uploads.
    ports.objects.delete([photo.upload_key])
    ports.clock.advance(timedelta(days=1))

    assert life.check(photo).state is PhotoState.EXPIRED


def test_a_bucket_that_is_away_has_the_message_delivered_again(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())
    ports.objects.failure = Transient("the bucket is away")
    with pytest.raises(Transient):
        check_photo(at(photo), ports=ports)
    ports.objects.failure = None

    assert life.check(photo).state is PhotoState.ACCEPTED


def test_a_model_that_others_write_for_too_long_has_the_message_delivered_again(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    photo = life.upload(model, a_picture())
    commits = 0

    def conflict(name: str) -> None:
        nonlocal commits
        commits += name == "FakeChanges.commit"
        if name == "FakeChanges.commit" and commits > 1:
            raise Conflict({"model"})

    ports.calls.before = conflict
    with pytest.raises(Transient):
        check_photo(at(photo), ports=ports)
    ports.calls.before = lambda name: None

    assert life.check(photo).state is PhotoState.ACCEPTED


CALLS = [
    "FakePhotos.get",
    "FakeObjects.fetch",
    "FakeChanges.commit",
    "FakePhotoFiles.inspect",
    "FakeFaces.inspect",
    "FakeCelebrities.appears",
    "FakeModels.get",
    "FakePhotos.of",
    "FakeObjects.put_file",
    "FakeObjects.delete",
]


@pytest.mark.parametrize("dies", [dies_before, dies_after])
@pytest.mark.parametrize(("call", "nth"), [*((call, 1) for call in CALLS), ("FakeChanges.commit", 2)])
@pytest.mark.parametrize("picture", ["good", "bad"])
def test_wherever_the_process_dies_the_next_delivery_ends_the_check(
    life: ModelLife,
    model: PersonalModel,
    ports: FakePorts,
    dies: Callable[..., AbstractContextManager[None]],
    call: str,
    nth: int,
    picture: str,
) -> None:
    if picture == "bad" and call == "FakeObjects.put_file":
        call = "FakeObjects.delete_prefix"
    photo = life.upload(model, a_picture(sharpness=0.7 if picture == "good" else 0.1))
    with dies(ports, call, nth=nth):
        check_photo(at(photo), ports=ports)

    judged = life.check(photo)

    if picture == "good":
        assert judged.state is PhotoState.ACCEPTED
        assert life.files() == {judged.clean_key}
    else:
        assert (judged.state, leading_problem(judged)) == (PhotoState.REJECTED, "blurry")
        assert not life.files()


def test_logs_tell_verdicts_and_ids_alone(life: ModelLife, model: PersonalModel, ports: FakePorts) -> None:
    photo = life.checked(model, a_picture(sharpness=0.1))

    (line,) = (line for line in ports.telemetry.lines if line.event == "photo_checked")
    assert line.fields == {"photo_id": photo.row_id, "verdict": "blurry"}


def test_a_face_beside_the_sure_one_is_a_doubt_not_a_person(
    life: ModelLife, model: PersonalModel, ports: FakePorts
) -> None:
    doubtful: Face = replace(ONE_ADULT.faces[0], confidence=0.5)
    ports.faces.found = FaceReport((*ONE_ADULT.faces, doubtful), knows_age=True)

    assert life.checked(model, a_picture()).state is PhotoState.ACCEPTED
