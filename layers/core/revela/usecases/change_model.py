"""Change a personal model: its name, and the version that images are made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from revela.domain.change import Change, ModelWrite
from revela.domain.errors import Conflict, InvalidParam, InvalidRequest, NotNow
from revela.domain.personal_model import PersonalModel
from revela.ports import ModelRef, Ports
from revela.usecases import personal_models
from revela.usecases.contention import contended
from revela.usecases.prompt_checks import Text, require_acceptable


@dataclass(frozen=True)
class ChangeModel:
    """None: leave it as it is."""

    model: ModelRef
    name: str | None = None
    chosen_version: str | None = None


def change_model(command: ChangeModel, *, ports: Ports) -> PersonalModel:
    """Return the model as it now is.

    Raises:
        NotFound: the user has no such model.
        NotNow: it is being deleted; a version is chosen before there is any.
        InvalidRequest: it has no such version; a name that the policy refuses.
    """
    for _ in contended(ports):
        model = personal_models.get(command.model, ports=ports)
        wanted: dict[str, Any] = {}
        if command.name is not None:
            name = Text("name", command.name, "name")
            require_acceptable(model.user_id, [name], own_model=model.kind.of_a_person, ports=ports)
            wanted["name"] = command.name
        if command.chosen_version is not None:
            versions = [version.id for version in model.versions]
            if not versions:
                raise NotNow("model_untrained")
            if command.chosen_version not in versions:
                allowed = {"allowed": ", ".join(versions)}
                raise InvalidRequest(
                    "invalid_request",
                    invalid_params=[InvalidParam("chosen_version", "not_one_of", allowed)],
                )
            wanted["chosen_version"] = command.chosen_version
        if not wanted:
            return model
        now = ports.clock.now()
        after = model.changed(now, **wanted)
        try:
            ports.changes.commit(Change(now=now, model=ModelWrite(model, after)))
        except Conflict:
            continue
        return after
    raise NotNow("write_conflict")
