"""The stand-in's outputs: real images as asked for, the same for the same input."""

import io
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.contract.replicate_stand_in import ORIGIN, InProcess

pytestmark = pytest.mark.anyio

FLUX_DEV = "black-forest-labs/flux-dev"
SCHNELL = "black-forest-labs/flux-schnell"
SDXL = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
SIZES = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "21:9": (1536, 640),
    "3:2": (1216, 832),
    "2:3": (832, 1216),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "3:4": (896, 1152),
    "4:3": (1152, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}


async def _files(replicate: InProcess, model: str, **given: Any) -> list[bytes]:
    done = await replicate.finished(model, {"prompt": "a portrait of a lighthouse keeper", "seed": 7} | given)
    assert done["status"] == "succeeded", done["error"]
    return [(await replicate.api.get(url)).content for url in done["output"]]


async def _image(replicate: InProcess, model: str, **given: Any) -> Image.Image:
    (file,) = await _files(replicate, model, **given)
    return Image.open(io.BytesIO(file))


def _difference(first: Image.Image, second: Image.Image) -> float:
    """Mean distance of the pixels, 0 to 255."""
    size = (256, 256)
    pair = (first.convert("RGB").resize(size), second.convert("RGB").resize(size))
    return sum(ImageStat.Stat(ImageChops.difference(*pair)).mean) / 3


