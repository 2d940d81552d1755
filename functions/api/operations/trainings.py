"""Trainings: what is advised, what is asked for, how far it is."""

from __future__ import annotations

from api import schemas
from api.examples import trainings as examples
from api.operations.operation import BODY, SIGNED_IN, Operation, Success

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "get",
        "/v1/models/{id}/training-advice",
        "adviseTraining",
        "Trainings",
        "How to train, and what it costs",
        "Parameters with their reasons for this model's kind and photos. Asking costs nothing.",
        (Success(200, "The advice.", schemas.TrainingAdvice, ("Content-Language",), examples.ADVICE),),
        ("not_found", "invalid_request", "model_deleting", *SIGNED_IN),
        query=schemas.AdviceQuery,
    ),
    Operation(
        "post",
        "/v1/models/{id}/trainings",
        "createTraining",
        "Trainings",
        "Train a model",
        "Holds the credits and queues the training, with the photos that are accepted now. A failed one "
        "costs nothing, and leaves the versions before it as they are. Send an Idempotency-Key, and repeat "
        "the request when its answer was lost.",
        (
            Success(
                202,
                "Accepted.",
                schemas.Training,
                ("Location", "Retry-After", "Idempotency-Replayed", "Content-Language"),
                examples.QUEUED,
            ),
        ),
        (
            *BODY,
            "insufficient_credits",
            "account_suspended",
            "plan_without_trainings",
            "not_found",
            "too_few_photos",
            "model_deleting",
            "write_conflict",
            "idempotency_key_reused",
            "too_many_trainings",
            "model_resting",
            "all_models_resting",
            *SIGNED_IN,
        ),
        body=schemas.TrainingRequest,
        body_examples=examples.REQUESTS,
        headers=("Idempotency-Key", "Accept-Language"),
    ),
    Operation(
        "get",
        "/v1/models/{id}/trainings",
        "listTrainings",
        "Trainings",
        "List a model's trainings",
        "Newest first.",
        (Success(200, "A page.", schemas.TrainingPage, ("Content-Language",), examples.TRAININGS),),
        ("not_found", "invalid_request", "model_deleting", *SIGNED_IN),
        query=schemas.PageQuery,
    ),
    Operation(
        "get",
        "/v1/models/{id}/trainings/{training_id}",
        "getTraining",
        "Trainings",
        "Look at one training",
        "How far it is, and when it is expected to end. Poll it with If-None-Match until it has ended.",
        (
            Success(
                200,
                "The training.",
                schemas.Training,
                ("ETag", "Retry-After", "Content-Language"),
                examples.PROCESSING,
            ),
            Success(304, "It is as you have it.", headers=("ETag", "Retry-After", "Content-Language")),
        ),
        ("not_found", *SIGNED_IN),
        headers=("If-None-Match", "Accept-Language"),
    ),
    Operation(
        "post",
        "/v1/models/{id}/trainings/{training_id}/cancel",
        "cancelTraining",
        "Trainings",
        "Cancel a training",
        "Asking again changes nothing. Takes no body.",
        (
            Success(
                200,
                "Canceled; the credits are back.",
                schemas.Training,
                ("Content-Language",),
                examples.CANCELED,
            ),
            Success(
                202,
                "The provider is being asked: keep watching. A version done first is kept and charged.",
                schemas.Training,
                ("Retry-After", "Content-Language"),
                examples.CANCELING,
            ),
        ),
        ("not_found", "training_saving", "training_ended", *SIGNED_IN),
    ),
)
