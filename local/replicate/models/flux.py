"""black-forest-labs/flux-dev and flux-schnell, as Replicate's official models take them."""

from collections.abc import Mapping

from local.replicate.drawing.picture import Picture
from local.replicate.models.model import (
    Input,
    Model,
    Pace,
    Parameter,
    Run,
    Version,
    pixel_settings,
    placeholder_version,
    size_of_file,
)
from local.replicate.models.parameters import NUM_OUTPUTS, PROMPT_STRENGTH, SAFETY

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
CUSTOM = "custom"  # of fine-tunes only: width and height decide
LONGEST_SIDE = 1440  # an image to start from is scaled down to it


def plan_flux(model: Model, given: Input, seed: int, files: Mapping[str, bytes]) -> Run:
    values = model.complete(given)
    count: int = values["num_outputs"]
    steps: int = values["num_inference_steps"]
    name = "guidance" if "guidance" in values else "guidance_scale"
    guidance: float = values.get(name, 0.0)
    source = files.get("image")
    width, height = _size(values, source)
    fast = values["go_fast"] and source is None  # image to image runs in bf16 only
    first = Picture(
        model=model.painter,
        prompt=values["prompt"],
        seed=seed,
        width=width,
        height=height,
        format=values["output_format"],
        quality=values["output_quality"],
        steps=steps,
        guidance=guidance,
        settings=pixel_settings(values),
        source=source,
        mask=files.get("mask"),
        strength=values.get("prompt_strength", 1.0),
        identity=model.shown_in(values),
    )
    return Run(
        steps=steps,
        batch=count,
        opening_log=f"running {'quantized' if fast else 'bf16'} prediction\nUsing seed: {seed}\n",
        closing_log=f"Total safe images: {count} out of {count}\n",
        pictures=first.batch(count),
        metrics={"image_count": count},
    )


def _size(values: Input, source: bytes | None) -> tuple[int, int]:
    if source is None and values["aspect_ratio"] == CUSTOM:
        width, height = values["width"] or LONGEST_SIDE, values["height"] or LONGEST_SIDE
        return width - width % 16, height - height % 16
    if source is None:
        width, height = SIZES[values["aspect_ratio"]]
        return (width // 2, height // 2) if values["megapixels"] == "0.25" else (width, height)
    width, height = size_of_file(source)
    scale = min(LONGEST_SIDE / width, LONGEST_SIDE / height, 1)
    return max(16, round(width * scale / 16) * 16), max(16, round(height * scale / 16) * 16)


PROMPT = Parameter("prompt", "string", "What the image shows.", required=True)
_ASPECT_RATIO = Parameter(
    "aspect_ratio", "string", "Aspect ratio of the image.", default="1:1", choices=tuple(SIZES)
)
SEED = Parameter("seed", "integer", "Random seed. Set it for reproducible images.")
OUTPUT_FORMAT = Parameter(
    "output_format", "string", "Format of the images.", default="webp", choices=("webp", "jpg", "png")
)
OUTPUT_QUALITY = Parameter(
    "output_quality",
    "integer",
    "Quality of the saved images, 0 to 100. Of no effect on png.",
    default=80,
    minimum=0,
    maximum=100,
)
_GO_FAST = Parameter(
    "go_fast", "boolean", "Run with the faster model, quantized to fp8; off is bf16.", default=True
)
MEGAPIXELS = Parameter(
    "megapixels", "string", "Approximate number of megapixels.", default="1", choices=("1", "0.25")
)

FLUX_DEV = Model(
    owner="black-forest-labs",
    name="flux-dev",
    description="A 12 billion parameter rectified flow transformer that makes images from text.",
    is_official=True,
    license_url="https://github.com/black-forest-labs/flux/blob/main/model_licenses/LICENSE-FLUX1-dev",
    github_url="https://github.com/replicate/cog-flux",
    versions=(
        Version(placeholder_version("black-forest-labs/flux-dev"), "2025-07-31T12:00:00.000Z", "0.16.2"),
    ),
    parameters=(
        PROMPT,
        _ASPECT_RATIO,
        Parameter(
            "image",
            "string",
            "Image to start from. The output has its aspect ratio.",
            is_file=True,
        ),
        PROMPT_STRENGTH,
        NUM_OUTPUTS,
        Parameter(
            "num_inference_steps",
            "integer",
            "Number of denoising steps; 28 to 50 is recommended.",
            default=28,
            minimum=1,
            maximum=50,
        ),
        Parameter(
            "guidance", "number", "How closely the prompt is followed.", default=3, minimum=0, maximum=10
        ),
        SEED,
        OUTPUT_FORMAT,
        OUTPUT_QUALITY,
        SAFETY,
        _GO_FAST,
        MEGAPIXELS,
    ),
    pace=Pace(queue_s=0.2, setup_s=0.2, step_s=0.008),
    plan=plan_flux,
    tags=("text-to-image", "image-to-image"),
    readme="# FLUX.1 [dev]\n\nA rectified flow transformer that makes images from text.\n",
    example={"prompt": "a lighthouse at dusk, film photo", "seed": 42},
)

FLUX_SCHNELL = Model(
    owner="black-forest-labs",
    name="flux-schnell",
    description="The fastest image generation model of the FLUX.1 family.",
    is_official=True,
    license_url="https://github.com/black-forest-labs/flux/blob/main/model_licenses/LICENSE-FLUX1-schnell",
    github_url="https://github.com/replicate/cog-flux",
    versions=(
        Version(placeholder_version("black-forest-labs/flux-schnell"), "2025-07-31T12:00:00.000Z", "0.16.2"),
    ),
    parameters=(
        PROMPT,
        _ASPECT_RATIO,
        NUM_OUTPUTS,
        Parameter(
            "num_inference_steps",
            "integer",
            "Number of denoising steps; 4 is recommended, fewer are faster.",
            default=4,
            minimum=1,
            maximum=4,
        ),
        SEED,
        OUTPUT_FORMAT,
        OUTPUT_QUALITY,
        SAFETY,
        _GO_FAST,
        MEGAPIXELS,
    ),
    pace=Pace(queue_s=0.1, setup_s=0.1, step_s=0.01),
    plan=plan_flux,
    tags=("text-to-image",),
    readme="# FLUX.1 [schnell]\n\nImages in one to four steps.\n",
    example={"prompt": "a lighthouse at noon, film photo", "seed": 42},
)
