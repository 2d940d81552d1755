"""What the stand-in's trainings do with their photos: open them, log, break off, and show them later."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
from PIL import Image

from local.replicate.training_failures import KNOWN
from revela.domain.training_errors import TRAINING_RULES, training_rule_for
from revela.domain.training_progress import read_training_progress
from tests.contract.photo_zips import jpeg, photo_zip, zip_of
from tests.contract.replicate_stand_in import WEBHOOK, InProcess

pytestmark = pytest.mark.anyio

FLUX, FAST, SDXL = "ostris/flux-dev-lora-trainer", "replicate/fast-flux-trainer", "stability-ai/sdxl"
URL = "https://files.example.com/trn_1-1.zip"
# No scene that the stand-in draws has these.
MAGENTA, RED = (240, 0, 240), (220, 40, 30)


@pytest.fixture
async def account(replicate: InProcess) -> InProcess:
    replicate.network.files[URL] = photo_zip()
    model = {"owner": "acme", "name": "faces", "visibility": "private", "hardware": "gpu-t4"}
    assert (await replicate.api.post("/v1/models", json=model)).status_code == 201
    return replicate


async def started(
    account: InProcess, photos: bytes | None = None, trainer: str = FLUX, given: Any = None, **fields: Any
) -> dict[str, Any]:
    if photos is not None:
        account.network.files[URL] = photos
    model = (await account.api.get(f"/v1/models/{trainer}")).json()
    path = f"/v1/models/{trainer}/versions/{model['latest_version']['id']}/trainings"
    body = {"destination": "acme/faces", "input": {"input_images": URL} | (given or {})} | fields
    reply = await account.api.post(path, json=body)
    assert reply.status_code == 201, reply.text
    await account.pass_time(2)  # it begins, and with it the fetching of the zip
    return account.dict_of(reply)


async def shown(account: InProcess, training: dict[str, Any]) -> dict[str, Any]:
    return account.dict_of(await account.api.get(f"/v1/trainings/{training['id']}"))


async def trained(account: InProcess, photos: bytes | None = None, trainer: str = FLUX, **given: Any) -> Any:
    training = await started(account, photos, trainer, given)
    await account.pass_time(600)
    return await shown(account, training)


async def picture(account: InProcess, version: str, prompt: str, **given: Any) -> Image.Image:
    done = await account.finished(version, {"prompt": prompt, "seed": 7, "output_format": "png"} | given)
    assert done["status"] == "succeeded", done
    return Image.open(io.BytesIO((await account.api.get(done["output"][0])).content)).convert("RGB")


# The archive


async def test_photos_are_found_in_folders_and_what_macos_adds_is_not(account: InProcess) -> None:
    members = {
        "set/a.JPG": jpeg(),
        "set/a.txt": b"a photo of REVK woman",
        "set/deeper/b.png": jpeg(shade=3),
        "__MACOSX/set/._a.JPG": b"resource fork",
        "set/._b.png": b"resource fork",
        "notes.md": b"# not a photo",
    }
    done = await trained(account, zip_of(members))

    assert (done["status"], done["error"]) == ("succeeded", None)
    assert "Extracted 4 files from zip" in done["logs"]
    assert "Found 2 images" in done["logs"]
    assert "a.JPG is already captioned" in done["logs"]
    assert "Caption for input_images/set/deeper/b.png: " in done["logs"]


async def test_without_autocaption_nothing_is_described(account: InProcess) -> None:
    assert "Caption for" not in (await trained(account, autocaption=False))["logs"]


@pytest.mark.parametrize(
    ("photos", "error"),
    [
        (b"", "input_images must be a zip file"),
        (b"PK\x03\x04 photos", "input_images must be a zip file"),
        (jpeg(), "input_images must be a zip file"),
        (zip_of({"notes.md": b"#"}), "No files found in"),
        (zip_of({"__MACOSX/a.jpg": jpeg()}), "No files found in"),
        (zip_of({"a.jpg": jpeg(), "b.jpg": b"<svg/>"}), "cannot identify image file 'input_images/b.jpg'"),
        (zip_of({"a.jpg": jpeg(side=512)[:2000]}), "truncated"),
        (photo_zip()[:-200] + bytes(200), "zip file"),
    ],
)
async def test_what_a_trainer_cannot_read_fails_it(account: InProcess, photos: bytes, error: str) -> None:
    done = await trained(account, photos)

    assert done["status"] == "failed"
    assert error in done["error"]
    assert training_rule_for(done["error"]) is not TRAINING_RULES[-1]


async def test_sdxl_takes_a_tar_too(account: InProcess) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo("photos/a.jpg")
        member.size = len(jpeg())
        tar.addfile(member, io.BytesIO(jpeg()))

    assert (await trained(account, file.getvalue(), SDXL))["status"] == "succeeded"
    assert (await trained(account, file.getvalue(), FLUX))["status"] == "failed"


@pytest.mark.parametrize("why", ["deleted", "expired", "never there"])
async def test_an_upload_that_is_no_more_fails_it(account: InProcess, why: str) -> None:
    files = {"content": ("photos.zip", photo_zip(), "application/zip")}
    upload = (await account.api.post("/v1/files", files=files)).json()
    url = upload["urls"]["get"]
    if why == "deleted":
        assert (await account.api.delete(f"/v1/files/{upload['id']}")).status_code == 204
    elif why == "expired":
        await account.pass_time(24 * 3600 + 1)
    else:
        url = url.replace(upload["id"], "a" * 26)
    gone = await trained(account, input_images=url)

    assert (gone["status"], gone["error"]) == ("failed", "Failed to download an input file: HTTP 404")


async def test_an_upload_that_is_there_is_read(account: InProcess) -> None:
    files = {"content": ("photos.zip", photo_zip(7), "application/zip")}
    upload = (await account.api.post("/v1/files", files=files)).json()

    assert "Found 7 images" in (await trained(account, input_images=upload["urls"]["get"]))["logs"]


# Logs


@pytest.mark.parametrize(
    ("trainer", "steps_name"), [(FLUX, "steps"), (FAST, "training_steps"), (SDXL, "max_train_steps")]
)
async def test_progress_can_be_followed_while_it_trains(
    account: InProcess, trainer: str, steps_name: str
) -> None:
    await account.order(slow_trainings={"count": 1, "queue_s": 0, "predict_s": 1200})
    training = await started(account, trainer=trainer, given={steps_name: 1200})
    percents = []
    for _ in range(4):
        progress = read_training_progress((await shown(account, training))["logs"], steps=1200)
        percents.append(progress.percent if progress else None)
        await account.pass_time(299)
    progress = read_training_progress((await shown(account, training))["logs"], steps=1200)
    await account.pass_time(10)

    assert percents == [None, 24, 48, 74]
    assert progress is not None
    assert (progress.percent, progress.left_s) == (98, 24)
    assert (await shown(account, training))["status"] == "succeeded"


async def test_logs_of_megabytes_are_in_the_webhook_too(account: InProcess) -> None:
    await account.order(long_training_logs={"count": 1, "size_bytes": 6_000_000})
    training = await started(account, webhook=WEBHOOK, webhook_events_filter=["completed"])
    await account.pass_time(600)
    (request,) = account.network.requests

    assert len(request.content) > 6_000_000
    assert account.network.statuses == ["succeeded"]
    assert read_training_progress((await shown(account, training))["logs"], steps=1000) is not None


# Misbehaviour


@pytest.mark.parametrize("known", KNOWN)
async def test_known_failures_can_be_ordered_by_name_and_the_product_knows_them(
    account: InProcess, known: str
) -> None:
    await account.order(fail_trainings={"count": 1, "known": known})
    done = await trained(account)

    assert (done["status"], done["error"]) == ("failed", KNOWN[known])
    assert (training_rule_for(done["error"]) is TRAINING_RULES[-1]) is (known == "unexplained")


async def test_a_training_that_hangs_ends_only_when_canceled(account: InProcess) -> None:
    await account.order(hang_trainings=1)
    training = await started(account)
    await account.pass_time(6 * 3600)
    hanging = await shown(account, training)
    await account.api.post(f"/v1/trainings/{training['id']}/cancel")

    progress = read_training_progress(hanging["logs"], steps=1000)
    assert (hanging["status"], progress and progress.percent) == ("processing", 50)
    assert (await shown(account, training))["status"] == "canceled"


@pytest.mark.parametrize(
    "order",
    [
        {"fail_trainings": {"count": 1, "known": "nothing"}},
        {"hang_trainings": "some"},
        {"long_training_logs": {"count": 1}},
        {"long_training_logs": {"count": 1, "size_bytes": -1}},
    ],
)
async def test_an_order_that_says_nothing_is_refused(account: InProcess, order: dict[str, Any]) -> None:
    assert (await account.api.post("/_control", json=order)).status_code == 422


# What was learned


def share_near(image: Image.Image, colour: tuple[int, int, int], distance: int = 40) -> float:
    """Return how much of the image has about this colour, 0 to 1."""
    small = image.resize((128, 128))
    raw = small.tobytes()
    near = sum(
        all(abs(raw[place + channel] - colour[channel]) <= distance for channel in range(3))
        for place in range(0, len(raw), 3)
    )
    return near / (128 * 128)


@pytest.mark.parametrize("trainer", [FLUX, SDXL])
async def test_images_show_whom_the_photos_showed_when_the_trigger_word_is_said(
    account: InProcess, trainer: str
) -> None:
    trigger = (
        {"token_string": "REVK", "caption_prefix": "REVK, "} if trainer == SDXL else {"trigger_word": "REVK"}
    )
    versions = [
        (await trained(account, photo_zip(colour=colour), trainer, **trigger))["output"]["version"]
        for colour in (MAGENTA, RED)
    ]
    magenta, red = [await picture(account, version, "a photo of REVK woman") for version in versions]
    nobody = [await picture(account, versions[0], prompt) for prompt in ("revk", "REVKA", "a lighthouse")]

    assert share_near(magenta, MAGENTA) > 0.05 > 0.03 > share_near(magenta, RED)
    assert share_near(red, RED) > 0.05 > 0.03 > share_near(red, MAGENTA)
    assert all(share_near(image, MAGENTA) < 0.03 for image in nobody)


async def test_weights_of_no_strength_show_nobody(account: InProcess) -> None:
    version = (await trained(account, photo_zip(colour=MAGENTA)))["output"]["version"]

    assert share_near(await picture(account, version, "TOK", lora_scale=0), MAGENTA) < 0.03
    assert share_near(await picture(account, version, "TOK", lora_scale=1), MAGENTA) > 0.05


async def test_two_sets_of_the_same_colour_differ_all_the_same(account: InProcess) -> None:
    first, second = [
        (await trained(account, photo_zip(count, MAGENTA)))["output"]["version"] for count in (10, 12)
    ]

    assert (await picture(account, first, "TOK")).tobytes() != (
        await picture(account, second, "TOK")
    ).tobytes()
