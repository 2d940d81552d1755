"""Show a generation: the row, and URLs that its images can be fetched from for a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from revela.domain.errors import NotFound
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.ports import Ports, Ref


@dataclass(frozen=True)
class GenerationView:
    """`urls` maps every key of the outputs to a URL that works until `urls_expire_at` at least."""

    generation: Generation
    urls: Mapping[str, str]
    urls_expire_at: datetime | None

    @property
    def tag(self) -> str:
        """Changes exactly when the view does: with the row, and with its URLs if it has any."""
        version = str(self.generation.version)
        return f"{version}-{int(self.urls_expire_at.timestamp())}" if self.urls_expire_at else version


def show_generation(ref: Ref, *, ports: Ports) -> GenerationView:
    """Return the user's generation.

    Raises:
        NotFound: the user has no such generation, or it is being deleted.
    """
    row = ports.generations.get(ref)
    if row is None or row.state is State.DELETING:
        raise NotFound("not_found")
    return view([row], ports=ports)[0]


def view(generations: Sequence[Generation], *, ports: Ports) -> list[GenerationView]:
    """Return a view of each, all URLs signed in one batch."""
    keys = {row.id: [k for o in row.outputs for k in (o.key, o.thumbnail_key)] for row in generations}
    if not any(keys.values()):
        return [GenerationView(row, {}, None) for row in generations]
    urls, expires_at = ports.objects.presign([key for row_keys in keys.values() for key in row_keys])
    return [
        GenerationView(row, {key: urls[key] for key in keys[row.id]}, expires_at if row.outputs else None)
        for row in generations
    ]
