"""The models that the stand-in runs. One module per family; adding a model is adding it to `MODELS`."""

from local.replicate.models.flux import FLUX_DEV, FLUX_SCHNELL
from local.replicate.models.judges import LLAMA_GUARD, NSFW_IMAGE_DETECTION
from local.replicate.models.model import Model
from local.replicate.models.sdxl import SDXL
from local.replicate.models.trainers import FAST_FLUX, OSTRIS

MODELS: tuple[Model, ...] = (
    FLUX_DEV,
    FLUX_SCHNELL,
    SDXL,
    OSTRIS,
    FAST_FLUX,
    LLAMA_GUARD,
    NSFW_IMAGE_DETECTION,
)
