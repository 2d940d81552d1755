"""A model's inputs as the OpenAPI document that Cog writes and Replicate serves with each version."""

from typing import Any

from local.replicate.models.model import Json, Model, Parameter


def openapi_schema(model: Model) -> Json:
    """Enumerations are schemas of their own, referred to by `allOf`, as Cog has it."""
    parameters = model.parameters
    schemas: Json = {
        "Input": _object("Input", parameters),
        "Output": _OUTPUTS[model.output],
    }
    if model.trainer is not None:
        parameters += model.trainer.parameters
        schemas["TrainingInput"] = _object("TrainingInput", model.trainer.parameters)
        schemas["TrainingOutput"] = {
            "type": "object",
            "title": "TrainingOutput",
            "required": ["weights"],
            "properties": {"weights": {"type": "string", "format": "uri", "title": "Weights"}},
        }
    for parameter in parameters:
        if parameter.choices:
            schemas[parameter.name] = {
                "type": parameter.type,
                "title": parameter.name,
                "description": "An enumeration.",
                "enum": list(parameter.choices),
            }
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "components": {"schemas": schemas},
    }


_OUTPUTS: dict[str, Json] = {
    "images": {"type": "array", "items": {"type": "string", "format": "uri"}, "title": "Output"},
    "text": {"type": "string", "title": "Output"},
}


def _object(title: str, parameters: tuple[Parameter, ...]) -> Json:
    return {
        "type": "object",
        "title": title,
        "required": [p.name for p in parameters if p.required],
        "properties": {p.name: _property(p, order) for order, p in enumerate(parameters)},
    }


def _property(parameter: Parameter, order: int) -> Json:
    described: dict[str, Any] = {"description": parameter.description, "x-order": order}
    if parameter.default is not None:
        described["default"] = parameter.default
    if parameter.choices:
        return {"allOf": [{"$ref": f"#/components/schemas/{parameter.name}"}], **described}
    described |= {"type": parameter.type, "title": parameter.name.replace("_", " ").capitalize()}
    if parameter.is_file:
        described["format"] = "uri"
    if parameter.minimum is not None:
        described["minimum"] = parameter.minimum
    if parameter.maximum is not None:
        described["maximum"] = parameter.maximum
    return described
