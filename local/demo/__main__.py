"""The main job before your eyes: images from three models, a model of one's own, credits that add up.

What is refused, judged and blocked on the way is shown as well.

    python -m local.demo [--output DIR]

Starts the whole system, uses its HTTP API as a frontend would, and ends everything it started.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from local import engine
from local.__main__ import EXPECTED
from local.commands import grant_credits
from local.demo import images, own_model, safety
from local.demo.asking import DemoFailed, Json, ask, client, create, must
from local.demo.place import OUTPUT, STATE_DIR
from local.state import State

USER = "ana"
GRANTED = 500
REQUESTS: tuple[Json, ...] = (
    {
        "model": "flux-dev",
        "prompt": "portrait of a woman in a yellow raincoat, soft window light",
        "num_outputs": 4,
        "aspect_ratio": "4:5",
    },
    {
        "model": "sdxl",
        "prompt": "a lighthouse on a basalt cliff at dawn, oil painting",
        "negative_prompt": "people",
        "num_outputs": 1,
        "width": 1280,
        "height": 832,
    },
    {
        "model": "flux-schnell",
        "prompt": "a tiled kitchen in Lisbon, wide angle",
        "num_outputs": 2,
        "aspect_ratio": "16:9",
        "format": "jpg",
    },
)
# Asked of one's own model and of the one it was trained from: what differs was learned.
PORTRAIT: Json = {
    "prompt": "portrait in a garden, golden hour",
    "aspect_ratio": "4:5",
    "seed": 7,
    "num_outputs": 1,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where images go (default: demo-output)")
    asked = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    # A demo costs nothing: it never leaves this machine, whatever Replicate the shell names.
    for variable in ("REPLICATE_API_TOKEN", "REPLICATE_API_BASE_URL"):
        os.environ.pop(variable, None)
    options = engine.Options(state_dir=STATE_DIR)
    try:
        with console.status("starting") as status:
            running = engine.running(options, report=lambda step: status.update(f"{step} …"))
            current, _ = running.__enter__()
        try:
            console.print(f"The system is up in {time.monotonic() - began:.0f} s at {current.api_url}\n")
            _show(console, current, asked.output)
        finally:
            running.__exit__(None, None, None)
    except (DemoFailed, *EXPECTED) as failed:
        console.print(f"[red]The demo failed: {failed}[/]")
        console.print(f"Logs are in {options.state_dir / 'logs'}")
        return 1
    console.print(f"Everything is stopped again; {time.monotonic() - began:.0f} s in all.")
    return 0


def _show(console: Console, current: State, output: Path) -> None:
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    with client(current, USER) as api:
        console.print("[bold]1. An account[/]")
        _fund(console, current, api)

        console.print("[bold]2. Requests[/]")
        accepted = _request(console, api)

        console.print("[bold]3. Images[/]")
        ended = images.watch(console, api, accepted, {})
        files = list(images.save(ended, output, {}))
        console.print()

        console.print("[bold]4. What is not made, and not shown[/]")
        judged = safety.show(console, current, api)
        files += images.save(judged, output, {})
        console.print()

        console.print("[bold]5. A model of one's own[/]")
        model, training = own_model.train(console, current, api)
        names = {model["id"]: own_model.NAME}
        same = [{**PORTRAIT, "model": made_by} for made_by in (model["id"], "flux-dev")]
        portraits = [create(api, body, str(uuid.uuid4())) for body in same]
        portraits = images.watch(console, api, portraits, names)
        files += images.save(portraits, output, {model["id"]: "my-model"})
        console.print()

        console.print("[bold]6. Credits[/]")
        _summarize(console, api, [*ended, *judged, *portraits], training, names)
        sheet = images.contact_sheet(files, output / "contact-sheet.png")
        console.print(f"\n{len(files)} images and their contact sheet are in [bold]{sheet.parent}/[/]")


def _fund(console: Console, current: State, api: httpx.Client) -> None:
    opened = ask(api, "GET", "/v1/account")
    console.print(
        f"   Opened for {USER} on the plan {opened['plan']['name']}: "
        f"{opened['credits']['available']} credits."
    )
    grant_credits(current, user_id=USER, plan="pro", amount=GRANTED, reference="demo")
    before = ask(api, "GET", "/v1/account")
    console.print(
        f"   An operator grants {GRANTED} and the plan {before['plan']['name']}: "
        f"{before['credits']['available']} credits.\n"
    )


def _request(console: Console, api: httpx.Client) -> list[Json]:
    key = str(uuid.uuid4())
    accepted = [create(api, body, f"{key}-{n}") for n, body in enumerate(REQUESTS)]
    for body, generation in zip(REQUESTS, accepted, strict=True):
        console.print(
            f"   {body['model']:13} {generation['params']['num_outputs']} x "
            f"{generation['params']['width']}x{generation['params']['height']}"
            f"   {generation['credits']['held']} credits held   {generation['id']}"
        )
    again = create(api, REQUESTS[0], f"{key}-0")
    must(again == accepted[0], "the same Idempotency-Key did not give the first answer again")
    console.print("   The first one sent again with its Idempotency-Key: the same answer, nothing held.")
    refused = api.post("/v1/generations", json={**REQUESTS[0], "num_inference_steps": 80}).json()
    reason = refused["invalid_params"][0]
    console.print(f"   80 steps with flux-dev: {refused['status']}, {reason['name']} {reason['reason']}.\n")
    return accepted


def _summarize(
    console: Console, api: httpx.Client, ended: Sequence[Json], training: Json, names: dict[str, str]
) -> None:
    table = Table("job", "images", "estimated", "charged", "refunded", box=None, padding=(0, 3))
    rows = [(names.get(job["model"], job["model"]), str(len(job["outputs"])), job) for job in ended]
    rows.append(("training", "–", training))
    for name, made, job in rows:
        credits_ = job["credits"]
        must(
            credits_["charged"] + credits_["refunded"] == credits_["estimated"],
            f"{job['id']}: charged and refunded do not add up",
        )
        table.add_row(name, made, *(str(credits_[amount]) for amount in ("estimated", "charged", "refunded")))
    console.print(table)
    account = ask(api, "GET", "/v1/account")["credits"]
    ledger = ask(api, "GET", "/v1/account/ledger")["items"]
    charged = sum(job["credits"]["charged"] for _, _, job in rows)
    must(account["held"] == 0, "credits are still held")
    must(account["spent"] == charged, f"spent {account['spent']}, but {charged} were charged")
    must(
        sum(entry["credits"] for entry in ledger) == account["available"],
        "the ledger does not add up to the balance",
    )
    console.print(
        f"   Account: {account['available']} available, {account['held']} held, {account['spent']} spent; "
        f"the ledger's {len(ledger)} entries add up to it."
    )


if __name__ == "__main__":
    sys.exit(main())
