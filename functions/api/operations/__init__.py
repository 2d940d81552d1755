"""Every operation of the API as its OpenAPI document tells it; the routes are held to this by a test."""

from __future__ import annotations

from api.operations import account, generations, models, photos, service, trainings
from api.operations.operation import STATUS_OF, Operation, Success

__all__ = ["OPERATIONS", "STATUS_OF", "Operation", "Success"]

OPERATIONS: tuple[Operation, ...] = (
    *generations.OPERATIONS,
    *models.OPERATIONS,
    *photos.OPERATIONS,
    *trainings.OPERATIONS,
    *account.OPERATIONS,
    *service.OPERATIONS,
)
