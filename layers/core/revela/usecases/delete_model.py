"""Delete a personal model: what runs for it first, then all that is stored of it, here and at the provider."""

from __future__ import annotations

from revela.ports import ModelRef, Ports


def resume_deletion(ref: ModelRef, *, ports: Ports) -> None:
    """Go on with a deletion; whatever is left of it is due again."""
    raise NotImplementedError
