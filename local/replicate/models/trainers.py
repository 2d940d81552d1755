"""ostris/flux-dev-lora-trainer and replicate/fast-flux-trainer: models that make FLUX fine-tunes."""

from local.replicate.models.fine_tune import FLUX_FINE_TUNE, PARAMETERS
from local.replicate.models.flux import plan_flux
from local.replicate.models.model import Model, Pace, Parameter, Trainer, Version
from local.replicate.training_logs import FluxLogs

IMAGES = Parameter(
    "input_images", "string", "A zip of images; ten or more are recommended.", required=True, is_file=True
)
TRIGGER_WORD = Parameter("trigger_word", "string", "The word that calls up what was learned.", default="TOK")


def _steps(name: str, default: int) -> Parameter:
    return Parameter(name, "integer", "Number of training steps.", default=default, minimum=3, maximum=6000)


OSTRIS = Model(
    owner="ostris",
    name="flux-dev-lora-trainer",
    description="Fine-tunes FLUX.1-dev using ai-toolkit",
    is_official=False,
    license_url="https://github.com/black-forest-labs/flux/blob/main/model_licenses/LICENSE-FLUX1-dev",
    github_url="https://github.com/replicate/flux-fine-tuner",
    versions=(
        Version(
            "b6af14222e6bd9be257cbc1ea4afda3cd0503e1133083b9d1de0364d8568e6ef",
            "2025-06-04T12:00:00.000Z",
            "0.14.0",
        ),
    ),
    parameters=PARAMETERS,
    pace=Pace(queue_s=0.3, setup_s=0.3, step_s=0.008),
    plan=plan_flux,
    tags=("training", "flux"),
    readme="# FLUX LoRA trainer\n\nMakes a version of your own model from a zip of images.\n",
    trainer=Trainer(
        parameters=(
            IMAGES,
            TRIGGER_WORD,
            Parameter("autocaption", "boolean", "Describe the images by a model.", default=True),
            Parameter("autocaption_prefix", "string", "Text before each generated caption."),
            Parameter("autocaption_suffix", "string", "Text after each generated caption."),
            _steps("steps", 1000),
            Parameter("learning_rate", "number", "Learning rate.", default=0.0004),
            Parameter("batch_size", "integer", "Images in one step.", default=1),
            Parameter("resolution", "string", "Sides to train at.", default="512,768,1024"),
            Parameter("lora_rank", "integer", "Rank of the LoRA.", default=16, minimum=1, maximum=128),
            Parameter(
                "caption_dropout_rate",
                "number",
                "How often a caption is left out.",
                default=0.05,
                minimum=0,
                maximum=1,
            ),
            Parameter(
                "optimizer",
                "string",
                "The optimizer.",
                default="adamw8bit",
                choices=(
                    "prodigy",
                    "adam8bit",
                    "adamw8bit",
                    "lion8bit",
                    "adam",
                    "adamw",
                    "lion",
                    "adagrad",
                    "adafactor",
                ),
            ),
            Parameter("cache_latents_to_disk", "boolean", "For many images.", default=False),
            Parameter("layers_to_optimize_regex", "string", "Which layers are trained; all by default."),
            Parameter("gradient_checkpointing", "boolean", "Less memory, more time.", default=False),
            Parameter("hf_repo_id", "string", "A public Hugging Face repository to upload to."),
            Parameter("hf_token", "string", "The token for it."),
        ),
        steps="steps",
        trigger="trigger_word",
        trained=FLUX_FINE_TUNE,
        logs=FluxLogs(),
    ),
)

FAST_FLUX = Model(
    owner="replicate",
    name="fast-flux-trainer",
    description="Train subjects or styles faster than ever",
    is_official=True,
    license_url="https://github.com/black-forest-labs/flux/blob/main/model_licenses/LICENSE-FLUX1-dev",
    github_url="https://github.com/replicate/flux-fine-tuner",
    versions=(
        Version(
            "8b10794665aed907bb98a1a5324cd1d3a8bea0e9b31e65210967fb9c9e2e08ed",
            "2025-06-16T12:00:00.000Z",
            "0.14.0",
        ),
        Version(
            "f463fbfc97389e10a2f443a8a84b6953b1058eafbf0c9af4d84457ff07cb04db",
            "2025-05-05T12:00:00.000Z",
            "0.14.0",
        ),
    ),
    parameters=PARAMETERS,
    pace=Pace(queue_s=0.2, setup_s=0.2, step_s=0.008),
    plan=plan_flux,
    tags=("training", "flux"),
    readme="# Fast FLUX trainer\n\nA subject or a style in about two minutes.\n",
    trainer=Trainer(
        # What sources agree on; whether it is `steps` or `training_steps` they do not.
        parameters=(
            IMAGES,
            TRIGGER_WORD,
            Parameter(
                "lora_type", "string", "What is learned.", default="subject", choices=("subject", "style")
            ),
            _steps("training_steps", 1000),
            Parameter("seed", "integer", "Random seed."),
        ),
        steps="training_steps",
        trigger="trigger_word",
        trained=FLUX_FINE_TUNE,
        logs=FluxLogs(),
        step_s=0.002,
    ),
)
