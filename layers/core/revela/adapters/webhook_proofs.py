"""What proves a webhook: Replicate's signature over its body, our token in its URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from revela.adapters.replicate.signature import is_signed
from revela.adapters.secrets import WebhookKeys, WebhookSecret
from revela.adapters.url_token import is_url_token


class WebhookProofs:
    """Checks with the keys in use, and with those of this very moment before it says no.

    Keys rotate, and Replicate repeats a webhook for about a minute only.
    """

    def __init__(self, secret: WebhookSecret) -> None:
        self._secret = secret

    def is_signed(self, signatures: str, *, message_id: str, timestamp: str, body: bytes) -> bool:
        return any(
            is_signed(secrets, signatures, message_id=message_id, timestamp=timestamp, body=body)
            for secrets in self._in_use_then_new(lambda keys: keys.replicate)
        )

    def is_our_url(self, token: str, *, user_id: str, generation_id: str, attempt: int) -> bool:
        return any(
            is_url_token(keys, token, user_id=user_id, generation_id=generation_id, attempt=attempt)
            for keys in self._in_use_then_new(lambda keys: keys.url_token)
        )

    def _in_use_then_new(self, which: Callable[[WebhookKeys], tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
        in_use = which(self._secret.keys())
        yield in_use
        yield tuple(key for key in which(self._secret.refreshed_keys()) if key not in in_use)
