"""The models that the stand-in runs. One module per family; adding a model is adding it to `MODELS`."""

from local.replicate.models.flux import FLUX_DEV, FLUX_SCHNELL
from local.replicate.models.model import Model, Version
from local.replicate.models.sdxl import SDXL

MODELS: tuple[Model, ...] = (FLUX_DEV, FLUX_SCHNELL, SDXL)


def find_model(owner: str, name: str) -> Model | None:
    return next((m for m in MODELS if (m.owner, m.name) == (owner, name)), None)


def find_version(model: Model, version_id: str) -> Version | None:
    return next((v for v in model.versions if v.id == version_id), None)


def resolve_version(reference: str) -> tuple[Model, str] | None:
    """The model and the `version` that a prediction of it shows, or None where Replicate answers 422.

    `owner/name` is for official models only and shows `hidden`; `owner/name:<64 hex>` and `<64 hex>` name a
    version of any model.
    """
    path, colon, version_id = reference.partition(":")
    if "/" in path:
        owner, _, name = path.partition("/")
        model = find_model(owner, name)
        if model is None:
            return None
        if not colon:
            return (model, "hidden") if model.is_official else None
        return (model, version_id) if find_version(model, version_id) else None
    if colon:
        return None
    return next(((m, reference) for m in MODELS if find_version(m, reference)), None)
