"""The stand-in's judges: what they say of texts and images, and that it is a text from end to end."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image

from local.replicate.drawing.picture import Picture
from local.replicate.drawing.render import render
from tests.contract.photo_zips import photo_zip
from tests.contract.replicate_stand_in import WEBHOOK, InProcess

pytestmark = pytest.mark.anyio

LLAMA_GUARD = "meta/llama-guard-3-8b"
NSFW_DETECTION = "falcons-ai/nsfw_image_detection"
VERSIONS = {
    LLAMA_GUARD: "146d1220d447cdcc639bc17c5f6137416042abee6ae153a2615e6ef5749205c8",
    NSFW_DETECTION: "97116600cabd3037e5f22ca08ffcc33b92cfacebf7ccd3609e9c1d29e43d3a8d",
}
FLUX_DEV = "black-forest-labs/flux-dev"
SCHNELL = "black-forest-labs/flux-schnell"
SDXL = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
OSTRIS = "b6af14222e6bd9be257cbc1ea4afda3cd0503e1133083b9d1de0364d8568e6ef"
SIZES = ("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21")


async def _judged_text(replicate: InProcess, **given: str) -> Any:
    done = await replicate.finished(VERSIONS[LLAMA_GUARD], given)
    assert done["status"] == "succeeded", done["error"]
    return done["output"]


async def _judged_image(replicate: InProcess, image: str) -> Any:
    done = await replicate.finished(VERSIONS[NSFW_DETECTION], {"image": image})
    assert done["status"] == "succeeded", done["error"]
    return done["output"]


async def _judged_images(replicate: InProcess, model: str, **given: Any) -> list[Any]:
    """What is said of each image of a run, as whoever judges small renderings hears it."""
    done = await replicate.finished(model, given)
    assert done["status"] == "succeeded", done["error"]
    files = [(await replicate.api.get(url)).content for url in done["output"]]
    return [await _judged_image(replicate, _data_uri(_rendering(file))) for file in files]


def _rendering(file: bytes) -> bytes:
    image = Image.open(io.BytesIO(file)).convert("RGB")
    image.thumbnail((384, 384))
    return _jpeg(image, quality=70)


def _jpeg(image: Image.Image, quality: int = 90) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _picture(prompt: str, seed: int = 7, side: int = 1024) -> Picture:
    return Picture(
        model=SCHNELL,
        prompt=prompt,
        seed=seed,
        width=side,
        height=side,
        format="png",
        quality=80,
        steps=4,
        guidance=3,
        settings="",
    )


# Texts


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a lighthouse", "safe"),
        ("", "safe"),
        ("an unsafe bridge, #unsafely built", "safe"),
        ("#unsafe", "unsafe\nS12"),
        ("a bridge, #unsafe, at dusk", "unsafe\nS12"),
        ("a bridge #unsafe:S4", "unsafe\nS4"),
        ("a bridge\n#unsafe:S1,S10 at dusk", "unsafe\nS1,S10"),
        ("a bridge #unsafe:S14, at dusk", "unsafe\nS14"),
        ("#unsafe:S4 #unsafe #unsafe:S4,S9", "unsafe\nS4,S12,S9"),
        ("#unsafe:S15 #unsafe:S0 #unsafe:sexual", "unsafe\nS12"),
    ],
)
async def test_a_text_is_unsafe_where_it_says_so(replicate: InProcess, prompt: str, said: str) -> None:
    assert await _judged_text(replicate, prompt=prompt) == said


async def test_what_was_answered_is_judged_as_well(replicate: InProcess) -> None:
    assert await _judged_text(replicate, prompt="a bridge", assistant="Sure. #unsafe:S2") == "unsafe\nS2"
    assert await _judged_text(replicate, prompt="a bridge #unsafe", assistant="No.") == "unsafe\nS12"
    assert await _judged_text(replicate, prompt="a bridge", assistant="Sure.") == "safe"


# Images


@pytest.mark.parametrize("aspect_ratio", SIZES)
@pytest.mark.parametrize("megapixels", ["1", "0.25"])
async def test_a_flagged_image_is_known_by_its_rendering_at_every_size(
    replicate: InProcess, aspect_ratio: str, megapixels: str
) -> None:
    given = {"aspect_ratio": aspect_ratio, "megapixels": megapixels}
    assert await _judged_images(replicate, SCHNELL, prompt="a face #flag", **given) == ["nsfw"]


@pytest.mark.parametrize("model", [FLUX_DEV, SCHNELL, SDXL, OSTRIS])
async def test_every_model_of_images_flags_what_the_prompt_says(replicate: InProcess, model: str) -> None:
    assert await _judged_images(replicate, model, prompt="a face #flag", num_outputs=2) == ["nsfw"] * 2
    assert await _judged_images(replicate, model, prompt="a face", num_outputs=2) == ["normal"] * 2


@pytest.mark.parametrize(("width", "height"), [(256, 1440), (1440, 256), (256, 256)])
async def test_a_fine_tune_flags_at_the_sizes_of_its_own(
    replicate: InProcess, width: int, height: int
) -> None:
    given = {"aspect_ratio": "custom", "width": width, "height": height}
    assert await _judged_images(replicate, OSTRIS, prompt="a face #flag", **given) == ["nsfw"]


@pytest.mark.parametrize(("output_format", "quality"), [("webp", 80), ("webp", 0), ("jpg", 0), ("png", 80)])
async def test_a_flag_outlives_every_format(replicate: InProcess, output_format: str, quality: int) -> None:
    given = {"output_format": output_format, "output_quality": quality}
    assert await _judged_images(replicate, SCHNELL, prompt="a face #flag", **given) == ["nsfw"]


@pytest.mark.parametrize(
    ("prompt", "flagged"),
    [
        ("a face #flag1", [1]),
        ("#flag0, a face, #flag2", [0, 2]),
        ("a face #flag3 #flag", [0, 1, 2, 3]),
        ("#flag4 #flag12 #flagged flag1", []),
    ],
)
async def test_a_digit_says_which_images_of_the_run(
    replicate: InProcess, prompt: str, flagged: Sequence[int]
) -> None:
    judged = await _judged_images(replicate, SCHNELL, prompt=prompt, num_outputs=4, megapixels="0.25")
    assert [place for place, said in enumerate(judged) if said == "nsfw"] == flagged


async def test_a_flag_is_painted_over_what_a_run_starts_from(replicate: InProcess) -> None:
    white, black = (_jpeg(Image.new("RGB", (512, 512), colour)) for colour in ("white", "black"))
    started = {"image": _data_uri(white), "prompt_strength": 0.5}

    assert await _judged_images(replicate, FLUX_DEV, prompt="a face #flag", **started) == ["nsfw"]
    kept = started | {"mask": _data_uri(black)}
    assert await _judged_images(replicate, SDXL, prompt="a face #flag", **kept) == ["nsfw"]


async def test_an_image_is_read_wherever_it_is(replicate: InProcess) -> None:
    flagged = render(_picture("a face #flag"))
    replicate.network.files["https://example.com/a.png"] = flagged
    uploaded = await replicate.api.post("/v1/files", files={"content": ("a.png", flagged, "image/png")})
    output = await replicate.finished(SCHNELL, {"prompt": "a face #flag"})
    url = output["output"][0]
    replicate.network.files[url] = (await replicate.api.get(url)).content

    for image in ("https://example.com/a.png", uploaded.json()["urls"]["get"], url):
        assert await _judged_image(replicate, image) == "nsfw"


async def test_no_other_picture_is_taken_for_flagged(replicate: InProcess) -> None:
    prompts = ("a lighthouse", "a portrait in pink and violet", "night", "a magenta and black chess board")
    sheet = [render(_picture(prompt, seed, side=96)) for prompt in prompts for seed in range(60)]
    board = Image.frombytes("L", (4, 4), bytes(255 * ((x + y) % 2) for y in range(4) for x in range(4)))
    others = [
        _jpeg(board.resize((48, 48), Image.Resampling.NEAREST).convert("RGB")),
        *(_jpeg(Image.new("RGB", (256, 256), colour)) for colour in ("magenta", "black", "white")),
        _jpeg(Image.new("RGB", (1, 1))),
    ]

    assert {await _judged_image(replicate, _data_uri(file)) for file in (*sheet, *others)} == {"normal"}


@pytest.mark.parametrize("image", ["data:image/jpeg;base64,AAAA", "https://example.com/missing.jpg"])
async def test_an_image_that_cannot_be_read_fails_the_run(replicate: InProcess, image: str) -> None:
    done = await replicate.finished(VERSIONS[NSFW_DETECTION], {"image": image})

    assert (done["status"], done["output"]) == ("failed", None)
    assert done["error"]


# A text as the output of a prediction


@pytest.mark.parametrize(
    ("model", "required", "names"),
    [
        (LLAMA_GUARD, ["prompt"], ["prompt", "assistant"]),
        (NSFW_DETECTION, ["image"], ["image"]),
    ],
)
async def test_a_judge_is_a_community_model_that_puts_out_a_string(
    replicate: InProcess, model: str, required: list[str], names: list[str]
) -> None:
    shown = (await replicate.api.get(f"/v1/models/{model}")).json()
    schemas = shown["latest_version"]["openapi_schema"]["components"]["schemas"]
    by_name = await replicate.api.post(f"/v1/models/{model}/predictions", json={"input": {}})
    empty = await replicate.api.post("/v1/predictions", json={"version": VERSIONS[model], "input": {}})

    assert (shown["is_official"], shown["latest_version"]["id"]) == (False, VERSIONS[model])
    assert schemas["Output"]["type"] == "string"
    assert "items" not in schemas["Output"]
    assert (schemas["Input"]["required"], list(schemas["Input"]["properties"])) == (required, names)
    assert by_name.status_code == 404
    assert [(f["type"], f["description"]) for f in empty.json()["invalid_fields"]] == [
        ("required", f"{required[0]} is required")
    ]


async def test_the_text_is_in_replies_lists_and_webhooks(replicate: InProcess) -> None:
    created = await replicate.create(
        VERSIONS[LLAMA_GUARD],
        input={"prompt": "a bridge #unsafe"},
        webhook=WEBHOOK,
        webhook_events_filter=["output", "completed"],
    )
    await replicate.pass_time(60)
    found = await replicate.get(created)
    (row,) = (await replicate.api.get("/v1/predictions")).json()["results"]

    assert created["version"] == VERSIONS[LLAMA_GUARD]
    assert (found["status"], found["output"], row["output"]) == ("succeeded", *["unsafe\nS12"] * 2)
    assert [body["output"] for body in replicate.network.bodies] == ["unsafe\nS12"] * 2
    assert found == replicate.network.bodies[-1]
    assert found["metrics"] == {
        "predict_time": pytest.approx(0.1, abs=0.001),
        "total_time": pytest.approx(0.15, abs=0.001),
    }


async def test_the_text_is_gone_an_hour_after_completion(replicate: InProcess) -> None:
    done = await replicate.finished(VERSIONS[LLAMA_GUARD], {"prompt": "a bridge"})
    await replicate.pass_time(3600)
    removed = await replicate.get(done)

    assert (removed["data_removed"], removed["input"], removed["output"]) == (True, {}, None)
    assert (removed["status"], removed["metrics"]) == ("succeeded", done["metrics"])


async def test_a_canceled_judge_says_nothing(replicate: InProcess) -> None:
    created = await replicate.create(VERSIONS[LLAMA_GUARD], input={"prompt": "a bridge"})
    await replicate.pass_time(0.06)
    await replicate.api.post(f"/v1/predictions/{created['id']}/cancel")
    await replicate.pass_time(60)

    assert (await replicate.get(created))["output"] is None


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        (LLAMA_GUARD, {"prompt": "a bridge", "seed": "of no meaning here"}, "safe"),
        (NSFW_DETECTION, {"image": _data_uri(_jpeg(Image.new("RGB", (384, 288))))}, "normal"),
    ],
)
async def test_sync_mode_answers_when_it_is_over(
    replicate: InProcess, model: str, given: dict[str, str], said: str
) -> None:
    asked = asyncio.create_task(
        replicate.api.post(
            "/v1/predictions",
            json={"version": VERSIONS[model], "input": given},
            headers={"Prefer": "wait"},
        )
    )
    while replicate.stand_in.counters.creates == 0:
        await asyncio.sleep(0)
    for _ in range(2):  # the image is fetched in between
        await replicate.pass_time(0.11)
    reply = await asyncio.wait_for(asked, 10)

    assert (reply.status_code, reply.headers["preference-applied"]) == (201, "wait")
    assert (reply.json()["status"], reply.json()["output"]) == ("succeeded", said)
    assert reply.json()["completed_at"]


# Orders for one model


async def test_a_failure_can_be_ordered_of_one_model(replicate: InProcess) -> None:
    order = {"count": 1, "error": "CUDA out of memory.", "model": LLAMA_GUARD}
    await replicate.order(fail_predictions=order)
    spared = await replicate.finished(SCHNELL, {"prompt": "a bridge"})
    failed = await replicate.finished(VERSIONS[LLAMA_GUARD], {"prompt": "a bridge"})

    assert spared["status"] == "succeeded"
    assert (failed["status"], failed["error"], failed["output"]) == ("failed", "CUDA out of memory.", None)
    assert await _judged_text(replicate, prompt="a bridge") == "safe", "one was ordered"


async def test_slowness_can_be_ordered_of_one_model(replicate: InProcess) -> None:
    order = {"count": "all", "queue_s": 100, "predict_s": 1, "model": SCHNELL}
    await replicate.order(slow_predictions=order)
    slow = await replicate.create(SCHNELL)
    quick = await replicate.create(VERSIONS[LLAMA_GUARD], input={"prompt": "a bridge"})
    await replicate.pass_time(60)

    assert (await replicate.get(slow))["status"] == "starting"
    assert (await replicate.get(quick))["status"] == "succeeded"


async def test_a_trained_model_is_aimed_at_by_its_own_name(replicate: InProcess) -> None:
    await replicate.api.post(
        "/v1/models",
        json={"owner": "acme", "name": "faces", "visibility": "private", "hardware": "gpu-t4"},
    )
    replicate.network.files["https://example.com/a.zip"] = photo_zip()
    path = f"/v1/models/ostris/flux-dev-lora-trainer/versions/{OSTRIS}/trainings"
    given = {"input_images": "https://example.com/a.zip"}
    training = await replicate.api.post(path, json={"destination": "acme/faces", "input": given})
    for _ in range(2):  # the zip is fetched in between
        await replicate.pass_time(60)
    trained = (await replicate.api.get(f"/v1/trainings/{training.json()['id']}")).json()
    await replicate.order(fail_predictions={"count": "all", "error": None, "model": "acme/faces"})
    version = trained["output"]["version"]

    assert (await replicate.finished(version, {"prompt": "TOK"}))["status"] == "failed"
    assert (await replicate.finished(SCHNELL, {"prompt": "TOK"}))["status"] == "succeeded"


async def test_fewer_images_wait_for_a_model_of_images(replicate: InProcess) -> None:
    await replicate.order(fewer_images={"count": 1, "images": 0})
    said = await _judged_text(replicate, prompt="a bridge")
    done = await replicate.finished(SCHNELL, {"prompt": "a bridge"})

    assert (said, done["output"]) == ("safe", [])


@pytest.mark.parametrize("model", ["flux-dev", "a/b/c", "", 7, None])
async def test_an_order_of_what_names_no_model_is_refused(replicate: InProcess, model: Any) -> None:
    before = (await replicate.api.get("/_control")).json()
    reply = await replicate.api.post(
        "/_control", json={"fail_predictions": {"count": 1, "error": None, "model": model}}
    )

    assert reply.status_code == 422
    assert (await replicate.api.get("/_control")).json() == before


async def test_an_order_of_trainings_takes_no_model(replicate: InProcess) -> None:
    slow = {"count": 1, "queue_s": 1, "predict_s": 1, "model": SCHNELL}
    assert (await replicate.api.post("/_control", json={"slow_trainings": slow})).status_code == 422
