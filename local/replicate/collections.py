"""Collections and documentation pages: what can be found beside models."""

from dataclasses import dataclass

from local.replicate.models.model import Json


@dataclass(frozen=True)
class Collection:
    slug: str
    name: str
    description: str
    models: tuple[str, ...]

    def to_json(self) -> Json:
        return {"slug": self.slug, "name": self.name, "description": self.description}


COLLECTIONS = (
    Collection(
        "text-to-image",
        "Generate images",
        "Models that make images from text prompts",
        ("black-forest-labs/flux-dev", "black-forest-labs/flux-schnell", "stability-ai/sdxl"),
    ),
    Collection(
        "flux",
        "FLUX family of models",
        "The FLUX family of text to image models from Black Forest Labs",
        ("black-forest-labs/flux-dev", "black-forest-labs/flux-schnell"),
    ),
    Collection(
        "ai-model-trainers",
        "Fine-tune image models",
        "Models that are trained on images of yours",
        ("replicate/fast-flux-trainer", "ostris/flux-dev-lora-trainer", "stability-ai/sdxl"),
    ),
    Collection(
        "detect-nsfw-content",
        "Detect NSFW content",
        "Models that tell whether images and texts are safe",
        ("falcons-ai/nsfw_image_detection", "meta/llama-guard-3-8b"),
    ),
)

PAGES = (
    ("Fine-tune an image model", "/docs/guides/fine-tune-an-image-model"),
    ("Receive webhooks", "/docs/topics/webhooks/receive-webhook"),
    ("Generate images with FLUX", "/docs/guides/run/flux"),
    ("Prediction lifecycle", "/docs/topics/predictions/lifecycle"),
)
