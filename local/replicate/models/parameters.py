"""Parameters that models of several families take alike."""

from local.replicate.models.model import Parameter

NUM_OUTPUTS = Parameter("num_outputs", "integer", "Number of images.", default=1, minimum=1, maximum=4)
PROMPT_STRENGTH = Parameter(
    "prompt_strength",
    "number",
    "How much of the given image is replaced; 1.0 replaces all of it.",
    default=0.8,
    minimum=0,
    maximum=1,
)
SAFETY = Parameter("disable_safety_checker", "boolean", "Do not check the images for safety.", default=False)
