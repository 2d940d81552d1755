"""From what was found in a photo to the verdict on it.

Thresholds were measured on the public-domain photographs that scikit-image ships (people, animals, things,
textures), sharp and blurred, whole and enlarged; where a figure is a judgement, its comment says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from revela.domain.photo import (
    Category,
    Face,
    FaceReport,
    ModelKind,
    Photo,
    PhotoFacts,
    PhotoState,
    Remark,
    Unreadable,
    Verdict,
)

# Trainers scale to 512 at least; a smaller photo would teach its own enlargement.
SIDE_MIN = 512
# Sharp photographs measure .66 to .85, faces enlarged four to five times .56 to .60. People and animals
# blurred with a radius of .4 % of the longer side measure .34 to .45, with .6 % .26 to .32.
SHARPNESS_MIN = 0.45
# Percentiles, not means: a face before a black or a white wall is well lit. Dark is where nothing is
# bright, bright where nothing is dark: a judgement.
TOO_DARK_BELOW = 60
TOO_BRIGHT_ABOVE = 215
# Bits out of 64. Eighteen photographs saved at quality 30, halved, brightened or darkened by a fifth differ
# from themselves by 0 to 4, cropped by 3 % by 2 to 12; the two pictures of a stereo pair differ by 18, sixty
# portraits of one person in other framings by 8 and more.
NEAR_DUPLICATE_MAX = 6

# A face fills about a tenth of a standing person's height and a fifth of a sitting one's (the box from
# brow to chin, which is three quarters of the head; a body is seven and a half heads, to the hips four).
FACE_SHARE = 0.28
HALF_BODY_SHARE = 0.13
# Of a photo scaled to 1,024 pixels this leaves 51 of face: six cells of what FLUX and SDXL see, which
# halve an image three times; the pixels below are five, where the photo itself is small.
FACE_SHARE_MIN = 0.05
FACE_PIXELS_MIN = 40
# Inspectors report doubtful faces too: a judgement.
CONFIDENCE_MIN = 0.9
# Someone this much smaller is a passer-by, who does not end up in the model.
BYSTANDER_BELOW = 1 / 3
ADULT_AGE = 18


def judge(
    facts: PhotoFacts | Unreadable,
    faces: FaceReport | Unreadable | None,
    *,
    kind: ModelKind,
    others: Iterable[Photo],
    famous: bool = False,
) -> Verdict:
    """Judge one photo of a set. `faces` is None only when the file is unreadable: nobody looked for any.

    `others` are the set's other photos; those that are accepted count. `famous`: it shows a public person.
    """
    if isinstance(facts, Unreadable):
        return Verdict(problems=(facts.remark,))
    if isinstance(faces, Unreadable):
        return Verdict(problems=(faces.remark,), notes=_notes(facts))
    if faces is None:
        raise ValueError("a photo that can be read is not judged before its faces were looked for")
    sure = [face for face in faces.faces if face.confidence is None or face.confidence >= CONFIDENCE_MIN]
    problems = [*_ages(faces), *_fame(famous), *_of_file(facts, others)]
    if kind.of_a_person:
        problems += _of_person(sure, facts)
    return Verdict(
        problems=tuple(problems),
        notes=_notes(facts),
        category=_category(sure[0]) if sure else None,
    )


def difference(one: str, other: str) -> int:
    """Return how many bits of two perceptual hashes differ, of 64."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def _ages(report: FaceReport) -> Iterator[Remark]:
    """Fail closed: whoever may be a minor counts, in the background and in doubt too."""
    if report.knows_age and any(face.age is None or face.age.low < ADULT_AGE for face in report.faces):
        yield Remark(code="minor")


def _fame(famous: bool) -> Iterator[Remark]:
    if famous:
        yield Remark(code="public_person")


def _of_file(facts: PhotoFacts, others: Iterable[Photo]) -> Iterator[Remark]:
    if min(facts.width, facts.height) < SIDE_MIN:
        yield Remark(
            code="too_small", args={"width": facts.width, "height": facts.height, "minimum": SIDE_MIN}
        )
    if facts.exposure.high < TOO_DARK_BELOW:
        yield Remark(code="too_dark")
    if facts.exposure.low > TOO_BRIGHT_ABOVE:
        yield Remark(code="too_bright")
    if facts.sharpness < SHARPNESS_MIN:
        yield Remark(code="blurry")
    if twin := _near_duplicate(facts, others):
        yield Remark(code="near_duplicate", photo_id=twin)


def _near_duplicate(facts: PhotoFacts, others: Iterable[Photo]) -> str | None:
    distances = (
        (difference(facts.perceptual_hash, other.facts.perceptual_hash), other.id)
        for other in others
        if other.state is PhotoState.ACCEPTED and other.facts is not None
    )
    nearest = min(distances, default=None)
    return nearest[1] if nearest and nearest[0] <= NEAR_DUPLICATE_MAX else None


def _of_person(faces: list[Face], facts: PhotoFacts) -> Iterator[Remark]:
    if not faces:
        yield Remark(code="no_face")
        return
    largest = faces[0]
    people = sum(face.box.height >= largest.box.height * BYSTANDER_BELOW for face in faces)
    if people > 1:
        yield Remark(code="several_faces", args={"count": people})
    share = largest.box.height
    if share < FACE_SHARE_MIN or share * facts.clean.height < FACE_PIXELS_MIN:
        yield Remark(code="face_too_small")
    if largest.sunglasses:
        yield Remark(code="sunglasses")
    elif largest.occluded:
        yield Remark(code="face_covered")


def _notes(facts: PhotoFacts) -> tuple[Remark, ...]:
    # Phones and chats rename HEIC to .jpg all the time. Nothing trusts the declared type, and what is
    # trained with is our own JPEG, so refusing it would protect nobody.
    return (Remark(code="declared_type_differs"),) if facts.declared_type_differs else ()


def _category(face: Face) -> Category:
    if face.box.height >= FACE_SHARE:
        return Category.FACE
    return Category.HALF_BODY if face.box.height >= HALF_BODY_SHARE else Category.FULL_BODY
