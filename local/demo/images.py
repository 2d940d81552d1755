"""Generations before your eyes: watched, downloaded through their URLs, laid out on one sheet."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx
from PIL import Image, ImageDraw
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from local.demo.asking import Json, ask, must

PATIENCE_S = 120
POLL_S = 0.3
# How far along a status is; of generations the API tells the status, not a percentage.
PROGRESS = {
    "waiting": 5,
    "queued": 15,
    "starting": 30,
    "processing": 55,
    "saving": 85,
    "judging": 92,
    "succeeded": 100,
    "failed": 100,
    "canceled": 100,
}
ENDED = {"succeeded", "failed", "canceled"}


def bars(console: Console) -> Progress:
    return Progress(
        TextColumn("   {task.description:13}"),
        BarColumn(bar_width=36),
        TextColumn("{task.fields[status]:11}"),
        TimeElapsedColumn(),
        console=console,
    )


def watch(
    console: Console, api: httpx.Client, accepted: Sequence[Json], names: Mapping[str, str]
) -> list[Json]:
    """Poll until all have ended, a progress bar each. `names`: what models of one's own are called."""
    ended: dict[str, Json] = {}
    tasks: dict[str, TaskID] = {}
    give_up_at = time.monotonic() + PATIENCE_S
    with bars(console) as shown:
        for generation in accepted:
            model = generation["model"]
            tasks[generation["id"]] = shown.add_task(names.get(model, model), total=100, status="queued")
        while len(ended) < len(accepted):
            must(time.monotonic() < give_up_at, f"not all generations ended within {PATIENCE_S} s")
            for id_, task in tasks.items():
                if id_ in ended:
                    continue
                generation = ask(api, "GET", f"/v1/generations/{id_}")
                shown.update(task, completed=PROGRESS[generation["status"]], status=generation["status"])
                if generation["status"] in ENDED:
                    ended[id_] = generation
                    shown.stop_task(task)
            time.sleep(POLL_S)
    for generation in ended.values():
        must(generation["status"] == "succeeded", f"{generation['id']}: {generation['error']}")
    return [ended[generation["id"]] for generation in accepted]


def save(ended: Sequence[Json], output: Path, names: Mapping[str, str]) -> Iterator[Path]:
    """Download through the presigned URLs, as a browser would, and check what came."""
    for generation in ended:
        name = names.get(generation["model"], generation["model"])
        for made in generation["outputs"]:
            data = httpx.get(made["url"], timeout=30).raise_for_status().content
            with Image.open(io.BytesIO(data)) as image:
                size = (generation["params"]["width"], generation["params"]["height"])
                must(image.size == size, f"{name} made {image.size} instead of {size}")
            extension = made["content_type"].removeprefix("image/").replace("jpeg", "jpg")
            number = made["index"] + 1
            while (file := output / f"{name}-{number}.{extension}").exists():
                number += 1
            file.write_bytes(data)
            yield file


def contact_sheet(files: Sequence[Path], path: Path) -> Path:
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
