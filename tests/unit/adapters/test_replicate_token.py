"""The API token goes to the API's own origin: no redirect, no page, no file's address takes it elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import pytest

from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.collections import Collections
from revela.adapters.replicate.deployments import Deployments
from revela.adapters.replicate.files import Files
from revela.adapters.replicate.models import Models
from revela.adapters.replicate.predictions import Predictions
from revela.adapters.replicate.trainings import Trainings
from revela.adapters.replicate.versions import Versions
from revela.domain.errors import Permanent, ProviderTransient, ProviderUnavailable
from tests.unit.adapters.outgoing import outgoing
from tests.unit.adapters.replicate_api import TOKEN, Replicate
from tests.unit.adapters.scripted_server import Script, ScriptedServer, http, sends, serving
from tests.unit.adapters.test_replicate_operations import DELETES, ONCE, READS

Call = Callable[[ReplicateClient], Any]


def create(client: ReplicateClient) -> Any:
    return Predictions(client).create(version="a/b", model_input={}, webhook_url=None, cancel_after_s=60)


CALLS: dict[str, Call] = {
    "create": create,
    "get": lambda c: Predictions(c).get("p1"),
    "cancel a prediction": lambda c: Predictions(c).cancel("p1"),
    **{f"once: {name}": call for name, call in ONCE.items()},
    **{f"read: {name}": call for name, call in READS.items()},
    **{f"delete: {name}": call for name, call in DELETES.items()},
}
PAGED: dict[str, Call] = {
    "trainings": lambda c: list(Trainings(c).pages()),
    "models": lambda c: list(Models(c).pages()),
    "models found": lambda c: list(Models(c).search("faces")),
    "examples": lambda c: list(Models(c).examples("a", "b")),
    "versions": lambda c: list(Versions(c).pages("a", "b")),
    "deployments": lambda c: list(Deployments(c).pages()),
    "collections": lambda c: list(Collections(c).pages()),
    "files": lambda c: list(Files(c).pages()),
}


def asked(call: Call, server: ScriptedServer) -> set[Any]:
    """Return where connections went while the call was made at the server."""
    with (
        outgoing() as seen,
        closing(Replicate().client(base_url=f"{server.origin}/v1", transport=None)) as client,
        suppress(ProviderTransient, Permanent),
    ):
        call(client)
    return {where for event, where in seen if event == "socket.connect"}


def redirect(status: int, location: str) -> Script:
    return sends(http(b"", status=f"{status} Elsewhere", Location=location))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_takes_no_call_elsewhere(call: Call, status: int) -> None:
    with serving(sends(http(b"{}"))) as elsewhere, serving(redirect(status, elsewhere.origin)) as api:
        where = asked(call, api)

    assert where == {("127.0.0.1", api.port)}
    assert elsewhere.requests == []
    assert all(f"Bearer {TOKEN}".encode() in request for request in api.requests)


@pytest.mark.parametrize(
    "location", ["http://[broken/", "https:api", "javascript:alert(1)", "https://a:b:c/", ""]
)
def test_a_redirect_to_nowhere_created_nothing(location: str) -> None:
    with (
        serving(redirect(307, location)) as server,
        closing(Replicate().client(base_url=f"{server.origin}/v1", transport=None)) as client,
        pytest.raises(ProviderUnavailable),
    ):
        create(client)

    assert len(server.requests) == 1


@pytest.mark.parametrize("call", PAGED.values(), ids=PAGED.keys())
def test_no_list_goes_on_elsewhere(call: Call) -> None:
    with serving(sends(http(b"{}"))) as elsewhere:
        page: dict[str, Any] = {
            "results": [],
            "previous": None,
            "next": f"{elsewhere.origin}/v1/next?cursor=x",
        }
        with serving(sends(http(json.dumps(page).encode()))) as api:
            where = asked(call, api)

    assert where == {("127.0.0.1", api.port)}
    assert elsewhere.requests == []


def test_a_files_own_address_is_told_and_not_asked() -> None:
    with serving(sends(http(b"{}"))) as elsewhere:
        file = {"id": "f1", "urls": {"get": f"{elsewhere.origin}/v1/files/f1"}}
        with serving(sends(http(json.dumps(file).encode()))) as api:
            assert asked(lambda c: Files(c).get("f1"), api) == {("127.0.0.1", api.port)}

    assert elsewhere.requests == []
