"""stability-ai/sdxl: a community model, so it needs a version."""

from collections.abc import Mapping
from dataclasses import replace

from local.replicate.drawing.picture import Picture
from local.replicate.models.model import (
    Input,
    Model,
    Pace,
    Parameter,
    Run,
    RunFailed,
    Trainer,
    Version,
    pixel_settings,
    size_of_file,
)
from local.replicate.models.parameters import NUM_OUTPUTS, PROMPT_STRENGTH, SAFETY
from local.replicate.training_logs import SdxlLogs

LARGEST_AREA = 2048 * 2048  # beyond it the GPU's memory ends; the schema itself has no bound


def plan_sdxl(model: Model, given: Input, seed: int, files: Mapping[str, bytes]) -> Run:
    values = model.complete(given)
    count: int = values["num_outputs"]
    steps: int = values["num_inference_steps"]
    source, mask = files.get("image"), files.get("mask")
    width, height = _size(values, source, mask)
    mode = "txt2img" if source is None else "inpainting" if mask else "img2img"
    first = Picture(
        model=model.painter,
        prompt=values["prompt"],
        seed=seed,
        width=width,
        height=height,
        format="png",
        quality=100,
        steps=steps,
        guidance=values["guidance_scale"],
        settings=pixel_settings(values),
        source=source,
        mask=mask,
        strength=values["prompt_strength"] if source is not None else 1.0,
        identity=model.shown_in(values),
    )
    return Run(
        steps=steps,
        batch=count,
        opening_log=f"Using seed: {seed}\nPrompt: {values['prompt']}\n{mode} mode\n",
        closing_log="",
        pictures=first.batch(count),
        metrics={"total_inference_steps": steps, "num_outputs": count, "width": width, "height": height},
    )


def _size(values: Input, source: bytes | None, mask: bytes | None) -> tuple[int, int]:
    width, height = values["width"], values["height"]
    if mask is not None:
        size_of_file(mask)
    if source is not None:
        source_size = size_of_file(source)
        if mask is None:
            width, height = (side - side % 8 for side in source_size)
    if width % 8 or height % 8 or min(width, height) < 8:
        raise RunFailed(f"`height` and `width` have to be divisible by 8 but are {height} and {width}.")
    if width * height > LARGEST_AREA:
        raise RunFailed("CUDA out of memory.")
    return width, height


_BASE = Model(
    owner="stability-ai",
    name="sdxl",
    description="A text-to-image generative AI model that creates beautiful images",
    is_official=False,
    license_url="https://github.com/Stability-AI/generative-models/blob/main/model_licenses/LICENSE-SDXL1.0",
    github_url="https://github.com/replicate/cog-sdxl",
    versions=(
        Version(
            "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b",
            "2023-08-16T12:00:00.000Z",
            "0.8.1",
        ),
    ),
    parameters=(
        Parameter(
            "prompt", "string", "What the image shows.", default="An astronaut riding a rainbow unicorn"
        ),
        Parameter("negative_prompt", "string", "What the image must not show.", default=""),
        Parameter("image", "string", "Image for image to image or inpainting.", is_file=True),
        Parameter(
            "mask",
            "string",
            "Mask for inpainting: black areas are kept, white areas are painted anew.",
            is_file=True,
        ),
        Parameter("width", "integer", "Width of the image.", default=1024),
        Parameter("height", "integer", "Height of the image.", default=1024),
        NUM_OUTPUTS,
        Parameter(
            "scheduler",
            "string",
            "The scheduler.",
            default="K_EULER",
            choices=(
                "DDIM",
                "DPMSolverMultistep",
                "HeunDiscrete",
                "KarrasDPM",
                "K_EULER_ANCESTRAL",
                "K_EULER",
                "PNDM",
            ),
        ),
        Parameter(
            "num_inference_steps",
            "integer",
            "Number of denoising steps.",
            default=50,
            minimum=1,
            maximum=500,
        ),
        Parameter(
            "guidance_scale",
            "number",
            "Scale of the classifier-free guidance.",
            default=7.5,
            minimum=1,
            maximum=50,
        ),
        PROMPT_STRENGTH,
        Parameter("seed", "integer", "Random seed. Leave it out for a random one."),
        Parameter(
            "refine",
            "string",
            "Which refiner runs after the base model.",
            default="no_refiner",
            choices=("no_refiner", "expert_ensemble_refiner", "base_image_refiner"),
        ),
        Parameter(
            "high_noise_frac",
            "number",
            "For expert_ensemble_refiner: the share of the noise that the base model removes.",
            default=0.8,
            minimum=0,
            maximum=1,
        ),
        Parameter("refine_steps", "integer", "For base_image_refiner: steps of the refiner."),
        Parameter("apply_watermark", "boolean", "Mark the images as generated.", default=True),
        Parameter(
            "lora_scale",
            "number",
            "Scale of a LoRA; of effect on trained models only.",
            default=0.6,
            minimum=0,
            maximum=1,
        ),
        Parameter("replicate_weights", "string", "LoRA weights to use."),
        SAFETY,
    ),
    pace=Pace(queue_s=0.3, setup_s=0.3, step_s=0.008),
    plan=plan_sdxl,
    tags=("text-to-image", "image-to-image"),
    readme="# SDXL\n\nA text-to-image model with a refiner, to be fine-tuned as well.\n",
    example={"prompt": "a lighthouse at dusk, film photo", "seed": 42},
)

_TRAINER = Trainer(
    parameters=(
        Parameter("input_images", "string", "A zip or tar of images.", required=True, is_file=True),
        Parameter("seed", "integer", "Random seed."),
        Parameter("resolution", "integer", "Side of the square to train at.", default=768),
        Parameter("train_batch_size", "integer", "Images in one step.", default=4),
        Parameter("num_train_epochs", "integer", "Rounds over all images.", default=4000),
        Parameter("max_train_steps", "integer", "Steps; they end the rounds.", default=1000),
        Parameter("is_lora", "boolean", "Train a LoRA, not all weights.", default=True),
        Parameter("unet_learning_rate", "number", "Learning rate of the U-Net.", default=1e-6),
        Parameter("ti_lr", "number", "Learning rate of the textual inversion.", default=3e-4),
        Parameter("lora_lr", "number", "Learning rate of the LoRA.", default=1e-4),
        Parameter("lora_rank", "integer", "Rank of the LoRA.", default=32),
        Parameter(
            "lr_scheduler",
            "string",
            "How the learning rate goes.",
            default="constant",
            choices=("constant", "linear"),
        ),
        Parameter("lr_warmup_steps", "integer", "Steps of warming up.", default=100),
        Parameter("token_string", "string", "The word that calls up what was learned.", default="TOK"),
        Parameter("caption_prefix", "string", "Text before each caption.", default="a photo of TOK, "),
        Parameter("mask_target_prompts", "string", "What to crop to, in words."),
        Parameter("crop_based_on_salience", "boolean", "Crop to what stands out.", default=True),
        Parameter("use_face_detection_instead", "boolean", "Crop to faces.", default=False),
        Parameter("clipseg_temperature", "number", "How blurred the masks are.", default=1.0),
        Parameter("verbose", "boolean", "Log more.", default=True),
        Parameter("checkpointing_steps", "integer", "Steps between checkpoints.", default=999999),
        Parameter(
            "input_images_filetype",
            "string",
            "What the images come in.",
            default="infer",
            choices=("zip", "tar", "infer"),
        ),
    ),
    steps="max_train_steps",
    trigger="token_string",
    trained=_BASE,
    logs=SdxlLogs(),
    takes_tar=True,
)

SDXL = replace(_BASE, trainer=_TRAINER)
