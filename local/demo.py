"""The main job before your eyes: an account, images from three models, credits that add up.

    python -m local.demo [--output DIR]

Starts the whole system, uses its HTTP API as a frontend would, and ends everything it started.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageDraw
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from local import engine, identity
from local.__main__ import EXPECTED
from local.commands import grant_credits
from local.state import State

USER = "ana"
OUTPUT = engine.ROOT / "demo-output"
PATIENCE_S = 120
POLL_S = 0.3

REQUESTS: tuple[dict[str, Any], ...] = (
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
# How far along a status is; the API tells the status, not a percentage.
PROGRESS = {
    "waiting": 5,
    "queued": 15,
    "starting": 30,
    "processing": 55,
    "saving": 85,
    "succeeded": 100,
    "failed": 100,
    "canceled": 100,
}
ENDED = {"succeeded", "failed", "canceled"}


class DemoFailed(Exception):
    """Something is not as it must be; the message says what."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where images go (default: demo-output)")
    asked = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    # A demo costs nothing: it never leaves this machine, whatever Replicate the shell names.
    for variable in ("REPLICATE_API_TOKEN", "REPLICATE_API_BASE_URL"):
        os.environ.pop(variable, None)
    options = engine.Options(state_dir=engine.STATE_DIR / "demo")
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
    with _client(current) as api:
        opened = _ask(api, "GET", "/v1/account")
        console.print(
            f"[bold]1. An account[/] opened for {USER} on the plan "
            f"{opened['plan']['name']}: {opened['credits']['available']} credits."
        )
        grant_credits(current, user_id=USER, plan="pro", amount=100, reference="demo")
        before = _ask(api, "GET", "/v1/account")
        console.print(
            f"   An operator grants 100 and the plan {before['plan']['name']}: "
            f"{before['credits']['available']} credits.\n"
        )

        console.print("[bold]2. Requests[/]")
        key = str(uuid.uuid4())
        accepted = [_create(api, body, f"{key}-{n}") for n, body in enumerate(REQUESTS)]
        for body, generation in zip(REQUESTS, accepted, strict=True):
            console.print(
                f"   {body['model']:13} {generation['params']['num_outputs']} x "
                f"{generation['params']['width']}x{generation['params']['height']}"
                f"   {generation['credits']['held']} credits held   {generation['id']}"
            )
        again = _create(api, REQUESTS[0], f"{key}-0")
        _must(again == accepted[0], "the same Idempotency-Key did not give the first answer again")
        console.print("   The first one sent again with its Idempotency-Key: the same answer, nothing held.")
        refused = api.post("/v1/generations", json={**REQUESTS[0], "num_inference_steps": 80}).json()
        reason = refused["invalid_params"][0]
        console.print(
            f"   80 steps with flux-dev: {refused['status']}, {reason['name']} {reason['reason']}.\n"
        )

        console.print("[bold]3. Images[/]")
        ended = _watch(console, api, accepted)
        files = list(_save(ended, output))
        sheet = _contact_sheet(files, output / "contact-sheet.png")
        console.print()

        console.print("[bold]4. Credits[/]")
        _summarize(console, api, ended)
        console.print(f"\n{len(files)} images and their contact sheet are in [bold]{sheet.parent}/[/]")


def _client(current: State) -> httpx.Client:
    token = identity.sign_token(engine.STATE_DIR / "demo", current.issuer_url, USER)
    # By address with the Host header: not every resolver knows names under .localhost.
    return httpx.Client(
        base_url=current.aws_endpoint_url,
        headers={"Host": current.api_host, "Authorization": f"Bearer {token}", "Accept-Language": "en"},
        timeout=30,
    )


def _ask(api: httpx.Client, method: str, path: str, **how: Any) -> dict[str, Any]:
    answer = api.request(method, path, **how)
    body: dict[str, Any] = answer.json()
    _must(answer.is_success, f"{method} {path} answered {answer.status_code}: {body.get('detail', body)}")
    return body


def _create(api: httpx.Client, body: dict[str, Any], key: str) -> dict[str, Any]:
    return _ask(api, "POST", "/v1/generations", json=body, headers={"Idempotency-Key": key})


