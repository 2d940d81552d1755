from __future__ import annotations

import json
import re
from itertools import chain

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from api import examples, operations
from api.app import app
from api.openapi import document
from revela.domain import messages
from revela.domain.errors import InvalidRequest
from tests.fakes import load_catalog
from tests.unit.functions.api.client import DOCUMENT


def test_the_document_in_docs_is_what_the_code_says() -> None:
    """`make docs` writes it anew."""
    assert document(load_catalog()) == DOCUMENT


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_route_is_documented_and_every_documented_operation_is_a_route() -> None:
    def nameless(path: str) -> str:
        return re.sub(r"[{<]\w+[}>]", "{}", path)

    routes = {(r.method.lower(), nameless(r.path)) for r in chain(app._static_routes, app._dynamic_routes)}
    documented = {
        (method, nameless(path)) for path, methods in DOCUMENT["paths"].items() for method in methods
    }

    assert routes == documented


def test_every_error_code_is_documented_with_a_status_that_has_a_title() -> None:
    assert set(operations.STATUS_OF) == set(messages.ERRORS)
    assert set(operations.STATUS_OF.values()) == set(messages.TITLES)


def test_every_example_is_what_its_schema_takes() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            contents = [operation.get("requestBody", {}), *operation["responses"].values()]
            for media in chain.from_iterable(content.get("content", {}).values() for content in contents):
                schema = {**media["schema"], "components": DOCUMENT["components"]}
                named = [example.get("value") for example in media.get("examples", {}).values()]
                for example in filter(None, [media.get("example"), *named]):
                    assert OAS31Validator(schema).is_valid(example), (method, path)


@pytest.mark.parametrize("name", examples.REQUESTS)
def test_the_examples_of_requests_would_be_accepted(name: str) -> None:
    request = examples.REQUESTS[name].model_dump(exclude_none=True)
    model = load_catalog().model(request.pop("model"))

    assert model.complete(request, max_outputs=4)["prompt"] == request["prompt"]


def test_all_but_the_open_operations_ask_for_a_token() -> None:
    assert DOCUMENT["security"] == [{"bearer": []}]
    open_paths = {
        path
        for path, methods in DOCUMENT["paths"].items()
        for operation in methods.values()
        if operation.get("security") == []
    }

    assert open_paths == {"/v1/catalog", "/v1/health", "/v1/openapi.json"}


def test_the_request_schema_refuses_nothing_that_the_catalog_takes() -> None:
    schema = OAS31Validator(DOCUMENT["components"]["schemas"]["GenerationRequest"])
    for model in load_catalog().models:
        whole = {"model": model.id, "prompt": "x"}
        assert schema.is_valid(whole)
        for ratio, (width, height) in model.sizes.ratios.items():
            assert schema.is_valid({**whole, "aspect_ratio": ratio})
            assert schema.is_valid({**whole, "width": width, "height": height})
        for name, parameter in model.parameters.items():
            for value in (parameter.minimum, parameter.maximum, parameter.default, *parameter.enum):
                if value is not None:
                    assert schema.is_valid({**whole, name: value}), (model.id, name, value)


@pytest.mark.parametrize("name", ["num_inference_steps", "guidance_scale", "num_outputs", "seed", "quality"])
def test_what_no_model_takes_is_outside_the_request_schema(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"]["GenerationRequest"]
    bounds = schema["properties"][name]
    for value in (bounds["minimum"] - 1, bounds["maximum"] + 1):
        assert not OAS31Validator(schema).is_valid({"model": "sdxl", "prompt": "x", name: value})
        for model in load_catalog().models:
            with pytest.raises(InvalidRequest):
                model.complete({"prompt": "x", name: value}, max_outputs=4)


def test_a_generation_shows_every_parameter_of_every_model() -> None:
    shown = json.loads(json.dumps(DOCUMENT["components"]["schemas"]["GenerationParams"]["properties"]))

    for model in load_catalog().models:
        assert set(model.parameters) <= set(shown)
