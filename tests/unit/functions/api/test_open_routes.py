"""Catalog, health and the OpenAPI document: open to all, and cacheable where they are large."""

from __future__ import annotations

import json

import pytest

import revela
from tests.unit.functions.api.client import DOCUMENT, ApiPorts, Client


def test_the_catalog_tells_what_each_model_takes_and_costs(api: Client) -> None:
    answer = api.get("/v1/catalog", user=None)

    flux, _, sdxl = answer.json["models"]
    assert (flux["id"], flux["credits_per_image"], flux["reproducible"]) == ("flux-dev", 3, True)
    assert flux["licence"]["note"].startswith("The weights are non-commercial")
    assert flux["parameters"]["num_inference_steps"] == {
        "type": "integer",
        "required": False,
        "default": 28,
        "minimum": 20,
        "maximum": 50,
        "allowed": None,
        "min_length": None,
        "max_length": None,
    }
    assert flux["parameters"]["format"]["allowed"] == ["webp", "jpg", "png"]
    assert flux["parameters"]["prompt"]["required"] is True
    assert flux["sizes"]["aspect_ratios"]["16:9"] == {"width": 1344, "height": 768}
    assert flux["sizes"]["pixels"] is None
    assert sdxl["sizes"]["pixels"] == {"minimum": 512, "maximum": 1536, "step": 8}
    assert sdxl["sizes"]["default"] == {"width": 1024, "height": 1024}


def test_the_catalog_is_whole_but_for_our_own_costs_and_plans(api: Client, ports: ApiPorts) -> None:
    answer = api.get("/v1/catalog", user=None)

    assert [model["id"] for model in answer.json["models"]] == [model.id for model in ports.catalog.models]
    for model in ports.catalog.models:
        shown = next(m for m in answer.json["models"] if m["id"] == model.id)
        assert shown["parameters"].keys() == model.parameters.keys()
    assert [plan["id"] for plan in answer.json["plans"]] == ["free", "essential", "pro", "studio"]
    assert "usd" not in answer.text


def test_the_catalog_speaks_the_language_asked_for(api: Client) -> None:
    answer = api.get("/v1/catalog", user=None, headers={"Accept-Language": "pt-PT"})

    assert answer.json["models"][1]["description"] == "Rascunhos em cerca de um segundo."
    assert answer.headers["Content-Language"] == "pt-BR"
    assert answer.headers["Vary"] == "Accept-Language"


def test_each_language_of_the_catalog_has_a_tag_of_its_own(api: Client) -> None:
    english, portuguese = (
        api.get("/v1/catalog", headers={"Accept-Language": language}).headers["ETag"]
        for language in ("en", "pt")
    )

    assert english != portuguese


@pytest.mark.parametrize("path", ["/v1/catalog", "/v1/openapi.json"])
def test_what_rarely_changes_may_be_kept_and_is_not_sent_twice(path: str, api: Client) -> None:
    first = api.get(path, user=None)
    again = api.get(path, user=None, headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", first.headers["ETag"])


def test_health_tells_the_version_and_touches_nothing(api: Client, ports: ApiPorts) -> None:
    answer = api.get("/v1/health", user=None)

    assert answer.json == {"status": "ok", "version": revela.__version__}
    assert answer.headers["Cache-Control"] == "no-store"
    assert ports.calls.names == []


def test_the_document_that_is_served_is_the_one_in_docs(api: Client) -> None:
    assert json.loads(api.get("/v1/openapi.json", user=None).text) == DOCUMENT
