"""The Replicate stand-in's handles: what it counted, and how it is to misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from local.state import State

JUDGES = ("meta/llama-guard-3-8b", "falcons-ai/nsfw_image_detection")


class StandIn:
    def __init__(self, current: State) -> None:
        self.origin = current.replicate_url.removesuffix("/v1")
        self._http = httpx.Client(
            base_url=self.origin,
            headers={"Authorization": f"Bearer {current.replicate_token}"},
            timeout=60,
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def order(self, **orders: Any) -> None:
        self._http.post("/_control", json=orders).raise_for_status()

    def end_orders(self) -> None:
        self.order(end_orders=True)

    def counters(self) -> dict[str, Any]:
        counters: dict[str, Any] = self._http.get("/_control").raise_for_status().json()["counters"]
        return counters

    def orders_left(self) -> set[str]:
        """Return the orders that are still to be carried out."""
        orders = self._http.get("/_control").raise_for_status().json()["orders"]
        return {name for name, left in orders.items() if left}

    def output(self, url: str) -> bytes:
        """Return an output file as it was made."""
        return self._http.get(url).raise_for_status().content

    def predictions(self, prompt: str) -> list[dict[str, Any]]:
        """Return the predictions that make images of this prompt, newest first."""
        return self.predictions_by_prompt().get(prompt, [])

    def predictions_by_prompt(self) -> dict[str, list[dict[str, Any]]]:
        """Return all predictions that make images by what was asked for, newest first."""
        found: dict[str, list[dict[str, Any]]] = {}
        for prediction in self._predictions():
            if prediction["model"] not in JUDGES:
                found.setdefault(prediction["input"].get("prompt", ""), []).append(prediction)
        return found

    def judged(self, prompt: str) -> list[dict[str, Any]]:
        """Return the predictions that judge this prompt, newest first."""
        return [
            prediction
            for prediction in self._predictions()
            if prediction["model"] in JUDGES and prediction["input"].get("prompt") == prompt
        ]

    def judging(self) -> list[dict[str, Any]]:
        """Return the predictions of judges that have not ended."""
        return [
            prediction
            for prediction in self._predictions()
            if prediction["model"] in JUDGES and prediction["status"] in ("starting", "processing")
        ]

    def _predictions(self) -> Iterator[dict[str, Any]]:
        url: str | None = "/v1/predictions"
        while url:
            page = self._http.get(url).raise_for_status().json()
            yield from page["results"]
            url = page["next"]

    def trainings(self) -> list[dict[str, Any]]:
        """Return the hundred newest trainings, newest first."""
        found: list[dict[str, Any]] = self._http.get("/v1/trainings").raise_for_status().json()["results"]
        return found

    def versions_of(self, training: dict[str, Any]) -> list[str]:
        """Return the version that a training made, in a list; none when it was deleted."""
        name, _, version = training["output"]["version"].partition(":")
        answer = self._http.get(f"/v1/models/{name}/versions/{version}")
        return [] if answer.status_code == 404 else [answer.raise_for_status().json()["id"]]
