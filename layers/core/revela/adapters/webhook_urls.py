"""Where the provider calls back: one URL per attempt of a job, which only we can make."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from revela.adapters.url_token import url_token
from revela.ports import Ref

PATH, TRAINING_PATH = "/api/webhooks/generation", "/api/webhooks/training"


class SignedWebhookUrls:
    """`base_url` is this system's public one; None where no provider can reach it.

    `key` is asked for the current key each time, so that a rotated one is taken up.
    """

    def __init__(self, base_url: str | None, key: Callable[[], str]) -> None:
        self._base_url = base_url.rstrip("/") if base_url else None
        self._key = key

    def for_job(self, ref: Ref, attempt: int) -> str | None:
        if self._base_url is None:
            return None
        token = url_token(self._key(), user_id=ref.user_id, generation_id=ref.id, attempt=attempt)
        query = urlencode({"user": ref.user_id, "id": ref.id, "attempt": attempt, "token": token})
        return f"{self._base_url}{TRAINING_PATH if ref.of_training else PATH}?{query}"
