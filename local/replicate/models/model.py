"""What the stand-in knows of one model: who it is, what it takes, how a run of it goes."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from local.replicate.drawing.identity import Identity
from local.replicate.drawing.picture import Picture
from local.replicate.drawing.source import size_of_image
from local.replicate.photo_set import PhotoSet

Input = Mapping[str, Any]
Json = dict[str, Any]


class RunFailed(Exception):
    """The model raised; its text becomes the prediction's `error`."""


@dataclass(frozen=True)
class Parameter:
    name: str
    type: Literal["string", "integer", "number", "boolean"]
    description: str
    default: Any = None
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    is_file: bool = False

    def read(self, value: Any) -> Any:
        """4.0 is an integer in JSON Schema, and 4 to the model."""
        return int(value) if self.type == "integer" else value


@dataclass(frozen=True)
class Version:
    id: str
    created_at: str
    cog_version: str


@dataclass(frozen=True)
class Pace:
    """How long a run takes, in seconds of the stand-in's clock."""

    queue_s: float
    setup_s: float
    step_s: float  # for one image
    upload_s: float = 0.05


class TrainerLogs(Protocol):
    """What is printed: before the first step, at a step (done, of how many, after how long), at the end."""

    def opening(self, photos: PhotoSet, values: Input) -> str: ...
    def step(self, done: int, total: int, elapsed_s: float) -> str: ...
    def closing(self) -> str: ...


@dataclass(frozen=True)
class Trainer:
    """What a model's `train()` takes, and the model that one version of the destination then is.

    `steps` and `trigger` name the parameters that say how long it takes and what word it listens to;
    `logs` is what it prints.
    """

    parameters: tuple[Parameter, ...]
    steps: str
    trigger: str
    trained: "Model"
    logs: TrainerLogs
    takes_tar: bool = False
    queue_s: float = 0.5
    setup_s: float = 1.0
    step_s: float = 0.005

    def complete(self, given: Input) -> Json:
        return {p.name: p.read(given[p.name]) if p.name in given else p.default for p in self.parameters}


@dataclass(frozen=True)
class Run:
    """One run, decided when it starts: its progress, its logs, and what it puts out, pictures or a text."""

    steps: int
    batch: int = 1  # of what each step works on
    opening_log: str = ""
    closing_log: str = ""
    pictures: tuple[Picture, ...] = ()
    text: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    def with_fewer(self, images: int) -> "Run":
        """The run when its safety checker drops all but the first: silently, but for the log."""
        dropped = range(images, len(self.pictures))
        log = "".join(f"NSFW content detected in image {index}\n" for index in dropped)
        return replace(self, pictures=self.pictures[:images], closing_log=log + self.closing_log)


@dataclass(frozen=True)
class Model:
    """`plan(model, input, seed, files)` raises `RunFailed` for what passes the schema and fails in the run.

    `files` holds the fetched bytes of the file parameters that were given, by name. `weights` tells a
    trained version from any other of its destination, `identity` whom it was trained to show. `output` is
    what its runs put out.
    """

    owner: str
    name: str
    description: str
    is_official: bool
    license_url: str
    github_url: str
    versions: tuple[Version, ...]  # newest first
    parameters: tuple[Parameter, ...]
    pace: Pace
    plan: Callable[["Model", Input, int, Mapping[str, bytes]], Run]
    output: Literal["images", "text"] = "images"
    tags: tuple[str, ...] = ()
    readme: str = ""
    example: Input = field(default_factory=dict)
    trainer: Trainer | None = None
    weights: str = ""
    identity: Identity | None = None

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def painter(self) -> str:
        """Whose hand a picture shows."""
        return f"{self.full_name}:{self.weights}" if self.weights else self.full_name

    def shown_in(self, values: Input) -> Identity | None:
        """Whom a run shows: weights do nothing until their trigger word is in the prompt."""
        called = self.identity is not None and self.identity.is_called_by(values["prompt"])
        return self.identity if called and values.get("lora_scale", 1) > 0 else None

    def complete(self, given: Input) -> Json:
        """The input as the run sees it: defaults filled in, names that the model does not take dropped."""
        return {p.name: p.read(given[p.name]) if p.name in given else p.default for p in self.parameters}

    def unknown_names(self, given: Input) -> list[str]:
        known = {p.name for p in self.parameters}
        return [name for name in given if name not in known]

    def file_inputs(self, given: Input) -> dict[str, str]:
        return {p.name: given[p.name] for p in self.parameters if p.is_file and p.name in given}


def size_of_file(data: bytes) -> tuple[int, int]:
    """Width and height of an image among the inputs. Raises RunFailed for what is none."""
    try:
        return size_of_image(data)
    except ValueError as error:
        raise RunFailed(str(error)) from error


def pixel_settings(values: Input) -> str:
    """The values that decide pixels beside what a `Picture` names by itself, in canonical form."""
    return json.dumps({k: v for k, v in values.items() if k not in _NOT_SETTINGS}, sort_keys=True)


# How many pictures and how they are stored, and what Picture has a field for.
_NOT_SETTINGS = {
    "prompt",
    "seed",
    "num_outputs",
    "output_format",
    "output_quality",
    "disable_safety_checker",
    "image",
    "mask",
}


def placeholder_version(full_name: str) -> str:
    """A stable 64-hex id for a model whose real version ids Replicate's documents do not name."""
    return hashlib.sha256(f"stand-in for {full_name}".encode()).hexdigest()
