"""What went wrong with a call: worth another try, or a fault of ours."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException, TransactWriteError

from revela.domain.errors import Transient

# A failure of one item names an exception, a failure within a transaction a reason.
CONDITION_FAILED = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
_CONTENTION = frozenset(
    {"TransactionConflict", "TransactionConflictException", "TransactionInProgressException"}
)
_THROTTLING = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingError",
        "ThrottlingException",
    }
)
_OUTAGE = frozenset({"InternalServerError", "InternalServerErrorException", "ServiceUnavailable"})


def reasons(error: PynamoDBException) -> list[str]:
    """Return a code for each item of a transaction ("": not its fault), or the one code there is."""
    if isinstance(error, TransactWriteError) and error.cancellation_reasons:
        return [reason.code if reason else "" for reason in error.cancellation_reasons]
    # Not `error.cause_response_code`: it stumbles over botocore's errors without a response.
    if isinstance(error.cause, ClientError):
        return [error.cause.response.get("Error", {}).get("Code", "")]
    return [""]


def contended(error: PynamoDBException) -> bool:
    """Tell whether the same call, refused for now, may succeed in a moment."""
    codes = set(reasons(error)) - {""}
    return bool(codes) and codes <= _CONTENTION | _THROTTLING


def condition_failed(error: PynamoDBException) -> bool:
    return not CONDITION_FAILED.isdisjoint(reasons(error))


def as_raised(error: PynamoDBException) -> Exception:
    """Return Transient for an outage, throttling or a lost connection; a fault of ours stays itself."""
    codes = set(reasons(error)) - {""}
    if isinstance(error.cause, BotoCoreError) or codes & (_CONTENTION | _THROTTLING | _OUTAGE):
        return Transient(f"DynamoDB: {', '.join(sorted(codes)) or type(error.cause).__name__}")
    return error


@contextmanager
def transient() -> Iterator[None]:
    try:
        yield
    except PynamoDBException as error:
        raised = as_raised(error)
        if raised is error:
            raise
        raise raised from error


def jitter_s(base_s: float, tried: int) -> float:
    """Return how long to wait before the next try: doubling, full jitter."""
    return random.random() * base_s * (1 << tried)  # noqa: S311  # spreads writers, guards nothing
