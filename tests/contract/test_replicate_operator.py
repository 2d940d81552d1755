"""`python -m local replicate`: each verb over a stand-in of its own process; failures in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import replicate_operations, replicate_operator
from local.__main__ import main
from local.state import State, hold, write
from tests.contract.photo_zips import photo_zip
from tests.contract.replicate_openapi import DOCUMENT
from tests.contract.replicate_stand_in import ROOT, SECRET, TOKEN, server

SDXL = "stability-ai/sdxl:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
SCHNELL = "black-forest-labs/flux-schnell"

# Each operation of Replicate's document, and the verb that asks for it.
VERB_OF = {
    "account.get": ("account", "get"),
    "collections.get": ("collections", "get"),
    "collections.list": ("collections", "list"),
    "deployments.create": ("deployments", "create"),
    "deployments.delete": ("deployments", "delete"),
    "deployments.get": ("deployments", "get"),
    "deployments.list": ("deployments", "list"),
    "deployments.predictions.create": ("deployments", "predict"),
    "deployments.update": ("deployments", "update"),
    "files.create": ("files", "create"),
    "files.delete": ("files", "delete"),
    "files.download": ("files", "url"),
    "files.get": ("files", "get"),
    "files.list": ("files", "list"),
    "hardware.list": ("hardware", "list"),
    "models.create": ("models", "create"),
    "models.delete": ("models", "delete"),
    "models.examples.list": ("models", "examples"),
    "models.get": ("models", "get"),
    "models.list": ("models", "list"),
    # The same as `POST /predictions` with owner/name for a version.
    "models.predictions.create": ("predictions", "create"),
    "models.readme.get": ("models", "readme"),
    "models.search": ("models", "search"),
    "models.update": ("models", "update"),
    "models.versions.delete": ("versions", "delete"),
    "models.versions.get": ("versions", "get"),
    "models.versions.list": ("versions", "list"),
    "predictions.cancel": ("predictions", "cancel"),
    "predictions.create": ("predictions", "create"),
    "predictions.get": ("predictions", "get"),
    "predictions.list": ("predictions", "list"),
    "search": ("search", "list"),
    "trainings.cancel": ("trainings", "cancel"),
    "trainings.create": ("trainings", "create"),
    "trainings.get": ("trainings", "get"),
    "trainings.list": ("trainings", "list"),
    "webhooks.default.secret.get": ("webhook-secret", "get"),
}

Replicate = Callable[..., Any]


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with server("--time-scale", "20", "--files-secret", "s3cret") as origin:
        yield origin


@pytest.fixture
def replicate(origin: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Replicate:
    """Runs a command that succeeds, and returns what it printed: JSON, or text, or None."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    monkeypatch.setenv("REPLICATE_API_BASE_URL", f"{origin}/v1")
    monkeypatch.setenv("REPLICATE_FILES_SECRET", "s3cret")

    def run(*arguments: str) -> Any:
        status = main(["replicate", *arguments])
        printed = capsys.readouterr()
        assert status == 0, printed.err
        try:
            return json.loads(printed.out) if printed.out else None
        except ValueError:
            return printed.out

    return run


