"""What lives in Secrets Manager: Replicate's API token, and what proves that a webhook is genuine.

Each value is read when first needed, kept for a minute, and read again at once when something shows
that it may have changed - that, too, at most once a minute, because anybody can send a forged webhook.
Of third parties only botocore, for the open door of the webhooks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from revela.domain.errors import ProviderUnauthorized, ProviderUnavailable, Transient

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT_S = 60.0
# What the template puts there until an operator has stored the token.
UNSET = "unset"


class ReplicateToken:
    """The API token: the secret's whole value."""

    def __init__(self, secret: CachedSecret) -> None:
        self._secret = secret

    def __call__(self) -> str:
        """Return the token.

        Raises:
            ProviderUnauthorized: none was stored yet, or what was stored cannot be one.
            ProviderUnavailable: Secrets Manager does not answer.
        """
        try:
            token = self._secret.read().strip()
        except Transient as error:
            raise ProviderUnavailable("the Replicate API token cannot be read") from error
        if not token or token == UNSET:
            raise ProviderUnauthorized("no Replicate API token is stored in Secrets Manager yet")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ProviderUnauthorized("what Secrets Manager holds is no Replicate API token")
        return token


@dataclass(frozen=True)
class WebhookKeys:
    """`replicate`: active signing secrets, newest first; `url_token`: current key, then the previous one."""

    replicate: tuple[str, ...]
    url_token: tuple[str, ...]


class WebhookSecret:
    """JSON: {"replicate": ["whsec_..."], "url_token_key": "...", "url_token_key_previous": "..."}."""

    def __init__(self, secret: CachedSecret) -> None:
        self._secret = secret

    def keys(self) -> WebhookKeys:
        return _keys(self._secret.read())

    def refreshed_keys(self) -> WebhookKeys:
        """Return the keys as they are now, if the last such call is a minute ago."""
        return _keys(self._secret.refresh())

    def url_token_key(self) -> str:
        """Return the key that signs new URLs."""
        keys = self.keys().url_token
        if not keys:
            raise Transient("the webhook secret holds no url_token_key")
        return keys[0]

    def knows_replicate_secret(self) -> bool:
        return bool(self.keys().replicate)

    def remember_replicate_secret(self, secret: str) -> bool:
        """Store the account's signing secret as the newest, beside the one before it.

        Returns whether anything had to be written.
        """
        stored = _parsed(self._secret.reread())
        known = _texts(stored.get("replicate"))
        if known[:1] == (secret,):
            return False
        others = tuple(old for old in known if old != secret)
        self._secret.write(json.dumps(stored | {"replicate": [secret, *others[:1]]}))
        return True


class CachedSecret:
    """One secret's text."""

    def __init__(
        self,
        client: SecretsManagerClient,
        secret_id: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._monotonic = monotonic
        self._text: str | None = None
        self._read_at = 0.0
        self._refreshed_at: float | None = None

    def read(self) -> str:
        """Return the text, at most a minute old unless Secrets Manager does not answer.

        Raises:
            Transient: it was never read yet, and cannot be now.
        """
        if self._text is None or self._monotonic() - self._read_at >= KEPT_S:
            return self._read_or_keep()
        return self._text

    def refresh(self) -> str:
        """Return the text as it is now, or as last read if the last refresh is less than a minute ago."""
        now = self._monotonic()
        if self._refreshed_at is not None and now - self._refreshed_at < KEPT_S:
            return self.read()
        self._refreshed_at = now
        return self._read_or_keep()

    def reread(self) -> str:
        """Return the text as it is now, whatever that costs. Raises Transient."""
        try:
            answer = self._client.get_secret_value(SecretId=self._secret_id)
            text = answer["SecretString"]
        except (BotoCoreError, ClientError, KeyError) as error:
            raise Transient(f"secret {self._secret_id} cannot be read") from error
        self._text, self._read_at = text, self._monotonic()
        return text

    def write(self, text: str) -> None:
        """Store a new text. Raises Transient."""
        try:
            self._client.put_secret_value(SecretId=self._secret_id, SecretString=text)
        except (BotoCoreError, ClientError) as error:
            raise Transient(f"secret {self._secret_id} cannot be written") from error
        self._text, self._read_at = text, self._monotonic()

    def _read_or_keep(self) -> str:
        try:
            return self.reread()
        except Transient:
            if self._text is None:
                raise
            # What is known is better than nothing, and is tried again in a minute.
            self._read_at = self._monotonic()
            return self._text


def _keys(text: str) -> WebhookKeys:
    stored = _parsed(text)
    return WebhookKeys(
        replicate=_texts(stored.get("replicate")),
        url_token=_texts([stored.get("url_token_key"), stored.get("url_token_key_previous")]),
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        stored = json.loads(text)
    except ValueError as error:
        raise Transient("the webhook secret is not JSON") from error
    if not isinstance(stored, dict):
        raise Transient("the webhook secret is not a JSON object")
    return stored


def _texts(values: Any) -> tuple[str, ...]:
    return (
        tuple(value for value in values if isinstance(value, str) and value)
        if isinstance(values, list)
        else ()
    )
