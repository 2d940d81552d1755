"""What the service says of itself."""

from __future__ import annotations

from typing import Literal

from api.schemas.wire import Wire


class Health(Wire):
    status: Literal["ok"]
    version: str
