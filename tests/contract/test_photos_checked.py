"""Real files through the whole check: decoded by Pillow, faces found by OpenCV, rows in memory."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest
from PIL import Image, ImageFilter

from local.photos.training_photos import good_photo
from revela.adapters.opencv_faces import OpenCvFaces
from revela.adapters.photo_files import PillowPhotoFiles
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import Category, Photo, PhotoState
from tests.fakes import FakePorts
from tests.photos import files
from tests.unit.usecases.model_life import ModelLife
from tests.unit.usecases.system import ANA, System

PORTRAIT = files.encoded(good_photo(0), "JPEG", quality=92)


@pytest.fixture
def life() -> ModelLife:
    ports = FakePorts()
    ports.photo_files = PillowPhotoFiles()  # type: ignore[assignment]  # the real ones
    ports.faces = OpenCvFaces()  # type: ignore[assignment]  # and here
    System(ports).subscribe(ANA, plan="essential")
    return ModelLife(ports)


@pytest.fixture
def model(life: ModelLife) -> PersonalModel:
    return life.create()


def problems(photo: Photo) -> list[str]:
    assert photo.verdict is not None
    return [problem.code for problem in photo.verdict.problems]


def test_a_portrait_is_accepted_and_its_copy_tells_nothing_of_where_it_was_taken(
    life: ModelLife, model: PersonalModel
) -> None:
    upload = files.encoded(good_photo(0), "JPEG", quality=92, exif=files.exif())
    assert b"SECRET-CAMERA" in upload

    photo = life.checked(model, upload)

    assert (photo.state, problems(photo), photo.category) == (PhotoState.ACCEPTED, [], Category.FACE)
    assert photo.clean_key is not None
    assert photo.facts is not None
    clean = life.ports.objects.stored[photo.clean_key].data
    assert hashlib.sha256(clean).hexdigest() == photo.facts.clean.sha256
    assert b"SECRET" not in clean
    with Image.open(io.BytesIO(clean)) as image:
        assert (image.format, image.size) == ("JPEG", (photo.facts.clean.width, photo.facts.clean.height))
        assert not image.getexif()
    assert life.files() == {photo.clean_key}


@pytest.mark.parametrize(
    ("upload", "code"),
    [
        (b"", "not_an_image"),
        (files.zip_bomb(), "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
        (files.jpeg_of_size(12_000, 9_000), "too_many_pixels"),
        (files.huge_webp(), "too_many_pixels"),
        (PORTRAIT[: len(PORTRAIT) // 2], "broken"),
        (files.encoded(files.portrait(400), "PNG"), "too_small"),
        (files.encoded(good_photo(0).filter(ImageFilter.GaussianBlur(12)), "JPEG"), "blurry"),
        (files.encoded(Image.effect_noise((800, 800), 80).convert("RGB"), "JPEG"), "no_face"),
    ],
    ids=["empty", "zip", "svg", "108 megapixels", "huge webp", "cut short", "small", "blurred", "nobody"],
)
def test_what_cannot_be_trained_with_is_told_why_and_leaves_nothing(
    life: ModelLife, model: PersonalModel, upload: bytes, code: str
) -> None:
    photo = life.checked(model, upload)

    assert photo.state is PhotoState.REJECTED
    assert code in problems(photo)
    assert not life.files()


def test_two_people_are_one_too_many(life: ModelLife, model: PersonalModel) -> None:
    one = good_photo(0)
    both = Image.new("RGB", (one.width * 2, one.height))
    both.paste(one, (0, 0))
    both.paste(one, (one.width, 0))

    assert "several_faces" in problems(life.checked(model, files.encoded(both, "JPEG", quality=92)))


def test_the_same_portrait_saved_anew_is_a_duplicate_of_the_first(
    life: ModelLife, model: PersonalModel
) -> None:
    first = life.checked(model, PORTRAIT)
    again = good_photo(0)
    again.thumbnail((again.width * 3 // 4, again.height * 3 // 4))

    twin = life.checked(model, files.encoded(again, "WEBP", quality=80))

    assert twin.verdict is not None
    assert [(p.code, p.photo_id) for p in twin.verdict.problems] == [("near_duplicate", first.id)]


@pytest.mark.parametrize("kind", ["png", "webp", "heic"])
def test_a_phone_may_send_any_kind_under_any_name(life: ModelLife, model: PersonalModel, kind: str) -> None:
    upload = files.heic(good_photo(0)) if kind == "heic" else files.encoded(good_photo(0), kind.upper())

    photo = life.checked(model, upload)

    assert photo.state is PhotoState.ACCEPTED
    assert photo.verdict is not None
    assert [note.code for note in photo.verdict.notes] == ["declared_type_differs"]


def test_a_set_of_real_photos_becomes_a_model(life: ModelLife, model: PersonalModel) -> None:
    photos = [life.checked(model, files.encoded(good_photo(n), "JPEG", quality=90)) for n in range(5)]
    assert {photo.state for photo in photos} == {PhotoState.ACCEPTED}

    training = life.start_training(life.accept_training(model))
    assert training.input_file_id is not None
    with zipfile.ZipFile(io.BytesIO(life.ports.provider.uploads[training.input_file_id])) as archive:
        packed = {hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
    life.finish_training(training)

    assert packed == {photo.facts.clean.sha256 for photo in photos if photo.facts}
    assert life.model(model).chosen is not None
