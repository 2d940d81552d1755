"""A training's photos as the provider keeps them: for as long as an attempt needs them, and no longer."""

from __future__ import annotations

from revela.domain.errors import Permanent, ProviderTransient
from revela.domain.training import Training
from revela.ports import Ports


def forget_upload(row: Training, *, ports: Ports) -> None:
    """Delete the archive that the row names; what cannot be deleted now the provider forgets in a day."""
    if row.input_file_id is None:
        return
    try:
        ports.provider.delete_file(row.input_file_id)
    except (ProviderTransient, Permanent) as error:
        ports.telemetry.warning("upload_not_deleted", training_id=row.id, reason=type(error).__name__)
