"""What an account has and was charged."""

from __future__ import annotations

from api import schemas
from api.examples import account as examples
from api.operations.operation import RATE_LIMIT, SIGNED_IN, Operation, Success

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "get",
        "/v1/account",
        "getAccount",
        "Account",
        "Look at your account",
        "Plan, credits, and what is under way. The first call of a new user, whichever it is, opens the "
        "account on the free plan.",
        (Success(200, "The account.", schemas.Account, (*RATE_LIMIT, "Content-Language"), examples.ACCOUNT),),
        SIGNED_IN,
    ),
    Operation(
        "get",
        "/v1/account/ledger",
        "listLedger",
        "Account",
        "List what moved your credits",
        "Newest first; entries never change.",
        (Success(200, "A page.", schemas.LedgerPage, example=examples.LEDGER),),
        ("invalid_request", *SIGNED_IN),
        query=schemas.PageQuery,
    ),
)
