"""meta/llama-guard-3-8b and falcons-ai/nsfw_image_detection: judges of a text and of an image.

What they go by here are marks that are agreed on: any other text is safe, any other image normal.
"""

import re
from collections.abc import Mapping

from local.replicate.drawing import flag
from local.replicate.drawing.source import open_image
from local.replicate.models.model import Input, Model, Pace, Parameter, Run, RunFailed, Version

SEXUAL_CONTENT = "S12"  # of the hazard taxonomy, S1 to S14; what a mark without codes stands for

_CODE = r"S(?:1[0-4]|[1-9])\b"
_UNSAFE = re.compile(rf"#unsafe\b(?::({_CODE}(?:,{_CODE})*))?")

_PACE = Pace(queue_s=0.05, setup_s=0.05, step_s=0.05, upload_s=0.0)


def plan_text_judge(model: Model, given: Input, _seed: int, _files: Mapping[str, bytes]) -> Run:
    values = model.complete(given)
    found = _UNSAFE.findall(f"{values['prompt']}\n{values['assistant'] or ''}")
    codes = dict.fromkeys(code for codes in found for code in (codes or SEXUAL_CONTENT).split(","))
    return Run(steps=1, text=f"unsafe\n{','.join(codes)}" if codes else "safe")


def plan_image_judge(_model: Model, _given: Input, _seed: int, files: Mapping[str, bytes]) -> Run:
    try:
        image = open_image(files["image"])
    except ValueError as error:
        raise RunFailed(str(error)) from error
    return Run(steps=1, text="nsfw" if flag.is_on(image) else "normal")


LLAMA_GUARD = Model(
    owner="meta",
    name="llama-guard-3-8b",
    description="A Llama-3.1-8B pretrained model, fine-tuned for content safety classification",
    is_official=False,
    license_url="https://github.com/meta-llama/llama-models/blob/main/models/llama3_1/LICENSE",
    github_url="https://github.com/meta-llama/PurpleLlama",
    versions=(
        Version(
            "146d1220d447cdcc639bc17c5f6137416042abee6ae153a2615e6ef5749205c8",
            "2024-12-20T12:00:00.000Z",
            "0.13.6",
        ),
    ),
    parameters=(
        Parameter("prompt", "string", "What the user said.", required=True),
        Parameter("assistant", "string", "What was answered, to be judged as well."),
    ),
    pace=_PACE,
    plan=plan_text_judge,
    output="text",
    tags=("text-classification", "moderation"),
    readme="# Llama Guard 3\n\nSays whether a text is safe, and which hazards it has where it is not.\n",
)

NSFW_IMAGE_DETECTION = Model(
    owner="falcons-ai",
    name="nsfw_image_detection",
    description="Fine-Tuned Vision Transformer (ViT) for NSFW Image Classification",
    is_official=False,
    license_url="https://huggingface.co/models?license=license:apache-2.0",
    github_url="https://github.com/lucataco/cog-nsfw_image_detection",
    versions=(
        Version(
            "97116600cabd3037e5f22ca08ffcc33b92cfacebf7ccd3609e9c1d29e43d3a8d",
            "2023-11-21T14:53:34.798Z",
            "0.8.6",
        ),
    ),
    parameters=(Parameter("image", "string", "The image to classify.", required=True, is_file=True),),
    pace=_PACE,
    plan=plan_image_judge,
    output="text",
    tags=("image-classification", "moderation"),
    readme="# NSFW image detection\n\nSays whether an image is normal or nsfw.\n",
)