def _png(size: tuple[int, int], colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("aspect_ratio", SIZES)
@pytest.mark.parametrize("model", [FLUX_DEV, SCHNELL])
async def test_flux_sizes_follow_the_aspect_ratio(
    replicate: InProcess, model: str, aspect_ratio: str
) -> None:
    image = await _image(replicate, model, aspect_ratio=aspect_ratio)
    quarter = await _image(replicate, model, aspect_ratio=aspect_ratio, megapixels="0.25")

    width, height = SIZES[aspect_ratio]
    assert image.size == (width, height)
    assert quarter.size == (width // 2, height // 2)


@pytest.mark.parametrize(("width", "height"), [(1024, 1024), (768, 1344), (8, 8), (2048, 2048)])
async def test_sdxl_sizes_are_as_asked(replicate: InProcess, width: int, height: int) -> None:
    assert (await _image(replicate, SDXL, width=width, height=height)).size == (width, height)


@pytest.mark.parametrize(
    ("width", "height", "error"),
    [
        (1001, 1024, "`height` and `width` have to be divisible by 8 but are 1024 and 1001."),
        (0, 1024, "`height` and `width` have to be divisible by 8 but are 1024 and 0."),
        (-8, 1024, "`height` and `width` have to be divisible by 8 but are 1024 and -8."),
        (4096, 4096, "CUDA out of memory."),
        (8 * 10**30, 8 * 10**30, "CUDA out of memory."),
    ],
)
async def test_sizes_that_pass_the_schema_of_sdxl_and_not_its_pipeline_fail(
    replicate: InProcess, width: int, height: int, error: str
) -> None:
    done = await replicate.finished(SDXL, {"width": width, "height": height})
    assert (done["status"], done["error"]) == ("failed", error)


@pytest.mark.parametrize(("format_", "pillow"), [("webp", "WEBP"), ("jpg", "JPEG"), ("png", "PNG")])
async def test_files_are_of_the_format_asked_for(replicate: InProcess, format_: str, pillow: str) -> None:
    done = await replicate.finished(
        FLUX_DEV, {"prompt": "a lighthouse", "output_format": format_, "num_outputs": 3}
    )
    replies = [await replicate.api.get(url) for url in done["output"]]

    for number, (url, reply) in enumerate(zip(done["output"], replies, strict=True)):
        assert url.startswith(f"{ORIGIN}/delivery/")
        assert url.endswith(f"/out-{number}.{format_}")
        assert reply.headers["content-type"] == f"image/{pillow.lower()}"
        assert int(reply.headers["content-length"]) == len(reply.content)
        image = Image.open(io.BytesIO(reply.content))
        image.load()
        assert image.format == pillow


async def test_sdxl_puts_out_png(replicate: InProcess) -> None:
    assert (await _image(replicate, SDXL)).format == "PNG"


async def test_quality_decides_the_size_of_the_file_and_not_what_it_shows(replicate: InProcess) -> None:
    (low,) = await _files(replicate, FLUX_DEV, output_quality=40, output_format="jpg")
    (high,) = await _files(replicate, FLUX_DEV, output_quality=100, output_format="jpg")

    assert len(low) < len(high) / 2
    assert _difference(Image.open(io.BytesIO(low)), Image.open(io.BytesIO(high))) < 4


@pytest.mark.parametrize("model", [FLUX_DEV, SCHNELL, SDXL])
async def test_the_same_input_makes_the_same_bytes(replicate: InProcess, model: str) -> None:
    first = await _files(replicate, model, num_outputs=2)
    second = await _files(replicate, model, num_outputs=2)

    assert first == second
    assert first[0] != first[1]


@pytest.mark.parametrize("change", [{"seed": 8}, {"prompt": "a portrait of a lighthouse keeper, red"}])
async def test_another_seed_or_prompt_is_another_picture(
    replicate: InProcess, change: dict[str, Any]
) -> None:
    assert _difference(await _image(replicate, FLUX_DEV), await _image(replicate, FLUX_DEV, **change)) > 8


async def test_another_model_is_another_picture(replicate: InProcess) -> None:
    assert _difference(await _image(replicate, FLUX_DEV), await _image(replicate, SDXL)) > 8


@pytest.mark.parametrize(
    "change",
    [{"guidance": 3.1}, {"num_inference_steps": 29}, {"go_fast": False}, {"prompt_strength": 0.5}],
)
async def test_every_other_parameter_shows_in_the_pixels(
    replicate: InProcess, change: dict[str, Any]
) -> None:
    default, changed = await _image(replicate, FLUX_DEV), await _image(replicate, FLUX_DEV, **change)
    assert _difference(default, changed) > 0.1


async def test_a_default_written_out_changes_nothing(replicate: InProcess) -> None:
    spelt_out = {"num_inference_steps": 28, "guidance": 3, "aspect_ratio": "1:1", "go_fast": True}
    assert await _files(replicate, FLUX_DEV) == await _files(replicate, FLUX_DEV, **spelt_out)


async def test_without_a_seed_every_run_differs(replicate: InProcess) -> None:
    outputs = set()
    for _ in range(4):
        done = await replicate.finished(SCHNELL, {"prompt": "a lighthouse", "megapixels": "0.25"})
        outputs.add((await replicate.api.get(done["output"][0])).content)
    assert len(outputs) > 1


async def test_pictures_are_smooth_and_colourful_rather_than_noise(replicate: InProcess) -> None:
    image = (await _image(replicate, FLUX_DEV)).convert("RGB")
    shifted = ImageChops.offset(image, 1, 0)

    assert _difference(image, Image.new("RGB", image.size, "gray")) > 10
    assert sum(ImageStat.Stat(ImageChops.difference(image, shifted)).mean) / 3 < 3


async def test_delivery_asks_for_no_token_and_guesses_find_nothing(replicate: InProcess) -> None:
    done = await replicate.finished(SCHNELL, {"prompt": "a lighthouse"})
    del replicate.api.headers["authorization"]
    url = done["output"][0]
    head = await replicate.api.head(url)

    assert (await replicate.api.get(url)).status_code == 200
    assert (head.status_code, head.content) == (200, b"")
    assert (await replicate.api.get(url.replace("out-0", "out-1"))).status_code == 404
    assert (await replicate.api.get(f"{ORIGIN}/delivery/guess/out-0.webp")).status_code == 404
    assert (await replicate.counters())["deliveries"] == 1


async def test_flux_dev_starts_from_an_image_and_takes_over_its_size(replicate: InProcess) -> None:
    replicate.network.files["https://example.com/red.png"] = _png((1000, 500))
    source = {"image": "https://example.com/red.png", "output_format": "png"}
    faithful = await _image(replicate, FLUX_DEV, **source, prompt_strength=0)
    half = await _image(replicate, FLUX_DEV, **source, prompt_strength=0.5)
    free = await _image(replicate, FLUX_DEV, **source, prompt_strength=1)

    assert faithful.size == half.size == free.size == (992, 496), "in steps of 16"
    red = Image.new("RGB", (8, 8), "red")
    assert _difference(faithful, red) < 1 < _difference(half, red) < _difference(free, red)


async def test_a_large_image_is_scaled_down(replicate: InProcess) -> None:
    replicate.network.files["https://example.com/large.png"] = _png((2880, 1440))
    image = await _image(replicate, FLUX_DEV, image="https://example.com/large.png")
    assert image.size == (1440, 720)


async def test_sdxl_paints_anew_only_where_the_mask_is_white(replicate: InProcess) -> None:
    mask = Image.new("L", (1024, 1024), "black")
    mask.paste("white", (512, 0, 1024, 1024))
    file = io.BytesIO()
    mask.save(file, "PNG")
    replicate.network.files["https://example.com/red.png"] = _png((1024, 1024))
    replicate.network.files["https://example.com/mask.png"] = file.getvalue()
    image = await _image(
        replicate,
        SDXL,
        image="https://example.com/red.png",
        mask="https://example.com/mask.png",
        prompt_strength=1,
    )

    red = Image.new("RGB", (8, 8), "red")
    assert _difference(image.crop((0, 0, 500, 1024)), red) < 1
    assert _difference(image.crop((524, 0, 1024, 1024)), red) > 20


@pytest.mark.parametrize(
    "image",
    [
        "https://example.com/missing.png",
        "https://example.com/text.png",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,!",
        "data:image/png",
    ],
)
@pytest.mark.parametrize(("model", "parameter"), [(FLUX_DEV, "image"), (SDXL, "image"), (SDXL, "mask")])
async def test_an_image_that_cannot_be_read_fails_the_run(
    replicate: InProcess, model: str, parameter: str, image: str
) -> None:
    replicate.network.files["https://example.com/text.png"] = b"no image"
    done = await replicate.finished(model, {"prompt": "a lighthouse", parameter: image})

    assert done["status"] == "failed"
    assert done["error"]
