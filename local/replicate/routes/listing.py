"""Lists in replies: pages of a hundred, linked by opaque cursors in absolute URLs."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from local.replicate.models.model import Json as JsonObject
from local.replicate.pages import Cursor, page_of
from local.replicate.problems import invalid_request
from local.replicate.routes import Json, stand_in_of

Item = TypeVar("Item")


def listing(
    request: Request,
    newest_first: Sequence[Item],
    to_json: Callable[[Item], JsonObject],
    number_of: Callable[[Item], int] | None = None,
) -> Response:
    """The page that the request asks for. Without `number_of` items are told apart by their place.

    Counted from the end, so that what is new at the front shifts nothing.
    """
    count = len(newest_first)
    rows = [
        (number_of(item) if number_of else count - place, item) for place, item in enumerate(newest_first)
    ]
    page = page_of(rows, lambda row: row[0], _cursor(request))
    filters = {key: value for key, value in request.query_params.items() if key != "cursor"}

    def link(cursor: Cursor | None) -> str | None:
        if cursor is None:
            return None
        origin = stand_in_of(request).settings.origin
        return f"{origin}{request.url.path}?{urlencode(filters | {'cursor': cursor.encode()})}"

    return Json(
        {
            "previous": link(page.previous),
            "next": link(page.next),
            "results": [to_json(item) for _, item in page.results],
        }
    )


def _cursor(request: Request) -> Cursor | None:
    text = request.query_params.get("cursor")
    try:
        return None if text is None else Cursor.decode(text)
    except ValueError as error:
        raise invalid_request("cursor is not one that a page has named") from error
