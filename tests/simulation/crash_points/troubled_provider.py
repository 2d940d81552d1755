"""What Replicate does to a request at its worst, between the product and the stand-in."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable

import httpx

Answer = Callable[[httpx.Request], httpx.Response]
# Names the judge that a request asks, if it asks one.
JudgeOf = Callable[[httpx.Request], str | None]

_CREATE = ("POST", "/v1/predictions")


class TroubledProvider:
    """Passes requests on, and answers; what was ordered happens to the next creates, in that order.

    What judges are asked is no create of a job: it has orders of its own.
    """

    def __init__(self, asked: Answer, judge_of: JudgeOf) -> None:
        self._asked = asked
        self._judge_of = judge_of
        self._creates: deque[Answer] = deque()
        self._questions: deque[Answer] = deque()
        self._delayed: list[httpx.Request] = []
        self._judges_hold = True
        self._judges_are_away = False
        self._throttled_reads = 0
        self._stops_nothing = False

    def refuse_create(self, status: int, detail: str) -> None:
        self._creates.append(lambda request: _problem(request, status, detail))

    def refuse_judge(self, status: int, detail: str) -> None:
        """The next question to a judge, whichever, is refused."""
        self._questions.append(lambda request: _problem(request, status, detail))

    def ask_judges_twice(self) -> None:
        """Questions to judges are taken at once, and never held for what is said."""
        self._judges_hold = False

    def judges_go(self) -> None:
        """No question to a judge is answered any more."""
        self._judges_are_away = True

    def leave_create_unanswered(self) -> None:
        """It takes effect, but nobody hears of it."""
        self._creates.append(lambda request: _unanswered(request, after=self._asked))

    def lose_create(self) -> None:
        """Nobody hears of it, and it takes no effect."""
        self._creates.append(_unanswered)

    def delay_create(self) -> None:
        """Nobody hears of it, and it takes effect only with `arrive`."""
        self._creates.append(lambda request: _unanswered(request, after=self._delayed.append))

    def arrive(self) -> list[str]:
        """Let the creates that were delayed take effect now; return the ids of what they made."""
        arrived, self._delayed = self._delayed, []
        return [json.loads(self._asked(request).read())["id"] for request in arrived]

    def throttle_reads(self, times: int) -> None:
        self._throttled_reads = times

    def stop_nothing(self) -> None:
        """Predictions run on past their deadlines, and although they are canceled."""
        self._stops_nothing = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if (request.method, request.url.path) == _CREATE and self._judge_of(request):
            return self._judged(request)
        if (request.method, request.url.path) == _CREATE:
            if self._stops_nothing:
                del request.headers["cancel-after"]
            return self._creates.popleft()(request) if self._creates else self._asked(request)
        if (
            self._throttled_reads
            and request.method == "GET"
            and request.url.path.startswith("/v1/predictions")
        ):
            self._throttled_reads -= 1
            return _problem(request, 429, "Request was throttled. Your rate limit resets in ~1s.")
        if self._stops_nothing and request.url.path.endswith("/cancel"):
            running = request.url.copy_with(path=request.url.path.removesuffix("/cancel"))
            return self._asked(httpx.Request("GET", running, headers=request.headers))
        return self._asked(request)

    def _judged(self, request: httpx.Request) -> httpx.Response:
        if self._judges_are_away:
            return _problem(request, 503, "Service unavailable")
        if not self._judges_hold:
            del request.headers["prefer"]
        return self._questions.popleft()(request) if self._questions else self._asked(request)


def _unanswered(
    request: httpx.Request, after: Callable[[httpx.Request], object] = lambda _: None
) -> httpx.Response:
    after(request)
    raise httpx.ReadError("connection reset by peer", request=request)


def _problem(request: httpx.Request, status: int, detail: str) -> httpx.Response:
    return httpx.Response(status, json={"detail": detail, "status": status}, request=request)
