"""What belongs to an account of the stand-in: models, deployments, files; and what everybody finds."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from local.replicate import uploads
from local.replicate.routes import files as files_routes
from revela.adapters.replicate.files import download_url
from tests.contract.replicate_stand_in import ORIGIN, InProcess

pytestmark = pytest.mark.anyio

SCHNELL = "black-forest-labs/flux-schnell"
SDXL = "stability-ai/sdxl"
SDXL_VERSION = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
MODEL = {"owner": "acme", "name": "faces", "visibility": "private", "hardware": "gpu-t4"}
DEPLOYMENT = {
    "name": "fast",
    "model": SDXL,
    "version": SDXL_VERSION,
    "hardware": "gpu-l40s",
    "min_instances": 0,
    "max_instances": 2,
}


async def ask(replicate: InProcess, method: str, path: str, status: int = 200, **request: Any) -> Any:
    reply = await replicate.api.request(method, path, **request)
    assert reply.status_code == status, reply.text
    is_json = reply.content and "json" in reply.headers["content-type"]
    return reply.json() if is_json else reply.text


async def test_a_model_is_created_changed_and_deleted(replicate: InProcess) -> None:
    created = await ask(replicate, "POST", "/v1/models", 201, json=MODEL | {"description": "faces"})
    changed = await ask(
        replicate, "PATCH", "/v1/models/acme/faces", json={"readme": "# A", "description": "x"}
    )

    assert (created["visibility"], created["latest_version"], created["run_count"]) == ("private", None, 0)
    assert changed["description"] == "x"
    assert await ask(replicate, "GET", "/v1/models/acme/faces/readme") == "# A"
    await ask(replicate, "DELETE", "/v1/models/acme/faces", 204)
    await ask(replicate, "GET", "/v1/models/acme/faces", 404)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"owner": "somebody"}, 403),
        ({"hardware": "gpu-9000"}, 422),
        ({"visibility": "secret"}, 422),
        ({"name": "A b"}, 422),
        ({"name": 7}, 422),
        ({"description": None}, 422),
    ],
)
async def test_a_model_that_cannot_be_is_refused(
    replicate: InProcess, change: dict[str, Any], status: int
) -> None:
    await ask(replicate, "POST", "/v1/models", status, json=MODEL | change)
    await ask(replicate, "GET", "/v1/models/acme/faces", 404)


async def test_a_name_is_taken_once_and_others_models_are_theirs(replicate: InProcess) -> None:
    await ask(replicate, "POST", "/v1/models", 201, json=MODEL)

    await ask(replicate, "POST", "/v1/models", 422, json=MODEL)
    await ask(replicate, "POST", "/v1/models", 422, json=[])
    await ask(replicate, "PATCH", f"/v1/models/{SDXL}", 403, json={"description": "mine"})
    await ask(replicate, "DELETE", f"/v1/models/{SDXL}", 403)
    await ask(replicate, "DELETE", f"/v1/models/{SDXL}/versions/{SDXL_VERSION}", 403)
    await ask(replicate, "GET", "/v1/models/acme/faces/readme", 404)


async def test_an_account_has_a_thousand_models_at_most(replicate: InProcess) -> None:
    replicate.stand_in.others._level = 10_000
    for number in range(1_000):
        await ask(replicate, "POST", "/v1/models", 201, json=MODEL | {"name": f"m{number}"})

    await ask(replicate, "POST", "/v1/models", 422, json=MODEL)


async def test_models_are_listed_in_the_order_asked_for(replicate: InProcess) -> None:
    await ask(replicate, "POST", "/v1/models", 201, json=MODEL)

    async def names(**query: str) -> list[str]:
        page = await ask(replicate, "GET", "/v1/models", params=query)
        return [row["name"] for row in page["results"]]

    assert (await names(sort_by="model_created_at"))[0] == "faces"
    assert (await names(sort_by="model_created_at", sort_direction="asc"))[0] == "sdxl"
    assert (await names())[-1] == "faces", "it has no version yet"
    await ask(replicate, "GET", "/v1/models", 422, params={"sort_by": "fame"})


async def test_search_finds_public_models_collections_and_pages(replicate: InProcess) -> None:
    await ask(replicate, "POST", "/v1/models", 201, json=MODEL | {"description": "flux"})
    found = await ask(replicate, "GET", "/v1/search", params={"query": "flux", "limit": "2"})
    older = await ask(
        replicate, "QUERY", "/v1/models", content="sdxl", headers={"content-type": "text/plain"}
    )

    assert len(found["models"]) == 2
    assert found["models"][0]["metadata"]["score"] >= found["models"][1]["metadata"]["score"]
    assert [c["slug"] for c in found["collections"]] == ["flux"]
    assert found["pages"][0]["href"].startswith("/docs/")
    assert [row["name"] for row in older["results"]] == ["sdxl"]
    assert (await ask(replicate, "GET", "/v1/search", 400))["detail"] == 'Query parameter "query" is required'
    await ask(replicate, "GET", "/v1/search", 422, params={"query": "flux", "limit": "51"})


async def test_collections_hold_whole_models(replicate: InProcess) -> None:
    page = await ask(replicate, "GET", "/v1/collections")
    for row in page["results"]:
        assert (await ask(replicate, "GET", f"/v1/collections/{row['slug']}"))["models"]
    await ask(replicate, "GET", "/v1/collections/nothing", 404)


async def test_an_example_is_a_prediction_whose_image_is_there(replicate: InProcess) -> None:
    (example,) = (await ask(replicate, "GET", f"/v1/models/{SCHNELL}/examples"))["results"]
    again = (await ask(replicate, "GET", f"/v1/models/{SCHNELL}/examples"))["results"]

    assert (example["status"], again) == ("succeeded", [example])
    assert (await replicate.api.get(example["output"][0])).headers["content-type"] == "image/webp"
    assert (await ask(replicate, "GET", "/v1/models/ostris/flux-dev-lora-trainer/examples"))["results"] == []


async def test_a_deployment_is_created_released_anew_and_deleted(replicate: InProcess) -> None:
    created = await ask(replicate, "POST", "/v1/deployments", json=DEPLOYMENT)
    changed = await ask(replicate, "PATCH", "/v1/deployments/acme/fast", json={"min_instances": 1})
    release = changed["current_release"]

    assert (created["current_release"]["number"], release["number"]) == (1, 2)
    assert release["configuration"] == {"hardware": "gpu-l40s", "min_instances": 1, "max_instances": 2}
    assert (await ask(replicate, "GET", "/v1/deployments"))["results"] == [changed]
    await ask(replicate, "DELETE", "/v1/deployments/acme/fast", 422)
    await ask(replicate, "PATCH", "/v1/deployments/acme/fast", json={"min_instances": 0})
    await ask(replicate, "DELETE", "/v1/deployments/acme/fast", 204)
    await ask(replicate, "GET", "/v1/deployments/acme/fast", 404)


async def test_a_prediction_with_a_deployment_names_it_and_keeps_it_for_a_while(replicate: InProcess) -> None:
    await ask(replicate, "POST", "/v1/deployments", json=DEPLOYMENT)
    path = "/v1/deployments/acme/fast/predictions"
    created = await ask(replicate, "POST", path, 201, json={"input": {"prompt": "a fox"}})
    await replicate.pass_time(60)
    done = await replicate.get(created)

    assert (done["status"], done["deployment"], done["model"]) == ("succeeded", "acme/fast", SDXL)
    assert done["version"].startswith("dp-")
    await ask(replicate, "POST", path, 422, json={"input": {}, "version": SDXL_VERSION})
    await ask(replicate, "DELETE", "/v1/deployments/acme/fast", 422)
    await replicate.pass_time(15 * 60)
    await ask(replicate, "DELETE", "/v1/deployments/acme/fast", 204)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "0" * 64},
        {"model": "nobody/nothing"},
        {"model": "sdxl"},
        {"hardware": "gpu-9000"},
        {"min_instances": 6},
        {"max_instances": 21},
        {"max_instances": "2"},
        {"name": "two words"},
    ],
)
async def test_a_deployment_that_cannot_be_is_refused(replicate: InProcess, change: dict[str, Any]) -> None:
    await ask(replicate, "POST", "/v1/deployments", 422, json=DEPLOYMENT | change)
    await ask(replicate, "POST", "/v1/deployments", json=DEPLOYMENT)
    await ask(replicate, "POST", "/v1/deployments", 422, json=DEPLOYMENT)


async def upload(replicate: InProcess, content: bytes = b"photos", **form: Any) -> Any:
    files = {"content": ("photos.zip", content, "application/zip")}
    return await ask(replicate, "POST", "/v1/files", 201, files=files, data=form)


async def test_a_file_is_uploaded_listed_and_deleted(replicate: InProcess) -> None:
    created = await upload(replicate, metadata='{"training": "trn_1-1"}')
    path = f"/v1/files/{created['id']}"

    assert (created["size"], created["content_type"], created["name"]) == (6, "application/zip", "photos.zip")
    assert created["metadata"] == {"training": "trn_1-1"}
    assert len(created["checksums"]["sha256"]) == 64
    assert created["urls"]["get"] == f"{ORIGIN}{path}"
    assert (created["created_at"][:10], created["expires_at"][:10]) == ("2030-03-17", "2030-03-18")
    assert await ask(replicate, "GET", path) == created
    assert (await ask(replicate, "GET", "/v1/files"))["results"] == [created]
    await ask(replicate, "DELETE", path, 204)
    await ask(replicate, "DELETE", path, 404)
    assert (await ask(replicate, "GET", path, 404))["detail"] == "File not found"


async def test_fields_of_the_form_win_over_what_the_file_says(replicate: InProcess) -> None:
    created = await upload(replicate, filename="b.bin", type="application/octet-stream")

    assert (created["name"], created["content_type"]) == ("b.bin", "application/octet-stream")


async def test_a_file_is_gone_after_a_day(replicate: InProcess) -> None:
    created = await upload(replicate)
    await replicate.pass_time(24 * 3600 - 1)
    await ask(replicate, "GET", f"/v1/files/{created['id']}")

    await replicate.pass_time(2)

    await ask(replicate, "GET", f"/v1/files/{created['id']}", 404)


async def test_a_file_of_the_limit_is_too_large(
    replicate: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert uploads.LIMIT_BYTES == 100_000_000
    monkeypatch.setattr(files_routes, "LIMIT_BYTES", 1_000)
    await upload(replicate, b"x" * 999)

    for size in (1_000, 200_000):
        reply = await replicate.api.post("/v1/files", files={"content": ("a", b"x" * size)})
        assert (reply.status_code, reply.json()["detail"]) == (413, "Files must be less than 100MB in size")


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"content": "x"}},
        {"files": {"file": ("a.zip", b"x")}},
        {"files": {"content": ("a" * 256, b"x")}},
        {"files": {"content": ("a.zip", b"x")}, "data": {"metadata": "[]"}},
        {"files": {"content": ("a.zip", b"x")}, "data": {"metadata": "{"}},
        {"content": b"--b\r\ncut", "headers": {"content-type": "multipart/form-data; boundary=b"}},
        {"content": b"--b\r\n\r\nx\r\n--b--", "headers": {"content-type": "multipart/form-data; boundary=b"}},
    ],
)
async def test_an_upload_that_cannot_be_read_is_refused(replicate: InProcess, request_: Any) -> None:
    await ask(replicate, "POST", "/v1/files", 422, **request_)
    assert (await ask(replicate, "GET", "/v1/files"))["results"] == []


async def test_an_uploaded_file_is_an_input(replicate: InProcess) -> None:
    done = await replicate.finished(SCHNELL, {"prompt": "a fox", "output_format": "png"})
    png = (await replicate.api.get(done["output"][0])).content
    created = await upload(replicate, png)
    given = {"prompt": "a fox", "image": created["urls"]["get"]}

    assert (await replicate.finished("black-forest-labs/flux-dev", given))["status"] == "succeeded"
    await ask(replicate, "DELETE", f"/v1/files/{created['id']}", 204)
    assert (await replicate.finished("black-forest-labs/flux-dev", given))["status"] == "failed"


async def test_a_download_needs_a_good_signature_and_no_token(replicate: InProcess) -> None:
    created = await upload(replicate)
    del replicate.api.headers["authorization"]

    def url(**changed: Any) -> httpx.URL:
        next_year = replicate.stand_in.clock.now().replace(year=2031)
        given: dict[str, Any] = {"owner": "acme", "expires_at": next_year} | changed
        signed = download_url(f"{ORIGIN}/v1", created["id"], signing_secret="files_stand_in", **given)
        return httpx.URL(signed)

    good = url()
    bad = [
        good.copy_set_param("expiry", "1"),
        good.copy_set_param("expiry", "soon"),
        good.copy_set_param("signature", "AAAA"),
        url(owner="somebody"),
    ]

    assert await ask(replicate, "GET", str(good)) == "photos"
    for wrong in bad:
        await ask(replicate, "GET", str(wrong), 404)
    await ask(replicate, "GET", "/v1/files", 401)
    await replicate.pass_time(2 * 365 * 86_400)
    await ask(replicate, "GET", str(good), 404)


async def test_a_reset_takes_all_of_the_account(replicate: InProcess) -> None:
    await ask(replicate, "POST", "/v1/models", 201, json=MODEL)
    await ask(replicate, "POST", "/v1/deployments", json=DEPLOYMENT)
    created = await upload(replicate)
    shown = await replicate.order(reset=True)

    for path in ("/v1/models/acme/faces", "/v1/deployments/acme/fast", f"/v1/files/{created['id']}"):
        await ask(replicate, "GET", path, 404)
    assert json.dumps(shown["counters"]).count("0") >= 8
