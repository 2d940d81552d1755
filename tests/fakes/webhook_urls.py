from __future__ import annotations

from revela.ports import Ref


class FakeWebhookUrls:
    """With `base` None there are no webhooks, and jobs live by polling."""

    def __init__(self, base: str | None = "https://api.test") -> None:
        self.base = base

    def for_job(self, ref: Ref, attempt: int) -> str | None:
        if self.base is None:
            return None
        kind = "training" if ref.of_training else "generation"
        return f"{self.base}/api/webhooks/{kind}?user={ref.user_id}&id={ref.id}&attempt={attempt}&token=t"
