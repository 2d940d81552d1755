"""The models that there are: those of `models/`, and the account's own, which trainings push versions to."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from local.replicate.clock import Clock, iso
from local.replicate.drawing.identity import Identity
from local.replicate.models import MODELS
from local.replicate.models.model import Json, Model, Version
from local.replicate.models.schema import openapi_schema

OWNER = "acme"  # the account that the token belongs to
LIMIT = 1_000  # models of one account
COG_VERSION = "0.14.0"

SortBy = Literal["model_created_at", "latest_version_created_at"]


@dataclass
class Entry:
    """A model as the API shows it. `runs` is what each of its versions does, by id, newest first."""

    owner: str
    name: str
    visibility: str
    created_at: str
    details: Json
    is_official: bool = False
    tags: tuple[str, ...] = ()
    readme: str = ""
    run_count: int = 0
    runs: dict[str, tuple[Version, Model]] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def is_own(self) -> bool:
        return self.owner == OWNER

    @property
    def latest(self) -> Model | None:
        return next((model for _, model in self.runs.values()), None)

    @property
    def latest_created_at(self) -> str:
        return next((version.created_at for version, _ in self.runs.values()), "")

    def to_json(self) -> Json:
        versions = self.versions_json()
        return {
            "url": f"https://replicate.com/{self.full_name}",
            "owner": self.owner,
            "name": self.name,
            "description": self.details.get("description"),
            "visibility": self.visibility,
            "is_official": self.is_official,
            "github_url": self.details.get("github_url"),
            "paper_url": self.details.get("paper_url"),
            "license_url": self.details.get("license_url"),
            "run_count": self.run_count,
            "cover_image_url": self.details.get("cover_image_url"),
            "default_example": None,
            "latest_version": versions[0] if versions else None,
        }

    def versions_json(self) -> list[Json]:
        return [version_json(version, model) for version, model in self.runs.values()]


def version_json(version: Version, model: Model) -> Json:
    return {
        "id": version.id,
        "created_at": version.created_at,
        "cog_version": version.cog_version,
        "openapi_schema": openapi_schema(model),
    }


class Registry:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        self._entries = {model.full_name: _entry_of(model) for model in MODELS}

    def find(self, owner: str, name: str) -> Entry | None:
        return self._entries.get(f"{owner}/{name}")

    def resolve(self, reference: str) -> tuple[Model, str] | None:
        """The model and the `version` that a prediction of it shows, or None where Replicate answers 422.

        `owner/name` is for official models only and shows `hidden`; `owner/name:<64 hex>` and `<64 hex>`
        name a version of any model.
        """
        path, colon, version_id = reference.partition(":")
        if "/" not in path:
            entries = [] if colon else list(self._entries.values())
            return next(((e.runs[path][1], path) for e in entries if path in e.runs), None)
        entry = self._entries.get(path)
        if entry is None or (not colon and not entry.is_official):
            return None
        if not colon:
            return (entry.latest, "hidden") if entry.latest else None
        return (entry.runs[version_id][1], version_id) if version_id in entry.runs else None

    def sorted_by(self, sort_by: SortBy, *, newest_first: bool) -> list[Entry]:
        """A model without a version counts as older than any with one."""

        def key(entry: Entry) -> tuple[str, str]:
            by_version = sort_by == "latest_version_created_at"
            return entry.latest_created_at if by_version else entry.created_at, entry.full_name

        return sorted(self._entries.values(), key=key, reverse=newest_first)

    def matching(self, text: str) -> list[Entry]:
        """Public models that hold each word of the text in their name, description or tags."""
        words = text.lower().split()
        return [
            entry
            for entry in self.sorted_by("latest_version_created_at", newest_first=True)
            if entry.visibility == "public" and all(word in _said_of(entry) for word in words)
        ]

    def own(self) -> Sequence[Entry]:
        return [entry for entry in self._entries.values() if entry.is_own]

    def create(self, name: str, visibility: str, details: Json) -> Entry:
        entry = Entry(OWNER, name, visibility, iso(self._clock.now_s()), details)
        self._entries[entry.full_name] = entry
        return entry

    def delete(self, entry: Entry) -> None:
        self._entries.pop(entry.full_name, None)

    def add_version(
        self, full_name: str, version_id: str, trained: Model, identity: Identity, at_s: float
    ) -> bool:
        """False when the destination was deleted meanwhile."""
        entry = self._entries.get(full_name)
        if entry is None:
            return False
        version = Version(version_id, iso(at_s), COG_VERSION)
        model = replace(
            trained,
            owner=entry.owner,
            name=entry.name,
            versions=(version,),
            weights=version_id,
            identity=identity,
        )
        entry.runs = {version_id: (version, model), **entry.runs}
        return True

    def count_run(self, full_name: str) -> None:
        if full_name in self._entries:
            self._entries[full_name].run_count += 1


def _entry_of(model: Model) -> Entry:
    return Entry(
        owner=model.owner,
        name=model.name,
        visibility="public",
        created_at=model.versions[-1].created_at,
        details={
            "description": model.description,
            "github_url": model.github_url,
            "license_url": model.license_url,
        },
        is_official=model.is_official,
        tags=model.tags,
        readme=model.readme,
        runs={version.id: (version, model) for version in model.versions},
    )


def _said_of(entry: Entry) -> str:
    return " ".join([entry.full_name, entry.details.get("description") or "", *entry.tags]).lower()
