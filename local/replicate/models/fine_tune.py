"""FLUX fine-tunes: what a trained version takes, after cog-flux's predictor with LoRA weights."""

from dataclasses import replace

from local.replicate.models.flux import (
    CUSTOM,
    MEGAPIXELS,
    OUTPUT_FORMAT,
    OUTPUT_QUALITY,
    PROMPT,
    SEED,
    SIZES,
    plan_flux,
)
from local.replicate.models.model import Model, Pace, Parameter
from local.replicate.models.parameters import NUM_OUTPUTS, PROMPT_STRENGTH, SAFETY

PARAMETERS = (
    replace(PROMPT, description="What the image shows; name the trigger word of the training."),
    Parameter("image", "string", "Image for image to image or inpainting.", is_file=True),
    Parameter("mask", "string", "Mask for inpainting: black areas are kept.", is_file=True),
    Parameter(
        "aspect_ratio", "string", "Aspect ratio of the image.", default="1:1", choices=(*SIZES, CUSTOM)
    ),
    Parameter("height", "integer", "Height, where the aspect ratio is custom.", minimum=256, maximum=1440),
    Parameter("width", "integer", "Width, where the aspect ratio is custom.", minimum=256, maximum=1440),
    PROMPT_STRENGTH,
    Parameter("model", "string", "Which FLUX to run with.", default="dev", choices=("dev", "schnell")),
    NUM_OUTPUTS,
    Parameter(
        "num_inference_steps",
        "integer",
        "Number of denoising steps; dev is best at about 28, schnell at 4.",
        default=28,
        minimum=1,
        maximum=50,
    ),
    Parameter(
        "guidance_scale", "number", "How closely the prompt is followed.", default=3, minimum=0, maximum=10
    ),
    SEED,
    OUTPUT_FORMAT,
    OUTPUT_QUALITY,
    SAFETY,
    Parameter("go_fast", "boolean", "Run with the faster model, quantized to fp8.", default=False),
    MEGAPIXELS,
    Parameter("replicate_weights", "string", "LoRA weights to load in place of the version's own."),
    Parameter("lora_scale", "number", "How strongly the weights apply.", default=1, minimum=-1, maximum=3),
    Parameter("extra_lora", "string", "A second LoRA: owner/name, a Hugging Face or Civitai page, a URL."),
    Parameter(
        "extra_lora_scale",
        "number",
        "How strongly the second LoRA applies.",
        default=1,
        minimum=-1,
        maximum=3,
    ),
)

FLUX_FINE_TUNE = Model(
    owner="",
    name="",
    description="",
    is_official=False,
    license_url="",
    github_url="",
    versions=(),
    parameters=PARAMETERS,
    pace=Pace(queue_s=0.2, setup_s=0.2, step_s=0.008),
    plan=plan_flux,
)
