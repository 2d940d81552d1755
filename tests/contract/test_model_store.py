"""Models and photos as rows: the same cases over the fake store and over DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from revela.domain.change import Change, JobWrite, ModelWrite, PhotoWrite
from revela.domain.errors import Conflict, InvalidRequest
from revela.domain.job import LIVE, State
from revela.domain.personal_model import ModelState, PersonalModel, TrainedVersion
from revela.domain.photo import (
    Category,
    CleanCopy,
    Exposure,
    Light,
    ModelKind,
    Photo,
    PhotoFacts,
    PhotoFormat,
    PhotoState,
    Remark,
    Verdict,
)
from revela.domain.policy import DUE_SHARDS
from revela.ports import ModelRef, Ref
from tests.contract.model_stores import ModelPorts, a_model, a_photo, a_training, opened
from tests.contract.stores import KINDS
from tests.examples import a_generation
from tests.fakes.clock import START

AT = datetime(2026, 3, 2, 12, 34, 56, 789012, tzinfo=UTC)
MODEL = ModelRef("ana", "mdl_1")


@pytest.fixture(params=KINDS)
def ports(request: pytest.FixtureRequest) -> Iterator[ModelPorts]:
    with opened(request.param) as found:
        yield found


def failed_parts(ports: ModelPorts, change: Change) -> set[str]:
    with pytest.raises(Conflict) as conflict:
        ports.changes.commit(change)
    return set(conflict.value.failed)


def a_full_model() -> PersonalModel:
    return a_model(
        state=ModelState.READY,
        version=1,
        name="Ana à noite ✓ 👩🏽",
        kind=ModelKind.HALF_BODY,
        versions=(
            TrainedVersion(
                id="trn_1",
                provider_version="revela/revela-flux-lora:" + "b" * 64,
                trainer="flux-lora",
                fine_tune="flux-dev-fine-tune",
                trained_at=AT,
                weights_key="users/ana/models/mdl_1/trn_1/trained_model.tar",
            ),
            TrainedVersion(
                id="trn_2", provider_version="v", trainer="sdxl-lora", fine_tune="f", trained_at=START
            ),
        ),
        chosen_version="trn_1",
        created_at=AT,
        updated_at=AT,
        due_at=AT,
    )


def a_full_photo() -> Photo:
    return a_photo(
        state=PhotoState.ACCEPTED,
        declared_type="image/heic",
        created_at=AT,
        updated_at=AT,
        due_at=AT,
        expires_at=AT + timedelta(days=90),
        object_version='"9b2cf535f27731c974343645a3985328"',
        facts=PhotoFacts(
            format=PhotoFormat.HEIC,
            declared_type_differs=True,
            width=3024,
            height=4032,
            size_bytes=2_345_678,
            sharpness=0.6123456789,
            exposure=Exposure(mean=120, low=12, high=240, clipped_dark=0.0, clipped_bright=1e-7),
            light=Light.BRIGHT,
            perceptual_hash="00ff00ff00ff00ff",
            clean=CleanCopy(width=1536, height=2048, size_bytes=456_789, sha256="c" * 64),
        ),
        verdict=Verdict(
            problems=(
                Remark(code="near_duplicate", photo_id="pho_0"),
                Remark(code="too_small", args={"width": 1, "height": 2, "minimum": 512}),
            ),
            notes=(Remark(code="declared_type_differs"),),
            category=Category.HALF_BODY,
        ),
        chosen_category=Category.FULL_BODY,
    )


# Rows


@pytest.mark.parametrize("row", [a_model(), a_full_model()], ids=["minimal", "full"])
def test_a_model_is_read_as_it_was_written(ports: ModelPorts, row: PersonalModel) -> None:
    ports.write(row)

    assert ports.models.get(MODEL) == row


@pytest.mark.parametrize("row", [a_photo(due_at=None), a_full_photo()], ids=["minimal", "full"])
def test_a_photo_is_read_as_it_was_written(ports: ModelPorts, row: Photo) -> None:
    ports.write(row)

    assert ports.photos.get(MODEL, "pho_1") == row
    assert ports.photos.of(MODEL) == [row]


def test_a_full_row_names_every_field() -> None:
    for row in (a_full_model(), a_full_photo()):
        empty = [name for name, value in row if value in (None, ())]
        assert not empty, f"{type(row).__name__} would lose {empty} unseen"


def test_what_was_never_written_is_not_found(ports: ModelPorts) -> None:
    assert ports.models.get(MODEL) is None
    assert ports.photos.get(MODEL, "pho_1") is None
    assert ports.photos.of(MODEL) == []
    assert ports.generations.live_of(MODEL) == []


def test_what_is_anothers_is_not_found(ports: ModelPorts) -> None:
    ports.write(a_model(), a_photo())
    bias = ModelRef("bia", "mdl_1")

    assert ports.models.get(bias) is None
    assert ports.photos.get(bias, "pho_1") is None
    assert ports.photos.of(bias) == []


def test_photos_come_oldest_first_without_trainings_and_neighbours(ports: ModelPorts) -> None:
    ports.write(
        a_model(),
        a_model("mdl_12"),
        *(a_photo(f"pho_{n:03}") for n in (2, 0, 1)),
        a_photo("pho_000", "mdl_12"),
        a_training(),
    )

    assert [photo.id for photo in ports.photos.of(MODEL)] == ["pho_000", "pho_001", "pho_002"]


def test_all_of_many_photos_are_read(ports: ModelPorts) -> None:
    heavy = a_full_photo()
    rows = [heavy.model_copy(update={"id": f"pho_{n:03}"}) for n in range(200)]
    for start in range(0, 200, 50):
        writes = tuple(PhotoWrite(None, row) for row in rows[start : start + 50])
        ports.changes.commit(Change(now=START, photos=writes))

    assert ports.photos.of(MODEL) == rows


def test_the_live_generations_of_a_model_are_found_in_every_state(ports: ModelPorts) -> None:
    ports.write(
        *(a_generation(f"gen_{state}", model="mdl_1", state=state) for state in State),
        a_generation("gen_other", model="mdl_2"),
        a_generation("gen_bias", user_id="bia", model="mdl_1"),
    )

    found = ports.generations.live_of(MODEL)

    assert sorted(row.id for row in found) == sorted(f"gen_{state}" for state in LIVE)


# Changes


def test_a_model_that_others_wrote_is_not_overwritten(ports: ModelPorts) -> None:
    ports.write(a_model())
    seen = ports.model()
    ports.changes.commit(Change(now=START, model=ModelWrite(seen, seen.changed(AT, name="one"))))

    other = Change(now=START, model=ModelWrite(seen, seen.changed(AT, name="other")))
    assert failed_parts(ports, other) == {"model"}
    assert (ports.model().name, ports.model().version) == ("one", 2)


def test_a_new_model_or_photo_does_not_replace_one_that_exists(ports: ModelPorts) -> None:
    ports.write(a_model(), a_photo())

    again = Change(now=START, model=ModelWrite(None, a_model()), photos=(PhotoWrite(None, a_photo()),))
    assert failed_parts(ports, again) == {"model", "photos"}


def test_a_model_that_only_has_to_be_as_it_was_read_is_not_written(ports: ModelPorts) -> None:
    ports.write(a_model())
    seen = ports.model()

    ports.changes.commit(Change(now=START, job=JobWrite(None, a_training()), model=ModelWrite(seen, seen)))

    assert ports.model() == seen
    assert ports.trainings.get(Ref("ana", "mdl_1#trn_1")) == a_training()


@pytest.mark.parametrize("moved", ["changed", "closed", "gone"])
def test_nothing_starts_for_a_model_that_is_not_as_it_was_read(ports: ModelPorts, moved: str) -> None:
    ports.write(a_model())
    seen = ports.model()
    after = {
        "changed": seen.changed(AT, name="x"),
        "closed": seen.changed(AT, state=ModelState.DELETING, due_at=AT),
        "gone": None,
    }[moved]
    ports.changes.commit(Change(now=START, model=ModelWrite(seen, after)))

    start = Change(now=START, job=JobWrite(None, a_generation(model="mdl_1")), model=ModelWrite(seen, seen))
    assert failed_parts(ports, start) == {"model"}
    assert ports.generations.live_of(MODEL) == []


def test_a_verdict_and_its_model_are_written_at_once_or_not_at_all(ports: ModelPorts) -> None:
    ports.write(a_model(), a_photo())
    model, photo = ports.model(), a_photo()
    checking = photo.model_copy(update={"state": PhotoState.CHECKING, "version": 2})
    verdict = Change(
        now=START, model=ModelWrite(model, model.changed(AT)), photos=(PhotoWrite(photo, checking),)
    )
    ports.changes.commit(verdict)

    assert (ports.model().version, ports.photos.get(MODEL, "pho_1")) == (2, checking)
    assert failed_parts(ports, verdict) == {"model", "photos"}
    late = Change(
        now=START,
        model=ModelWrite(ports.model(), ports.model().changed(AT)),
        photos=(PhotoWrite(photo, checking),),
    )
    assert failed_parts(ports, late) == {"photos"}
    assert ports.model().version == 2


def test_one_photo_of_many_that_moved_keeps_all_the_rest(ports: ModelPorts) -> None:
    photos = [a_photo(f"pho_{n}") for n in range(3)]
    ports.write(*photos)
    moved = photos[1].model_copy(update={"state": PhotoState.CHECKING, "version": 2})
    ports.changes.commit(Change(now=START, photos=(PhotoWrite(photos[1], moved),)))

    gone = Change(now=START, photos=tuple(PhotoWrite(photo, None) for photo in photos))
    assert failed_parts(ports, gone) == {"photos"}
    assert len(ports.photos.of(MODEL)) == 3


def test_photos_and_models_are_forgotten_as_they_were_read(ports: ModelPorts) -> None:
    ports.write(a_model(), *(a_photo(f"pho_{n:02}") for n in range(50)))
    model = ports.model()
    photos = tuple(PhotoWrite(photo, None) for photo in ports.photos.of(MODEL))

    ports.changes.commit(Change(now=START, photos=photos))
    ports.changes.commit(Change(now=START, model=ModelWrite(model, None)))

    assert ports.photos.of(MODEL) == []
    assert ports.models.get(MODEL) is None
    assert failed_parts(ports, Change(now=START, model=ModelWrite(model, None))) == {"model"}
    assert failed_parts(ports, Change(now=START, photos=photos[:1])) == {"photos"}


def test_thirty_photos_and_their_model_are_asked_for_in_one_write(ports: ModelPorts) -> None:
    ports.write(a_model())
    model = ports.model()
    asked = tuple(PhotoWrite(None, a_photo(f"pho_{n:02}")) for n in range(30))

    ports.changes.commit(Change(now=START, model=ModelWrite(model, model.changed(AT)), photos=asked))

    assert len(ports.photos.of(MODEL)) == 30


# Pages


def pages(ports: ModelPorts, *, limit: int) -> list[list[str]]:
    cursor, found = None, []
    while True:
        page = ports.models.page("ana", limit=limit, cursor=cursor)
        found.append([row.id for row in page.items])
        cursor = page.cursor
        if cursor is None:
            return found


def test_models_are_paged_newest_first_past_their_photos_and_trainings(ports: ModelPorts) -> None:
    for n in range(1, 6):
        ports.write(a_model(f"mdl_{n}"), a_training("trn_1", f"mdl_{n}"))
        ports.write(*(a_photo(f"pho_{p}", f"mdl_{n}") for p in range(3)))
    ports.write(a_model("mdl_9", user_id="bia"), a_model("mdl_0", state=ModelState.DELETING))

    assert pages(ports, limit=2) == [["mdl_5", "mdl_4"], ["mdl_3", "mdl_2"], ["mdl_1"]]
    assert pages(ports, limit=5) == [["mdl_5", "mdl_4", "mdl_3", "mdl_2", "mdl_1"]]


def test_of_no_models_there_is_one_empty_page(ports: ModelPorts) -> None:
    ports.write(a_photo(), a_training())

    assert pages(ports, limit=2) == [[]]


@pytest.mark.parametrize("read", [1, 2, 3, 7])
def test_a_read_that_ends_among_photos_loses_no_model(monkeypatch: pytest.MonkeyPatch, read: int) -> None:
    monkeypatch.setattr("revela.adapters.dynamodb.models._READ", read)
    monkeypatch.setattr("revela.adapters.dynamodb.models._ROUNDS", 2)
    with opened("dynamodb") as ports:
        for n in range(1, 4):
            ports.write(a_model(f"mdl_{n}"), a_training("trn_1", f"mdl_{n}"))
            ports.write(*(a_photo(f"pho_{p}", f"mdl_{n}") for p in range(2)))

        found = [id_ for page in pages(ports, limit=2) for id_ in page]

    assert found == ["mdl_3", "mdl_2", "mdl_1"]


@pytest.mark.parametrize(
    "cursor",
    ["", "garbage", "***", "bWRsXw", "bWRsXzEjcGhvXzE", "Z2VuXzE", "bWRsX" + "A" * 2000],
    ids=["empty", "no base64 of ours", "no base64", "no id", "a photo", "a generation", "long"],
)
def test_a_bad_cursor_is_refused(ports: ModelPorts, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ports.models.page("ana", limit=2, cursor=cursor)

    assert [(p.name, p.code) for p in refused.value.invalid_params] == [("cursor", "invalid")]


# Due


def all_due(ports: ModelPorts, until: datetime) -> set[Ref]:
    found = [ref for shard in range(DUE_SHARDS) for ref in ports.models.due(shard, until=until, limit=100)]
    assert len(found) == len(set(found)), "what is due is in one shard"
    return set(found)


def test_models_photos_and_trainings_are_due_each_as_its_kind(ports: ModelPorts) -> None:
    ports.write(
        a_model(due_at=START),
        a_model("mdl_2"),
        a_photo(due_at=START),
        a_photo("pho_2", due_at=None),
        a_photo("pho_3", due_at=START + timedelta(hours=1)),
        a_training(due_at=START),
    )

    due = all_due(ports, START + timedelta(minutes=1))

    assert due == {Ref("ana", "mdl_1"), Ref("ana", "mdl_1#pho_1"), Ref("ana", "mdl_1#trn_1")}
    assert {ref.id for ref in due if ref.of_photo} == {"mdl_1#pho_1"}
    assert {ref.id for ref in due if ref.of_training} == {"mdl_1#trn_1"}
    for shard in range(DUE_SHARDS):
        assert not [ref for ref in ports.generations.due(shard, until=AT, limit=9) if "mdl_" in ref.id]


def test_longest_overdue_comes_first_whatever_its_kind(ports: ModelPorts) -> None:
    ports.write(*(a_photo(f"pho_{n:02}", due_at=START - timedelta(minutes=n)) for n in range(20)))
    ports.write(*(a_training(f"trn_{n:02}", due_at=START - timedelta(minutes=n)) for n in range(20, 40)))

    for shard in range(DUE_SHARDS):
        everything = ports.models.due(shard, until=START, limit=100)
        assert [ref.id[-2:] for ref in everything] == sorted(
            (ref.id[-2:] for ref in everything), reverse=True
        )
        assert ports.models.due(shard, until=START, limit=2) == everything[:2]


def test_what_was_decided_leaves_the_index(ports: ModelPorts) -> None:
    ports.write(a_photo(due_at=START))
    decided = a_photo().model_copy(update={"state": PhotoState.REJECTED, "due_at": None, "version": 2})
    ports.changes.commit(Change(now=START, photos=(PhotoWrite(a_photo(due_at=START), decided),)))

    assert not all_due(ports, AT)
