"""/v1/account: what a user may spend and do, and every credit that came or went."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Response

from api import schemas
from api.rendering import accounts as rendering
from api.requests import language, query, signed_in_user
from api.responses import answer, rate_limit
from api.routing import Router
from revela import bootstrap
from revela.usecases.list_ledger import ListLedger

router = Router()


@router.get("/v1/account")
def show() -> Response[str]:
    event = router.event
    view = bootstrap.show_account()(signed_in_user(event))
    return answer(
        rendering.account(view, language(event)),
        headers={
            "Content-Language": language(event),
            "Vary": "Accept-Language",
            **rate_limit(view),
        },
    )


@router.get("/v1/account/ledger")
def ledger() -> Response[str]:
    event = router.event
    user_id, wanted = signed_in_user(event), query(event, schemas.PageQuery)
    page = bootstrap.list_ledger()(ListLedger(user_id, limit=wanted.limit, cursor=wanted.cursor))
    return answer(rendering.ledger_page(page))