def _watch(console: Console, api: httpx.Client, accepted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Poll until all have ended, a progress bar each."""
    bars = Progress(
        TextColumn("   {task.description:13}"),
        BarColumn(bar_width=36),
        TextColumn("{task.fields[status]:11}"),
        TimeElapsedColumn(),
        console=console,
    )
    ended: dict[str, dict[str, Any]] = {}
    tasks: dict[str, TaskID] = {}
    give_up_at = time.monotonic() + PATIENCE_S
    with bars:
        for generation in accepted:
            tasks[generation["id"]] = bars.add_task(generation["model"], total=100, status="queued")
        while len(ended) < len(accepted):
            _must(time.monotonic() < give_up_at, f"not all generations ended within {PATIENCE_S} s")
            for id_, task in tasks.items():
                if id_ in ended:
                    continue
                generation = _ask(api, "GET", f"/v1/generations/{id_}")
                bars.update(task, completed=PROGRESS[generation["status"]], status=generation["status"])
                if generation["status"] in ENDED:
                    ended[id_] = generation
                    bars.stop_task(task)
            time.sleep(POLL_S)
    for generation in ended.values():
        _must(generation["status"] == "succeeded", f"{generation['id']}: {generation['error']}")
    return [ended[generation["id"]] for generation in accepted]


def _save(ended: list[dict[str, Any]], output: Path) -> Iterator[Path]:
    """Download through the presigned URLs, as a browser would, and check what came."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    for generation in ended:
        for made in generation["outputs"]:
            data = httpx.get(made["url"], timeout=30).raise_for_status().content
            with Image.open(io.BytesIO(data)) as image:
                size = (generation["params"]["width"], generation["params"]["height"])
                _must(image.size == size, f"{generation['model']} made {image.size} instead of {size}")
            extension = made["content_type"].removeprefix("image/").replace("jpeg", "jpg")
            file = output / f"{generation['model']}-{made['index'] + 1}.{extension}"
            file.write_bytes(data)
            yield file


def _contact_sheet(files: list[Path], path: Path) -> Path:
    columns, cell, margin, caption = 4, 320, 16, 22
    rows = -(-len(files) // columns)
    sheet = Image.new(
        "RGB",
        (columns * (cell + margin) + margin, rows * (cell + caption + margin) + margin),
        (247, 245, 240),
    )
    draw = ImageDraw.Draw(sheet)
    for n, file in enumerate(files):
        left = margin + (n % columns) * (cell + margin)
        top = margin + (n // columns) * (cell + caption + margin)
        with Image.open(file) as image:
            full = f"{file.name}   {image.width}x{image.height}"
            image.thumbnail((cell, cell))
            sheet.paste(image, (left + (cell - image.width) // 2, top + (cell - image.height) // 2))
        draw.text((left, top + cell + 5), full, fill=(60, 60, 60))
    sheet.save(path)
    return path


def _summarize(console: Console, api: httpx.Client, ended: list[dict[str, Any]]) -> None:
    table = Table("generation", "images", "estimated", "charged", "refunded", box=None, padding=(0, 3))
    for generation in ended:
        credits_ = generation["credits"]
        _must(
            credits_["charged"] + credits_["refunded"] == credits_["estimated"],
            f"{generation['id']}: charged and refunded do not add up",
        )
        table.add_row(
            generation["model"],
            str(len(generation["outputs"])),
            *(str(credits_[name]) for name in ("estimated", "charged", "refunded")),
        )
    console.print(table)
    account = _ask(api, "GET", "/v1/account")["credits"]
    ledger = _ask(api, "GET", "/v1/account/ledger")["items"]
    charged = sum(generation["credits"]["charged"] for generation in ended)
    _must(account["held"] == 0, "credits are still held")
    _must(account["spent"] == charged, f"spent {account['spent']}, but {charged} were charged")
    _must(
        sum(entry["credits"] for entry in ledger) == account["available"],
        "the ledger does not add up to the balance",
    )
    console.print(
        f"   Account: {account['available']} available, {account['held']} held, {account['spent']} spent; "
        f"the ledger's {len(ledger)} entries add up to it."
    )


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoFailed(otherwise)


if __name__ == "__main__":
    sys.exit(main())
