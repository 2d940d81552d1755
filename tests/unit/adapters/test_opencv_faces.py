"""What OpenCV's cascades see on a real portrait, and on pictures of nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from local.photos import training_photos
from revela.adapters.opencv_faces import OpenCvFaces
from revela.domain.photo import Face, FaceReport, Unreadable
from tests.photos import findings

FACES = OpenCvFaces()
PORTRAIT = Path(training_photos.__file__).with_name("portrait.jpg")
PROFILE = Path(findings.__file__).with_name("profile.jpg")


def faces_on(image: Image.Image, folder: Path) -> tuple[Face, ...]:
    path = folder / "clean.jpg"
    image.convert("RGB").save(path, "JPEG", quality=92)
    report = FACES.inspect(path)
    assert isinstance(report, FaceReport)
    assert not report.knows_age
    return report.faces


def portrait() -> Image.Image:
    with Image.open(PORTRAIT) as image:
        return image.convert("RGB")


def test_the_face_is_where_it_is_on_the_portrait(tmp_path: Path) -> None:
    (face,) = faces_on(portrait(), tmp_path)

    assert face.box.left == pytest.approx(0.35, abs=0.03)
    assert face.box.top == pytest.approx(0.13, abs=0.03)
    assert face.box.height == pytest.approx(0.19, abs=0.03)
    assert (face.confidence, face.age, face.sunglasses, face.occluded) == (None, None, None, None)


VARIANTS = {
    "mirrored": ImageOps.mirror(portrait()),
    "twice as large": portrait().resize((1024, 1024)),
    "dim": ImageEnhance.Brightness(portrait()).enhance(0.4),
    "soft": portrait().filter(ImageFilter.GaussianBlur(2)),
    "grey": portrait().convert("L"),
    "held askew": portrait().rotate(10),
    "from close by": portrait().crop((100, 0, 360, 260)).resize((1024, 1024)),
    "from afar": ImageOps.expand(portrait(), border=(400, 100, 400, 600), fill="gray"),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_face_stays_one_face(variant: str, tmp_path: Path) -> None:
    assert len(faces_on(VARIANTS[variant], tmp_path)) == 1


def test_two_people_are_two_faces_the_nearer_first(tmp_path: Path) -> None:
    scene = Image.new("RGB", (1024, 512), "gray")
    scene.paste(portrait().resize((256, 256)), (0, 256))
    scene.paste(ImageOps.mirror(portrait()), (512, 0))

    near, far = faces_on(scene, tmp_path)

    assert near.box.left > 0.5 > far.box.left
    assert near.box.height > far.box.height * 1.7


def test_a_profile_is_a_face_whichever_way_it_looks(tmp_path: Path) -> None:
    with Image.open(PROFILE) as image:
        looking_left, looking_right = image.convert("L"), ImageOps.mirror(image.convert("L"))

    (one,), (other,) = faces_on(looking_left, tmp_path), faces_on(looking_right, tmp_path)

    assert one.box.height == pytest.approx(0.5, abs=0.15)
    assert one.box.left == pytest.approx(1 - other.box.left - other.box.width, abs=0.1)


@pytest.mark.parametrize("number", range(6))
def test_things_are_not_faces(number: int, tmp_path: Path) -> None:
    assert faces_on(training_photos.photo_of_nobody(number), tmp_path) == ()


def test_the_portrait_without_its_head_has_no_face(tmp_path: Path) -> None:
    assert faces_on(portrait().crop((0, 200, 512, 512)).resize((1024, 624)), tmp_path) == ()


def test_noise_is_not_a_face(tmp_path: Path) -> None:
    assert faces_on(Image.effect_noise((900, 900), 90), tmp_path) == ()


def test_the_same_picture_has_the_same_faces(tmp_path: Path) -> None:
    assert faces_on(portrait(), tmp_path) == faces_on(portrait(), tmp_path)


def test_what_opencv_cannot_decode_is_broken(tmp_path: Path) -> None:
    (tmp_path / "clean.jpg").write_bytes(b"no picture")

    found = FACES.inspect(tmp_path / "clean.jpg")

    assert isinstance(found, Unreadable)
    assert found.remark.code == "broken"
