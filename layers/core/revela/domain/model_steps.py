"""What to do next with a personal model, from its first photo to its first image."""

from __future__ import annotations

from enum import StrEnum

from revela.domain.job import State
from revela.domain.personal_model import ModelState, PersonalModel
from revela.domain.photo_report import PhotoReport, Readiness
from revela.domain.training import Training


class NextStep(StrEnum):
    """Each names a text of `messages.STEPS`."""

    UPLOAD_PHOTOS = "upload_photos"
    WAIT_FOR_CHECKS = "wait_for_checks"
    ADD_PHOTOS = "add_photos"
    TRAIN = "train"
    WAIT_FOR_TRAINING = "wait_for_training"
    TRAIN_AGAIN = "train_again"
    GENERATE = "generate"
    WAIT_FOR_DELETION = "wait_for_deletion"


def next_step(model: PersonalModel, photos: PhotoReport, latest: Training | None) -> NextStep:
    if model.state is ModelState.DELETING:
        return NextStep.WAIT_FOR_DELETION
    if model.chosen is not None:
        return NextStep.GENERATE
    if latest is not None and latest.state.live:
        return NextStep.WAIT_FOR_TRAINING
    if photos.readiness is not Readiness.NOT_TRAINABLE:
        failed = latest is not None and latest.state is State.FAILED
        return NextStep.TRAIN_AGAIN if failed else NextStep.TRAIN
    if photos.pending:
        return NextStep.WAIT_FOR_CHECKS
    return NextStep.ADD_PHOTOS if photos.accepted or photos.rejected else NextStep.UPLOAD_PHOTOS
