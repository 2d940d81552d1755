"""What is not made and not shown, before your eyes: a prompt refused, one judged, an image blocked."""

from __future__ import annotations

import uuid

import httpx
from rich.console import Console

from local.demo import images
from local.demo.asking import Json, ask, create, must
from local.state import State

REFUSED: Json = {"model": "flux-schnell", "prompt": "hardcore porn, close-up", "num_outputs": 1}
IN_DOUBT: Json = {"model": "flux-schnell", "prompt": "lingerie catalogue, studio light", "num_outputs": 1}
# The stand-in paints what its detector finds on the image that the mark names.
HARMFUL = 2
BLOCKED: Json = {
    "model": "flux-schnell",
    "prompt": f"carnival in Olinda, crowd of dancers #flag{HARMFUL}",
    "num_outputs": 4,
    "aspect_ratio": "16:9",
}
PROMPT_JUDGE = "meta/llama-guard-3-8b"


def show(console: Console, current: State, api: httpx.Client) -> list[Json]:
    """Return the generations that were made."""
    refused = api.post("/v1/generations", json=REFUSED).json()
    must(refused.get("code") == "prompt_refused", "a prompt that the policy forbids was not refused")
    must(ask(api, "GET", "/v1/account")["credits"]["held"] == 0, "a refused prompt holds credits")
    reason = refused["invalid_params"][0]
    console.print(f"   Refused, nothing held: {reason['name']} {reason['reason']}.")

    accepted = [create(api, body, str(uuid.uuid4())) for body in (IN_DOUBT, BLOCKED)]
    judged, partly = images.watch(console, api, accepted, {})
    console.print(
        f'   In doubt: "{IN_DOUBT["prompt"]}" was taken to {PROMPT_JUDGE}, who said '
        f"{_said(current)}; then it was made."
    )
    (blocked,) = partly["blocked"]
    money = partly["credits"]
    must(blocked["index"] == HARMFUL, "another image than the marked one was blocked")
    must(len(partly["outputs"]) == 3, f"{len(partly['outputs'])} images of three were shown")
    must((money["charged"], money["refunded"]) == (3, 1), "a blocked image was charged, or a good one not")
    console.print(
        f"   Blocked: image {blocked['index'] + 1} of 4 ({blocked['reason']}). "
        f"{money['charged']} credits charged, {money['refunded']} released; "
        f"appealable until {blocked['appealable_until'][:10]}."
    )
    return [judged, partly]


def _said(current: State) -> str:
    """Return what Replicate's listing tells of the prompt that was in doubt."""
    listing = httpx.get(
        f"{current.replicate_url}/predictions",
        headers={"Authorization": f"Bearer {current.replicate_token}"},
        timeout=30,
    ).raise_for_status()
    asked = [
        prediction
        for prediction in listing.json()["results"]
        if prediction["model"] == PROMPT_JUDGE and prediction["input"]["prompt"] == IN_DOUBT["prompt"]
    ]
    must(len(asked) == 1, f"a prompt in doubt was judged {len(asked)} times")
    return str(asked[0]["output"])
