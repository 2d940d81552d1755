"""What the webhook's door knows, without Secrets Manager."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class FakeWebhookSecrets:
    stored: list[str] = field(default_factory=list)

    def knows_replicate_secret(self) -> bool:
        return bool(self.stored)

    def remember_replicate_secret(self, secret: str) -> bool:
        if self.stored[:1] == [secret]:
            return False
        self.stored = [secret, *self.stored[:1]]
        return True
