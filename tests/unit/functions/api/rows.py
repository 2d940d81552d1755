"""What is stored when requests come: generations, models, photos and trainings in their states."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from revela.domain.generation import Generation, Output
from revela.domain.job import Failure, State
from revela.domain.training import Training
from revela.ports import Ref
from revela.usecases.grant_credits import GrantCredits, grant_credits
from tests.examples import a_generation
from tests.fakes.clock import START
from tests.fakes.pictures import picture_bytes
from tests.unit.functions.api.client import ANA, ApiPorts
from tests.unit.usecases.model_life import ModelLife
from tests.unit.usecases.system import System

ID = "gen_01K4YVZ5M0QH8W3D9RJ2T6XBCE"
PARAMS = {
    "prompt": "a lighthouse at dusk",
    "width": 1024,
    "height": 1024,
    "num_inference_steps": 28,
    "guidance_scale": 3,
    "num_outputs": 2,
    "seed": 7,
    "format": "webp",
    "quality": 80,
}


def stored(ports: ApiPorts, id_: str = ID, **changes: Any) -> Generation:
    """Put a generation where the API finds it, and return it."""
    row = a_generation(id_, **{"params": PARAMS, **changes})
    ports.store.generations[Ref(row.user_id, row.id)] = row
    return row


def succeeded(ports: ApiPorts, id_: str = ID, **changes: Any) -> Generation:
    """Put a generation of two images, both delivered."""
    ended = START + timedelta(seconds=9)
    values: dict[str, Any] = {
        "state": State.SUCCEEDED,
        "version": 6,
        "credits_charged": 6,
        "started_at": START + timedelta(seconds=1),
        "updated_at": ended,
        "completed_at": ended,
        "due_at": None,
        "outputs": tuple(output(id_, index) for index in range(2)),
    }
    return stored(ports, id_, **values | changes)


def failed(ports: ApiPorts, id_: str = ID, **changes: Any) -> Generation:
    ended = START + timedelta(seconds=9)
    values: dict[str, Any] = {
        "state": State.FAILED,
        "version": 5,
        "updated_at": ended,
        "completed_at": ended,
        "due_at": None,
        "failure": Failure(code="moderated", detail="NSFW content detected"),
    }
    return stored(ports, id_, **values | changes)


def output(id_: str, index: int, user: str = ANA) -> Output:
    base = f"users/{user}/generations/{id_}/1-{index}"
    return Output(
        index=index,
        key=f"{base}.webp",
        content_type="image/webp",
        width=1024,
        height=1024,
        size_bytes=148312,
        sha256="9f" * 32,
        thumbnail_key=f"{base}-thumbnail.webp",
        thumbnail_width=512,
        thumbnail_height=512,
    )


def judged(ports: ApiPorts, *harms: str | None, **requested: Any) -> Generation:
    """Have a generation made of an image for each harm, which the judge blocks; None: of one that passes."""
    return made(ports, System(ports).accept(num_outputs=len(harms), **requested), *harms)


def made(ports: ApiPorts, row: Generation, *harms: str | None) -> Generation:
    """Have the images of a generation made that was accepted; harms as of `judged`."""
    system = System(ports)
    prediction = system.prediction(system.started(row))
    urls = [f"https://replicate.delivery/{prediction.id}/out-{index}.webp" for index in range(len(harms))]
    for url, harm in zip(urls, harms, strict=True):
        ports.outputs.files[url] = picture_bytes(name=f"harm:{harm}" if harm else url)
    return system.hear(row, ports.provider.succeed(prediction.id, urls))


def subscribed(ports: ApiPorts, plan: str = "pro", user: str = ANA) -> ModelLife:
    """Put a user on a plan that has models, with credits, and return the hands that make them."""
    grant_credits(GrantCredits(user, f"plan {plan}", plan=plan, credits=1000), ports=ports)
    return ModelLife(ports)


def replaced(ports: ApiPorts, row: Training, **changes: Any) -> Training:
    """Put a training in another state, and return it."""
    after = row.model_copy(update={"version": row.version + 1, **changes})
    ports.store.trainings[Ref(row.user_id, row.id)] = after
    return after
