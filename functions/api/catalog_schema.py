"""The request schema as the catalog narrows it: which models there are, and what each takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from revela.domain.catalog import Catalog, CatalogModel
from revela.domain.parameters import Parameter

Json = dict[str, Any]


def narrowed(schema: Json, catalog: Catalog) -> Json:
    """Return the schema of a request with the widest range of any model, each model's own told in words."""
    properties: Json = dict(schema["properties"])
    properties["model"] = {**properties["model"], "enum": [model.id for model in catalog.models]}
    taken = dict.fromkeys(name for model in catalog.models for name in model.parameters)
    for name in taken:
        by_model = {m.id: m.parameters[name] for m in catalog.models if name in m.parameters}
        properties[name] = _property(properties[name]["description"], by_model, catalog)
    ratios = dict.fromkeys(ratio for model in catalog.models for ratio in model.sizes.ratios)
    properties["aspect_ratio"] = {
        "description": properties["aspect_ratio"]["description"],
        "type": ["string", "null"],
        "enum": [*ratios, None],
    }
    for side, index in (("width", 0), ("height", 1)):
        sides = [pixels for model in catalog.models for pixels in _sides(model, index)]
        properties[side] = {
            "description": f"{properties[side]['description']} {_sizes_in_words(catalog)}",
            "type": ["integer", "null"],
            "minimum": min(sides),
            "maximum": max(sides),
        }
    required = [
        n for n in taken if all(n in m.parameters and m.parameters[n].required for m in catalog.models)
    ]
    return {**schema, "properties": properties, "required": ["model", *required]}


def _property(description: str, by_model: dict[str, Parameter], catalog: Catalog) -> Json:
    parameters = list(by_model.values())
    # Null is the same as absent, except for what a model cannot do without.
    optional = not all(p.required for p in parameters)
    kind = parameters[0].type
    described: Json = {
        "description": f"{description} {_in_words(by_model, catalog)}",
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
    allowed = dict.fromkeys(option for p in parameters for option in p.enum)
    if allowed:
        described["enum"] = [*allowed, None] if optional else list(allowed)
    return described


def _in_words(by_model: dict[str, Parameter], catalog: Catalog) -> str:
    takes = {model: _takes(parameter) for model, parameter in by_model.items()}
    if len(takes) == len(catalog.models) and len(set(takes.values())) == 1:
        return f"{takes.popitem()[1].capitalize()}."
    return "; ".join(f"{model}: {words}" for model, words in takes.items()) + "."


def _takes(parameter: Parameter) -> str:
    if parameter.type == "string":
        takes = ", ".join(parameter.enum) or f"at most {parameter.max_length} characters"
    else:
        takes = f"{parameter.minimum} to {parameter.maximum}"
    return takes if parameter.default is None else f"{takes} (default {parameter.default})"


def _sides(model: CatalogModel, index: int) -> Iterator[int]:
    yield from (pixels[index] for pixels in model.sizes.ratios.values())
    if model.sizes.minimum is not None and model.sizes.maximum is not None:
        yield from (model.sizes.minimum, model.sizes.maximum)


def _sizes_in_words(catalog: Catalog) -> str:
    return " ".join(
        f"{model.id}: multiples of {model.sizes.step} from {model.sizes.minimum} to {model.sizes.maximum}."
        if model.sizes.by == "pixels"
        else f"{model.id}: the sizes of its aspect ratios."
        for model in catalog.models
    )
