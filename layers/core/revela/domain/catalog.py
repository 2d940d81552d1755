"""The catalog: which models and trainers there are, what each takes and costs, and how it names things.

Clients speak one vocabulary for all models; the catalog narrows it to what a model takes and
renders the model's own input. It is data (`data/catalog.json`), validated when it is loaded.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from revela.domain.errors import InvalidParam, InvalidRequest
from revela.domain.image_model import ImageModel
from revela.domain.judge_models import JudgeModel
from revela.domain.licence import Licence
from revela.domain.plans import Plan
from revela.domain.trainers import FineTune, Trainer


class CatalogModel(ImageModel):
    """A model people can ask for; `version` is what the provider is told to run."""

    name: str
    description: dict[str, str]
    version: str = Field(pattern=r"^([\w.-]+/[\w.-]+|[\w.-]+/[\w.-]+:[0-9a-f]{64}|[0-9a-f]{64})$")
    licence: Licence


class Judges(BaseModel):
    """Who is asked about prompts in doubt, and about images where the provider judges them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: JudgeModel
    image: JudgeModel


class Catalog(BaseModel):
    """`price_version` is written on every ledger entry that a price decided."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    price_version: str
    plans: tuple[Plan, ...]
    models: tuple[CatalogModel, ...]
    fine_tunes: tuple[FineTune, ...]
    trainers: tuple[Trainer, ...] = Field(min_length=1)
    judges: Judges

    @model_validator(mode="after")
    def _unique(self) -> Catalog:
        for kind, listed in (
            ("plan", self.plans),
            ("model", self.models),
            ("fine-tune", self.fine_tunes),
            ("trainer", self.trainers),
        ):
            if len({entry.id for entry in listed}) != len(listed):
                raise ValueError(f"each {kind} id must be unique")
        return self

    @model_validator(mode="after")
    def _whole(self) -> Catalog:
        if not {tune.family for tune in self.fine_tunes} <= {model.id for model in self.models}:
            raise ValueError("a fine-tune grows from a model of the catalog")
        if not {trainer.fine_tune for trainer in self.trainers} <= {tune.id for tune in self.fine_tunes}:
            raise ValueError("a trainer makes a fine-tune of the catalog")
        return self

    def model(self, model_id: str) -> CatalogModel:
        """Raises InvalidRequest when there is no such model."""
        for model in self.models:
            if model.id == model_id:
                return model
        allowed = ", ".join(m.id for m in self.models)
        raise InvalidRequest(
            "invalid_request", invalid_params=[InvalidParam("model", "not_one_of", {"allowed": allowed})]
        )

    def trainer(self, trainer_id: str | None = None) -> Trainer:
        """Return the trainer, by default the first. Raises InvalidRequest when there is no such trainer."""
        if trainer_id is None:
            return self.trainers[0]
        for trainer in self.trainers:
            if trainer.id == trainer_id:
                return trainer
        allowed = ", ".join(t.id for t in self.trainers)
        raise InvalidRequest(
            "invalid_request", invalid_params=[InvalidParam("trainer", "not_one_of", {"allowed": allowed})]
        )

    def fine_tune_of(self, trainer: Trainer) -> FineTune:
        """Return what the trainer's versions are."""
        return next(tune for tune in self.fine_tunes if tune.id == trainer.fine_tune)

    def fine_tune(self, fine_tune_id: str) -> FineTune:
        """Raises InvalidRequest when it has left the catalog."""
        for tune in self.fine_tunes:
            if tune.id == fine_tune_id:
                return tune
        raise InvalidRequest("invalid_request", invalid_params=[InvalidParam("model", "fine_tune_gone")])

    def plan(self, plan_id: str) -> Plan:
        """Raises InvalidRequest when there is no such plan."""
        for plan in self.plans:
            if plan.id == plan_id:
                return plan
        allowed = ", ".join(p.id for p in self.plans)
        raise InvalidRequest(
            "invalid_request", invalid_params=[InvalidParam("plan", "not_one_of", {"allowed": allowed})]
        )
