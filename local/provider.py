"""Which server the functions take for Replicate: the stand-in, the real one, or any that speaks its API."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

REPLICATE_URL = "https://api.replicate.com/v1"
REPLICATE_OUTPUTS = "https://replicate.delivery"
OWN_API = ""
NO_WEBHOOKS = "none"


@dataclass(frozen=True)
class Provider:
    """`webhook_secret` None: not the stand-in, which alone is told what to sign with."""

    api_url: str
    output_origins: str
    webhook_url: str
    token: str
    webhook_secret: str | None = None

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Provider | None:
        """Return the server that the environment names, None when it names none.

        It cannot reach this machine, so jobs finish by polling unless a public URL for webhooks is named too.
        """
        token, url = environ.get("REPLICATE_API_TOKEN"), environ.get("REPLICATE_API_BASE_URL")
        if not token and not url:
            return None
        return cls(
            api_url=url or REPLICATE_URL,
            output_origins=environ.get("REPLICATE_OUTPUT_ORIGINS") or REPLICATE_OUTPUTS,
            webhook_url=environ.get("REPLICATE_WEBHOOK_URL") or NO_WEBHOOKS,
            # A server of one's own may ask for no token; the functions will not go without one.
            token=token or "none",
        )

    @classmethod
    def stand_in(cls, port: int) -> Provider:
        origin = f"http://127.0.0.1:{port}"
        return cls(
            api_url=f"{origin}/v1",
            output_origins=origin,
            webhook_url=os.environ.get("REPLICATE_WEBHOOK_URL") or OWN_API,
            token=f"r8_{secrets.token_hex(20)}",
            webhook_secret=f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}",
        )

    @property
    def is_stand_in(self) -> bool:
        return self.webhook_secret is not None

    @property
    def origin(self) -> str:
        return self.api_url.removesuffix("/v1")
