"""Personal models as flows find them: photos accepted, or trained already."""

from __future__ import annotations

import hashlib
from datetime import datetime

from local.replicate.drawing.identity import Identity
from local.replicate.models.fine_tune import FLUX_FINE_TUNE
from local.replicate.registry import Registry
from revela.domain.change import Change, ModelWrite, PhotoWrite
from revela.domain.personal_model import TrainedVersion
from revela.domain.photo import CleanCopy, ModelKind
from revela.domain.photo_report import TRAINABLE
from revela.ports import ModelRef, Ports
from revela.usecases.create_model import CreateModel, create_model
from tests.contract.photo_zips import jpeg
from tests.photos.findings import facts_of, photo_of
from tests.simulation.crash_points.history import ANA

_BROWN = (120, 90, 60)


def put_model(ports: Ports, now: datetime) -> ModelRef:
    """Have a model be there that can be trained."""
    model = create_model(
        CreateModel(ANA, "Ana", ModelKind.FACE, "woman", "1", "203.0.113.7", "REVK"), ports=ports
    )
    for n in range(TRAINABLE):
        data = jpeg(shade=n)
        copy = CleanCopy(width=64, height=64, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        photo = photo_of(n, user_id=ANA, model_id=model.id, facts=facts_of(clean=copy))
        ports.changes.commit(Change(now=now, photos=(PhotoWrite(None, photo),)))
        assert photo.clean_key is not None
        ports.objects.put_bytes(photo.clean_key, data, content_type="image/jpeg")
    return ModelRef(ANA, model.id)


def put_trained_model(ports: Ports, now: datetime, registry: Registry) -> ModelRef:
    """Have a model be there that images can be made with; what trained it has left no row."""
    ref, version_id = put_model(ports, now), "b" * 64
    entry = registry.create("revela-flux-fast", "private", {})
    model = ports.models.get(ref)
    assert model is not None
    identity = Identity(model.trigger_word, skin=_BROWN, hair=_BROWN, cloth=_BROWN, emblem=_BROWN, points=5)
    registry.add_version(entry.full_name, version_id, FLUX_FINE_TUNE, identity, now.timestamp())
    version = TrainedVersion(
        id="trn_1",
        provider_version=f"{entry.full_name}:{version_id}",
        trainer="flux-fast",
        fine_tune="flux-dev-fine-tune",
        trained_at=now,
    )
    trained = ModelWrite(model, model.with_version(version, now=now))
    ports.changes.commit(Change(now=now, model=trained))
    return ref
