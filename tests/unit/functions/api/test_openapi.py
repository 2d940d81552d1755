from __future__ import annotations

import json
import re
from itertools import chain

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from api import operations
from api.app import app
from api.examples.generations import REQUESTS
from api.examples.models import MODEL_ID
from api.examples.trainings import REQUESTS as TRAINING_REQUESTS
from api.openapi import document
from revela.domain import messages, training_messages
from revela.domain.errors import InvalidRequest
from revela.domain.judgement import HARM_CATEGORIES
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


@pytest.mark.parametrize("name", REQUESTS)
def test_the_examples_of_requests_would_be_accepted(name: str) -> None:
    request = REQUESTS[name].model_dump(exclude_none=True)
    model = load_catalog().model(request.pop("model"))

    assert model.complete(request, max_outputs=4)["prompt"] == request["prompt"]


@pytest.mark.parametrize("name", TRAINING_REQUESTS)
def test_the_examples_of_trainings_would_be_accepted(name: str) -> None:
    request = TRAINING_REQUESTS[name].model_dump(exclude_none=True)

    assert load_catalog().trainer(request.pop("trainer", None)).complete(request)["steps"]


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
    catalog = load_catalog()
    own = [(MODEL_ID, fine_tune) for fine_tune in catalog.fine_tunes]
    for id_, model in [*((model.id, model) for model in catalog.models), *own]:
        whole = {"model": id_, "prompt": "x"}
        assert schema.is_valid(whole)
        for ratio, (width, height) in model.sizes.ratios.items():
            assert schema.is_valid({**whole, "aspect_ratio": ratio})
            assert schema.is_valid({**whole, "width": width, "height": height})
        for name, parameter in model.parameters.items():
            for value in (parameter.minimum, parameter.maximum, parameter.default, *parameter.enum):
                if value is not None:
                    assert schema.is_valid({**whole, name: value}), (model.id, name, value)


def test_the_request_schema_of_trainings_refuses_nothing_that_a_trainer_takes() -> None:
    schema = OAS31Validator(DOCUMENT["components"]["schemas"]["TrainingRequest"])
    for trainer in load_catalog().trainers:
        assert schema.is_valid({"trainer": trainer.id})
        for name, parameter in trainer.parameters.items():
            for value in (parameter.minimum, parameter.maximum, parameter.default, *parameter.choices):
                if value is not None:
                    assert schema.is_valid({"trainer": trainer.id, name: value}), (trainer.id, name, value)


@pytest.mark.parametrize("name", ["steps", "learning_rate", "batch_size", "lora_rank"])
def test_what_no_trainer_takes_is_outside_the_request_schema(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"]["TrainingRequest"]
    bounds = schema["properties"][name]
    for value in (bounds["minimum"] / 2, bounds["maximum"] + 1):
        assert not OAS31Validator(schema).is_valid({name: value})


@pytest.mark.parametrize("model", ["flux", "mdl_", "mdl_1", MODEL_ID + "0", MODEL_ID.lower()])
def test_what_is_no_model_is_outside_the_request_schema(model: str) -> None:
    schema = OAS31Validator(DOCUMENT["components"]["schemas"]["GenerationRequest"])

    assert not schema.is_valid({"model": model, "prompt": "x"})


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

    catalog = load_catalog()
    for model in (*catalog.models, *catalog.fine_tunes):
        assert set(model.parameters) <= set(shown)


def test_a_training_shows_every_parameter_of_every_trainer() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    for trainer in load_catalog().trainers:
        assert set(trainer.parameters) <= set(schemas["TrainingParams"]["properties"])
        assert set(trainer.parameters) <= set(schemas["TrainingRequest"]["properties"])


def test_a_texts_code_is_one_of_those_that_are_documented() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    texts = {
        "Failure": messages.FAILURES,
        "TrainingFailure": training_messages.TRAINING_FAILURES,
        "PhotoRemark": messages.PHOTOS,
        "AdviceRemark": training_messages.TRAINING_ADVICE,
        "Said": messages.STEPS | messages.PHOTOS,
    }

    assert set(training_messages.TRAINING_REMEDIES) == set(training_messages.TRAINING_FAILURES)
    for name, catalog in texts.items():
        assert schemas[name]["properties"]["code"]["enum"] == list(catalog), name
    assert schemas["Blocked"]["properties"]["category"]["enum"] == list(HARM_CATEGORIES)
    assert set(messages.BLOCKS) == set(HARM_CATEGORIES)


def test_only_an_appeal_may_come_without_a_body() -> None:
    optional = [
        operation["operationId"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        if not operation.get("requestBody", {"required": True})["required"]
    ]

    assert optional == ["appealGeneration"]
