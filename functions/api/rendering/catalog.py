"""The catalog as it is shown."""

from __future__ import annotations

from collections.abc import Mapping

from api import schemas
from api.rendering.accounts import plan
from revela.domain import catalog, messages, photo, photo_report
from revela.domain.parameters import Parameter, Sizes
from revela.domain.trainers import FineTune, Trainer
from revela.usecases.request_photo_uploads import PHOTOS_MAX


def whole_catalog(offered: catalog.Catalog, language: messages.Language) -> schemas.Catalog:
    return schemas.Catalog(
        price_version=offered.price_version,
        models=[_model(model, language) for model in offered.models],
        fine_tunes=[_fine_tune(tune) for tune in offered.fine_tunes],
        trainers=[_trainer(trainer, language) for trainer in offered.trainers],
        photos=schemas.PhotoRules(
            content_types=list(photo.CONTENT_TYPES),
            max_bytes=photo.BYTES_MAX,
            needed=photo_report.TRAINABLE,
            recommended=photo_report.RECOMMENDED,
            maximum=PHOTOS_MAX,
        ),
        plans=[plan(p, language) for p in offered.plans if p.public],
    )


def _model(model: catalog.CatalogModel, language: messages.Language) -> schemas.CatalogModel:
    return schemas.CatalogModel(
        id=model.id,
        name=model.name,
        description=model.description[language],
        licence=schemas.Licence(name=model.licence.name, note=model.licence.note[language]),
        reproducible=model.reproducible,
        credits_per_image=model.credits_per_image,
        sizes=_sizes(model.sizes),
        parameters=_parameters(model.parameters),
    )


def _fine_tune(tune: FineTune) -> schemas.CatalogFineTune:
    return schemas.CatalogFineTune(
        id=tune.id,
        family=tune.family,
        reproducible=tune.reproducible,
        credits_per_image=tune.credits_per_image,
        sizes=_sizes(tune.sizes),
        parameters=_parameters(tune.parameters),
    )


def _trainer(trainer: Trainer, language: messages.Language) -> schemas.CatalogTrainer:
    return schemas.CatalogTrainer(
        id=trainer.id,
        name=trainer.name,
        description=trainer.description[language],
        fine_tune=trainer.fine_tune,
        credits_per_1000_steps=trainer.credits_per_1000_steps,
        expected_minutes=trainer.expected_minutes(trainer.complete({})),
        recommended_photos=trainer.recommended_photos,
        parameters=_parameters(trainer.parameters),
    )


def _sizes(sizes: Sizes) -> schemas.Sizes:
    named = {name: schemas.Size(width=w, height=h) for name, (w, h) in sizes.ratios.items()}
    return schemas.Sizes(
        default=named["1:1"],
        aspect_ratios=named,
        pixels=schemas.PixelRange(minimum=sizes.minimum, maximum=sizes.maximum, step=sizes.step)
        if sizes.minimum is not None and sizes.maximum is not None and sizes.step is not None
        else None,
    )


def _parameters(parameters: Mapping[str, Parameter]) -> dict[str, schemas.Parameter]:
    return {
        name: schemas.Parameter(
            type=parameter.type,
            required=parameter.required,
            default=parameter.default,
            minimum=parameter.minimum,
            maximum=parameter.maximum,
            allowed=list(parameter.enum) or list(parameter.choices) or None,
            min_length=parameter.min_length,
            max_length=parameter.max_length,
        )
        for name, parameter in parameters.items()
    }
