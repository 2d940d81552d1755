"""A model's inputs as the OpenAPI document that Cog writes and Replicate serves with each version."""

from typing import Any

from local.replicate.models.model import Json, Model, Parameter


def openapi_schema(model: Model) -> Json:
    """Enumerations are schemas of their own, referred to by `allOf`, as Cog has it."""
    schemas: Json = {
        "Input": {
            "type": "object",
            "title": "Input",
            "required": [p.name for p in model.parameters if p.required],
            "properties": {p.name: _property(p, order) for order, p in enumerate(model.parameters)},
        },
        "Output": {"type": "array", "items": {"type": "string", "format": "uri"}, "title": "Output"},
    }
    for parameter in model.parameters:
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