@pytest.fixture
def refused(replicate: Replicate, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that fails, and returns the one line it says why."""

    def run(*arguments: str) -> str:
        assert main(["replicate", *arguments]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        return printed.err

    return run


def test_every_operation_of_the_document_has_a_verb() -> None:
    paths = json.loads(DOCUMENT.read_text("utf-8"))["paths"]
    operations = {operation["operationId"] for path in paths.values() for operation in path.values()}

    assert operations == VERB_OF.keys()
    offered = {(thing, verb) for thing, verbs in replicate_operator.VERBS.items() for verb in verbs}
    assert offered == set(VERB_OF.values())
    assert offered == replicate_operations.OPERATIONS.keys() | {("files", "url")}


def test_a_prediction_from_its_creation_to_its_cancel(replicate: Replicate) -> None:
    created = replicate(
        *("predictions", "create", "--version", SCHNELL, "--input", '{"prompt": "a fox"}'),
        *("--cancel-after-s", "600"),
    )
    found = replicate("predictions", "get", created["id"])

    assert created["status"] == "starting"
    assert found["input"] == {"prompt": "a fox"}
    assert found["urls"]["get"].endswith(created["id"])
    assert replicate("predictions", "cancel", created["id"])["id"] == created["id"]
    assert created["id"] in [row["id"] for row in replicate("predictions", "list", "--limit", "1000")]
    assert replicate("predictions", "list", "--since", "2100-01-01") == []


def test_a_list_is_as_long_as_asked_for(replicate: Replicate) -> None:
    assert len(replicate("models", "list", "--limit", "2")) == 2
    first = replicate("models", "list", "--sort-by", "model_created_at", "--sort-direction", "asc")[0]
    assert first["name"] == "sdxl"
    assert "openapi_schema" not in first["latest_version"]


def test_a_model_is_trained_and_taken_away(replicate: Replicate, origin: str, tmp_path: Path) -> None:
    replicate("models", "create", "acme/faces", "--description", "Faces")
    readme = tmp_path / "README.md"
    readme.write_text("# Faces\n")
    replicate("models", "update", "acme/faces", "--readme", str(readme))
    assert replicate("models", "readme", "acme/faces") == "# Faces\n"
    zip_ = tmp_path / "photos.zip"
    zip_.write_bytes(photo_zip())
    uploaded = replicate("files", "create", str(zip_), "--metadata", '{"n": 1}')
    given = tmp_path / "input.json"
    given.write_text(json.dumps({"input_images": uploaded["urls"]["get"], "steps": 10}))
    (trainer,) = replicate("versions", "list", "ostris/flux-dev-lora-trainer")
    created = replicate(
        *("trainings", "create", "--trainer", f"ostris/flux-dev-lora-trainer:{trainer['id']}"),
        *("--destination", "acme/faces", "--input", f"@{given}"),
    )
    for _ in range(2):  # the zip is fetched in between
        httpx.post(f"{origin}/_control", json={"advance_s": 60}).raise_for_status()
    done = replicate("trainings", "get", created["id"])

    assert uploaded["content_type"] == "application/zip"
    assert done["status"] == "succeeded"
    assert [row["id"] for row in replicate("trainings", "list")] == [created["id"]]
    version = done["output"]["version"]
    assert replicate("versions", "get", version)["id"] == version.partition(":")[2]
    assert replicate("versions", "delete", version) is None
    httpx.post(f"{origin}/_control", json={"advance_s": 120}).raise_for_status()
    assert replicate("models", "delete", "acme/faces") is None
    assert replicate("trainings", "cancel", created["id"])["status"] == "succeeded"


def test_a_file_can_be_downloaded_by_whoever_has_its_url(replicate: Replicate, tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(b"hello")
    uploaded = replicate("files", "create", str(tmp_path / "notes"))
    url = replicate("files", "url", uploaded["id"], "--expires-in-s", "86400").strip()

    assert httpx.get(url).content == b"hello"
    assert replicate("files", "get", uploaded["id"]) in replicate("files", "list")
    assert replicate("files", "delete", uploaded["id"]) is None
    assert httpx.get(url).status_code == 404


def test_a_deployment_from_its_creation_to_its_end(replicate: Replicate, origin: str) -> None:
    made = replicate("deployments", "create", "fast", "--version", SDXL, "--hardware", "gpu-l40s")
    predicted = replicate("deployments", "predict", "acme/fast", "--input", "{}")
    changed = replicate("deployments", "update", "acme/fast", "--max-instances", "3")

    assert made["current_release"]["number"] == 1
    assert predicted["deployment"] == "acme/fast"
    assert changed["current_release"]["configuration"]["max_instances"] == 3
    assert replicate("deployments", "get", "acme/fast") == changed
    assert replicate("deployments", "list") == [changed]
    httpx.post(f"{origin}/_control", json={"advance_s": 1000}).raise_for_status()
    assert replicate("deployments", "delete", "acme/fast") is None


def test_what_everybody_can_read(replicate: Replicate) -> None:
    assert replicate("account", "get")["username"] == "acme"
    assert {"sku": "cpu", "name": "CPU"} in replicate("hardware", "list")
    assert replicate("collections", "list", "--limit", "1")[0]["slug"] == "text-to-image"
    assert replicate("collections", "get", "flux")["models"][0]["owner"] == "black-forest-labs"
    assert len(replicate("search", "list", "flux", "--limit", "1")["models"]) == 1
    assert [row["name"] for row in replicate("models", "search", "sdxl")] == ["sdxl"]
    assert replicate("models", "examples", SCHNELL)[0]["status"] == "succeeded"
    assert replicate("models", "get", SCHNELL)["latest_version"]["openapi_schema"]
    assert replicate("webhook-secret", "get") == {"key": SECRET}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("models", "get", "no/such"), "there is no such thing"),
        (("predictions", "get", "../account"), "there is no such thing"),
        (("predictions", "create", "--version", SCHNELL, "--input", "{}"), "refused: 422 - input: prompt is"),
        (("models", "delete", SCHNELL), "may not do this"),
        (("files", "create", "/no/such/file"), "cannot read /no/such/file: No such file"),
        (("models", "update", SCHNELL, "--readme", "/no/such/file"), "cannot read /no/such/file"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(
    refused: Callable[..., str], arguments: tuple[str, ...], said: str
) -> None:
    assert said in refused(*arguments)


def test_a_bad_token_is_told(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_wrong")
    line = refused("account", "get")

    assert "the API token is not accepted" in line
    assert "r8_wrong" not in line


def test_an_unreachable_server_is_told(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_API_BASE_URL", "http://127.0.0.1:1/v1")

    assert "http://127.0.0.1:1/v1: nothing was done" in refused(
        "predictions", "create", "--version", SCHNELL, "--input", "{}"
    )


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ({"throttle": {"count": 1, "retry_after": 7}}, "too many requests: try again in 7 s"),
        ({"answer_error": {"count": 1, "status": 502}}, "no usable answer came: look with `list`"),
        ({"drop_connection": {"count": 1}}, "no usable answer came: look with `list`"),
        ({"answer_error": {"count": 1, "status": 503}}, "nothing was done"),
    ],
)
def test_a_create_that_went_wrong_says_whether_it_was_done(
    refused: Callable[..., str], origin: str, orders: dict[str, Any], said: str
) -> None:
    httpx.post(f"{origin}/_control", json=orders).raise_for_status()
    assert said in refused("predictions", "create", "--version", SCHNELL, "--input", '{"prompt": "a fox"}')


def test_without_the_signing_secret_no_url_is_made(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPLICATE_FILES_SECRET")
    assert "REPLICATE_FILES_SECRET" in refused("files", "url", "f1")


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "get", "flux-dev"),
        ("models", "get", "a/b/c"),
        ("versions", "get", "a/b"),
        ("predictions", "create", "--version", SCHNELL, "--input", "[]"),
        ("predictions", "create", "--version", SCHNELL, "--input", "{"),
        ("predictions", "create", "--version", SCHNELL, "--input", "@/no/such/file"),
        ("predictions", "list", "--since", "yesterday"),
        ("predictions", "list", "--limit", "0"),
        ("predictions",),
        ("weather", "get"),
    ],
)
def test_what_cannot_be_asked_is_explained_by_the_parser(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["replicate", *arguments])

    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def running_state(origin: str, **changed: Any) -> State:
    told = dict.fromkeys(State.__dataclass_fields__, "") | {"replicate_url": f"{origin}/v1"}
    return State(**told | {"replicate_token": TOKEN} | changed)


def test_without_an_environment_the_running_engine_is_asked(
    origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("REPLICATE_API_TOKEN", "REPLICATE_API_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    where = ("--state-dir", str(tmp_path))
    assert main(["replicate", "account", "get", *where]) == 1
    assert "no engine runs" in capsys.readouterr().err

    with hold(tmp_path):
        write(tmp_path, running_state(origin))
        assert main(["replicate", "account", "get", *where]) == 0
        assert json.loads(capsys.readouterr().out)["username"] == "acme"

        write(tmp_path, running_state("https://api.replicate.com", replicate_token=None))
        assert main(["replicate", "account", "get", *where]) == 1
        assert "set REPLICATE_API_TOKEN" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(origin: str) -> None:
    environ = os.environ | {"REPLICATE_API_TOKEN": TOKEN, "REPLICATE_API_BASE_URL": f"{origin}/v1"}
    read, write_ = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "local", "replicate", "hardware", "list"],
            cwd=ROOT,
            env=environ,
            stdout=write_,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(write_)

    assert (ended.returncode, ended.stderr) == (0, b"")
