"""Request schemas as the catalog narrows them: which models and trainers there are, and what each takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api.requests import MODEL_ID
from revela.domain.catalog import Catalog
from revela.domain.image_model import ImageModel
from revela.domain.parameters import Parameter

Json = dict[str, Any]


def narrowed_generation(schema: Json, catalog: Catalog) -> Json:
    """Return the schema of a request with the widest range of any model, each model's own told in words.

    What fine-tunes take counts, for images are made with own models too.
    """
    makers: list[ImageModel] = [*catalog.models, *catalog.fine_tunes]
    properties: Json = dict(schema["properties"])
    properties["model"] = {
        "description": properties["model"]["description"],
        "type": "string",
        "anyOf": [
            {"enum": [model.id for model in catalog.models]},
            {"pattern": f"^{MODEL_ID.pattern}$"},
        ],
    }
    taken = dict.fromkeys(name for maker in makers for name in maker.parameters)
    for name in taken:
        by_model = {m.id: m.parameters[name] for m in makers if name in m.parameters}
        properties[name] = _property(properties[name]["description"], by_model, len(makers))
    ratios = dict.fromkeys(ratio for maker in makers for ratio in maker.sizes.ratios)
    properties["aspect_ratio"] = {
        "description": properties["aspect_ratio"]["description"],
        "type": ["string", "null"],
        "enum": [*ratios, None],
    }
    for side, index in (("width", 0), ("height", 1)):
        sides = [pixels for maker in makers for pixels in _sides(maker, index)]
        properties[side] = {
            "description": f"{properties[side]['description']} {_sizes_in_words(makers)}",
            "type": ["integer", "null"],
            "minimum": min(sides),
            "maximum": max(sides),
        }
    required = [n for n in taken if all(n in m.parameters and m.parameters[n].required for m in makers)]
    return {**schema, "properties": properties, "required": ["model", *required]}


def narrowed_training(schema: Json, catalog: Catalog) -> Json:
    """Return the schema of a training's request, as `narrowed_generation` does."""
    trainers = catalog.trainers
    properties: Json = dict(schema["properties"])
    properties["trainer"] = {
        "description": properties["trainer"]["description"],
        "type": ["string", "null"],
        "enum": [*(trainer.id for trainer in trainers), None],
    }
    for name in dict.fromkeys(name for trainer in trainers for name in trainer.parameters):
        by_trainer = {t.id: t.parameters[name] for t in trainers if name in t.parameters}
        properties[name] = _property(properties[name]["description"], by_trainer, len(trainers))
    return {**schema, "properties": properties}


def _property(description: str, by_id: dict[str, Parameter], of: int) -> Json:
    parameters = list(by_id.values())
    # Null is the same as absent, except for what a model cannot do without.
    optional = not all(p.required for p in parameters)
    kind = parameters[0].type
    described: Json = {
        "description": f"{description} {_in_words(by_id, of)}",
        "type": [kind, "null"] if optional else kind,
    }
    bounds: dict[str, list[int | float | None]] = {
        "minimum": [p.minimum for p in parameters],
        "minLength": [p.min_length for p in parameters],
        "maximum": [p.maximum for p in parameters],
        "maxLength": [p.max_length for p in parameters],
    }
    for name, values in bounds.items():
        known = [value for value in values if value is not None]
        if len(known) == len(parameters):
            described[name] = min(known) if name.startswith("min") else max(known)
    allowed = dict.fromkeys(option for p in parameters for option in (*p.enum, *p.choices))
    if allowed:
        described["enum"] = [*allowed, None] if optional else list(allowed)
    return described


def _in_words(by_id: dict[str, Parameter], of: int) -> str:
    takes = {id_: _takes(parameter) for id_, parameter in by_id.items()}
    if len(takes) == of and len(set(takes.values())) == 1:
        return f"{takes.popitem()[1].capitalize()}."
    return "; ".join(f"{id_}: {words}" for id_, words in takes.items()) + "."


def _takes(parameter: Parameter) -> str:
    if options := (*parameter.enum, *map(str, parameter.choices)):
        takes = ", ".join(options)
    elif parameter.type == "string":
        takes = f"at most {parameter.max_length} characters"
    elif parameter.type == "boolean":
        takes = "true or false"
    else:
        takes = f"{parameter.minimum} to {parameter.maximum}"
    if parameter.default is None:
        return takes
    default = str(parameter.default).lower() if parameter.type == "boolean" else parameter.default
    return f"{takes} (default {default})"


def _sides(model: ImageModel, index: int) -> Iterator[int]:
    yield from (pixels[index] for pixels in model.sizes.ratios.values())
    if model.sizes.minimum is not None and model.sizes.maximum is not None:
        yield from (model.sizes.minimum, model.sizes.maximum)


def _sizes_in_words(makers: list[ImageModel]) -> str:
    return " ".join(
        f"{model.id}: multiples of {model.sizes.step} from {model.sizes.minimum} to {model.sizes.maximum}."
        if model.sizes.by == "pixels"
        else f"{model.id}: the sizes of its aspect ratios."
        for model in makers
    )
