"""A model of one's own before your eyes: photos judged, a training watched, its version ready."""

from __future__ import annotations

import time
from collections.abc import Mapping

import httpx
from PIL import Image
from rich.console import Console
from rich.table import Table

from local import aws
from local.commands import control, move_clocks
from local.demo.asking import Json, ask, must
from local.demo.images import ENDED, PATIENCE_S, POLL_S, bars
from local.demo.place import STATE_DIR
from local.photos import training_photos
from local.state import State

NAME = "my model"
GOOD = 6
# As long as the trainer needs for as many steps; the clocks of system and stand-in are moved on through it.
STEPS, TRAINS_S = 500, 700
LEAP_S = 150


def train(console: Console, current: State, api: httpx.Client) -> tuple[Json, Json]:
    """Return the model with its version, and the training."""
    model = ask(
        api,
        "POST",
        "/v1/models",
        json={
            "name": NAME,
            "kind": "face",
            "class_word": "woman",
            "consent": {"accepted": True, "text_version": "demo"},
        },
    )
    path = f"/v1/models/{model['id']}"
    console.print(f"   A draft, to be called by the word {model['trigger_word']}.")
    good = {f"photo {number + 1}": training_photos.good_photo(number) for number in range(GOOD)}
    names = _upload(api, path, good)
    _judged(api, path)
    bad = {"blurry": training_photos.blurry_photo(), "copy of 1": training_photos.near_duplicate()}
    names |= _upload(api, path, bad)
    _show_verdicts(console, _judged(api, path), names)
    advice = ask(api, "GET", f"{path}/training-advice")
    console.print(
        f"   Advised: {advice['params']['steps']} steps for {advice['credits']} credits, "
        f"about {advice['expected_minutes']} minutes. Here: {STEPS} steps."
    )
    training = _train(console, current, api, path)
    model = ask(api, "GET", path)
    must(model["chosen_version"] == training["id"], "the model does not use what was trained")
    return model, training


def _upload(api: httpx.Client, path: str, photos: Mapping[str, Image.Image]) -> dict[str, str]:
    """Post each file to the bucket with the form that the API hands out; return the photos' names by id."""
    wanted = {"files": [{"content_type": "image/jpeg"} for _ in photos]}
    forms = ask(api, "POST", f"{path}/photos", json=wanted)["photos"]
    for photo, form in zip(photos.values(), forms, strict=True):
        upload = form["upload"]
        file = ("photo.jpg", training_photos.jpeg(photo), "image/jpeg")
        posted = httpx.post(upload["url"], data=upload["fields"], files={"file": file}, timeout=30)
        posted.raise_for_status()
    return {form["id"]: name for name, form in zip(photos, forms, strict=True)}


def _judged(api: httpx.Client, path: str) -> Json:
    give_up_at = time.monotonic() + PATIENCE_S
    while (photos := ask(api, "GET", f"{path}/photos"))["report"]["pending"]:
        must(time.monotonic() < give_up_at, f"not all photos were judged within {PATIENCE_S} s")
        time.sleep(POLL_S)
    return photos


def _show_verdicts(console: Console, photos: Json, names: Mapping[str, str]) -> None:
    table = Table(box=None, padding=(0, 3), show_header=False)
    items = {photo["id"]: photo for photo in photos["items"]}
    rejected = set()
    for id_, name in names.items():
        verdict = items[id_]["verdict"]
        rejected |= {problem["code"] for problem in verdict["problems"]}
        said = [problem["sentence"] for problem in verdict["problems"]]
        table.add_row(name, items[id_]["status"], said[0] if said else _shows(items[id_]))
    console.print(table)
    must({"blurry", "near_duplicate"} <= rejected, "the blurry photo or the copy was not rejected")


def _shows(photo: Json) -> str:
    return str(photo["category"]).replace("_", " ")


def _train(console: Console, current: State, api: httpx.Client, path: str) -> Json:
    control(current, {"slow_trainings": {"count": 1, "queue_s": 0, "predict_s": TRAINS_S}})
    training = ask(api, "POST", f"{path}/trainings", json={"steps": STEPS})
    path = f"{path}/trainings/{training['id']}"
    give_up_at = time.monotonic() + PATIENCE_S
    with bars(console) as shown:
        task = shown.add_task("training", total=100, status=training["status"])
        while training["status"] not in ENDED:
            must(time.monotonic() < give_up_at, f"the training did not end within {PATIENCE_S} s")
            if training["status"] == "processing":
                move_clocks(STATE_DIR, LEAP_S)
                _reconcile(current)
            time.sleep(POLL_S)
            training = ask(api, "GET", path)
            told = training["progress"]
            if training["status"] == "processing" and told["left_s"]:
                console.print(f"   {told['percent']:3} % learned, {told['left_s'] / 60:.0f} minutes to go")
            shown.update(task, completed=told["percent"], status=training["status"])
    must(training["status"] == "succeeded", f"the training: {training['error']}")
    return training


def _reconcile(current: State) -> None:
    """Do what the schedule does every minute: it reads how far trainings are."""
    aws.client("lambda", current.aws_endpoint_url).invoke(FunctionName=current.functions["reconcile_jobs"])
