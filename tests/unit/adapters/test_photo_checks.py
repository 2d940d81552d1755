"""The whole check, as one machine makes it of the demo's photos: facts, faces, verdict, report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from local.photos import training_photos
from local.photos.__main__ import BAD, write
from revela.adapters.opencv_faces import OpenCvFaces
from revela.adapters.photo_files import PillowPhotoFiles
from revela.domain.messages import LANGUAGES, PHOTOS, text
from revela.domain.photo import Category, Light, ModelKind, Photo, PhotoFacts, PhotoState, Verdict, decided
from revela.domain.photo_report import Readiness, report
from revela.domain.photo_verdict import judge
from tests.photos.findings import NOW, photo_of

FILES, FACES = PillowPhotoFiles(), OpenCvFaces()
SET_SIZE = 12
LEADING = {
    "blurry": "blurry",
    "dark": "too_dark",
    "bright": "too_bright",
    "tiny": "too_small",
    "two": "several_faces",
    "nobody": "no_face",
    "afar": "face_too_small",
    "duplicate": "near_duplicate",
}


class Checked(NamedTuple):
    photos: list[Photo]

    def check(self, data: bytes, folder: Path, kind: ModelKind = ModelKind.FACE) -> Verdict:
        """Judge one more photo against those before, and keep it."""
        upload, clean = folder / "upload", folder / "clean.jpg"
        upload.write_bytes(data)
        facts = FILES.inspect(upload, declared_type="image/jpeg", clean=clean)
        faces = FACES.inspect(clean) if isinstance(facts, PhotoFacts) else None
        verdict = judge(facts, faces, kind=kind, others=self.photos)
        awaited = photo_of(len(self.photos), PhotoState.CHECKING)
        self.photos.append(decided(awaited, verdict, facts, now=NOW))
        return verdict


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    folder = tmp_path_factory.mktemp("good")
    checked = Checked([])
    for number in range(SET_SIZE):
        checked.check(training_photos.jpeg(training_photos.good_photo(number)), folder)
    return checked


def test_every_good_photo_is_accepted(good: Checked) -> None:
    assert [photo.verdict for photo in good.photos if photo.state is not PhotoState.ACCEPTED] == []


def test_a_set_of_good_photos_has_variety_and_is_ready(good: Checked) -> None:
    found = report(good.photos, kind=ModelKind.FACE)

    assert found.readiness is Readiness.RECOMMENDED
    assert found.missing == ()
    assert all(found.categories[category] >= 2 for category in Category)
    assert all(found.lights[light] >= 1 for light in Light)


def test_each_bad_photo_is_of_a_known_kind() -> None:
    assert set(BAD) == set(LEADING)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_photo_is_rejected_for_what_is_wrong_with_it(kind: str, good: Checked, tmp_path: Path) -> None:
    make: Callable[[], Image.Image] = BAD[kind]

    verdict = Checked(list(good.photos)).check(training_photos.jpeg(make()), tmp_path)

    assert verdict.problems[0].code == LEADING[kind]
    for language in LANGUAGES:
        assert text(PHOTOS, LEADING[kind], language, verdict.problems[0].args)


def test_a_duplicate_names_the_photo_that_it_repeats(good: Checked, tmp_path: Path) -> None:
    data = training_photos.jpeg(training_photos.near_duplicate())

    verdict = Checked(list(good.photos)).check(data, tmp_path)

    assert [(problem.code, problem.photo_id) for problem in verdict.problems] == [("near_duplicate", "pho_0")]


def test_what_is_nobody_for_a_person_may_be_a_style(tmp_path: Path) -> None:
    data = training_photos.jpeg(training_photos.photo_of_nobody())

    verdict = Checked([]).check(data, tmp_path, ModelKind.STYLE)

    assert (verdict.accepted, verdict.category) == (True, None)


def test_a_file_that_is_no_photo_never_reaches_the_inspector(tmp_path: Path) -> None:
    verdict = Checked([]).check(b"PK\x03\x04 an archive", tmp_path)

    assert [problem.code for problem in verdict.problems] == ["not_an_image"]


def test_the_same_number_is_the_same_photo() -> None:
    one, again, other = (training_photos.good_photo(number) for number in (3, 3, 4))

    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != other.tobytes()


def test_a_folder_to_try_uploads_with_holds_both_kinds(tmp_path: Path) -> None:
    written = write(tmp_path / "photos", 2)

    names = [path.stem for path in written]
    assert names == ["good-00", "good-01", *(f"bad-{kind}" for kind in BAD)]
    for path in written:
        with Image.open(path) as image:
            assert image.format == "JPEG"
