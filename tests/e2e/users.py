"""Users of the API, as frontends are: they sign in, ask, watch and download."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, TypeVar

import httpx

from local.state import State
from tests.e2e.command_line import api

Json = dict[str, Any]
Seen = TypeVar("Seen")

PATH = "/v1/generations"
ENDED = ("succeeded", "failed", "canceled")
# For a machine that is busy with other tests as well; nothing waits for as long when all is well.
PATIENCE_S = 60
POLL_S = 0.1


class User:
    """`name` is the subject of the token; `prompts` is what was asked for."""

    def __init__(self, current: State, name: str, token: str) -> None:
        self.name = name
        self.token = token
        self.prompts: set[str] = set()
        self.http = api(current, token)

    def __enter__(self) -> User:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def post(self, body: Any, *, key: str | None = None) -> httpx.Response:
        self.prompts.add(str(body.get("prompt")))
        return self.http.post(PATH, json=body, headers={"Idempotency-Key": key} if key else {})

    def create(self, model: str = "flux-schnell", **params: Any) -> Json:
        """Return the generation as accepted: one image unless said otherwise."""
        answer = self.post({"model": model, "prompt": "a lighthouse at dawn", "num_outputs": 1} | params)
        assert answer.status_code == 202, answer.text
        return as_json(answer)

    def get(self, path: str, **how: Any) -> Json:
        answer = self.http.get(path, **how)
        assert answer.status_code == 200, answer.text
        return as_json(answer)

    def generation(self, id_: str, **how: Any) -> Json:
        return self.get(f"{PATH}/{id_}", **how)

    def cancel(self, id_: str) -> httpx.Response:
        return self.http.post(f"{PATH}/{id_}/cancel")

    def delete(self, id_: str) -> httpx.Response:
        return self.http.delete(f"{PATH}/{id_}")

    def wait(self, id_: str, *statuses: str, meanwhile: Callable[[], None] = lambda: None) -> Json:
        """Watch a generation until it is in one of `statuses`, or has ended when none is given."""

        def look() -> Json:
            seen = self.generation(id_)
            if seen["status"] not in ENDED:
                meanwhile()
            return seen

        return eventually(look, lambda seen: seen["status"] in (statuses or ENDED), ENDED)

    def wait_all(
        self,
        ids: Iterable[str],
        *,
        meanwhile: Callable[[], None] = lambda: None,
        patience_s: float = PATIENCE_S,
    ) -> list[Json]:
        """Watch generations until all have ended; return them in the order of `ids`."""
        wanted = list(ids)

        def look() -> list[Json]:
            found = {item["id"]: item for item in self.all(PATH)}
            if any(found[id_]["status"] not in ENDED for id_ in wanted):
                meanwhile()
            return [found[id_] for id_ in wanted]

        return eventually(
            look, lambda seen: all(item["status"] in ENDED for item in seen), patience_s=patience_s
        )

    def all(self, path: str) -> list[Json]:
        """Return every item of a listing, page by page."""
        items: list[Json] = []
        cursor: str | None = None
        while True:
            page = self.get(path, params={"limit": "100"} | ({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return items

    def account(self) -> Json:
        return self.get("/v1/account")

    def ledger(self) -> list[Json]:
        """Return all entries, oldest first."""
        return self.all("/v1/account/ledger")[::-1]


def as_json(answer: httpx.Response) -> Json:
    body: Json = answer.json()
    return body


def eventually(
    probe: Callable[[], Seen],
    holds: Callable[[Seen], bool],
    final: Sequence[str] = (),
    *,
    patience_s: float = PATIENCE_S,
) -> Seen:
    """Ask until the answer is as wanted; fail at once when its status is one that nothing follows."""
    give_up_at = time.monotonic() + patience_s
    while not holds(seen := probe()):
        over = isinstance(seen, dict) and seen.get("status") in final
        assert not over, f"it ended otherwise: {seen}"
        assert time.monotonic() < give_up_at, f"still: {seen}"
        time.sleep(POLL_S)
    return seen


def assert_credits_add_up(user: User) -> None:
    """Hold the account against its ledger, and both against what the generations were charged."""
    account, ledger = user.account(), user.ledger()
    generations = user.all(PATH)
    live = [g for g in generations if g["status"] not in ENDED]
    for g in generations:
        credits_ = g["credits"]
        assert credits_["held"] + credits_["charged"] + credits_["refunded"] == credits_["estimated"], g
        assert (g in live) == bool(credits_["held"]), g
    now = account["credits"]
    assert now["held"] == sum(g["credits"]["held"] for g in live)
    assert account["running"] + account["waiting"] == len(live)
    assert [entry["number"] for entry in ledger] == list(range(1, len(ledger) + 1))
    balance = 0
    for entry in ledger:
        balance += entry["credits"]
        assert entry["balance"] == balance, entry
    captures = {entry["cause"]: -entry["credits"] for entry in ledger if entry["kind"] == "capture"}
    assert len(captures) == sum(entry["kind"] == "capture" for entry in ledger), "a job was charged twice"
    for g in generations:
        assert captures.get(g["id"], 0) == g["credits"]["charged"]
    assert (now["available"] + now["held"], now["spent"]) == (balance, sum(captures.values()))
    assert sum(grant["remaining"] for grant in account["grants"]) == now["available"]
