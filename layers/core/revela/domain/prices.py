"""What the provider bills us, in US dollars."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, model_validator


class ProviderCost(BaseModel):
    """What the provider bills us in US dollars: by the image, or by the second of predict time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd_per_image: Decimal | None = None
    usd_per_second: Decimal | None = None

    @model_validator(mode="after")
    def _one(self) -> ProviderCost:
        if (self.usd_per_image is None) == (self.usd_per_second is None):
            raise ValueError("a cost is either by the image or by the second")
        return self

    def micro_usd(self, *, images: int, predict_time_s: float | None) -> int:
        """Return the cost in millionths of a US dollar."""
        if self.usd_per_image is not None:
            return int(self.usd_per_image * images * 1_000_000)
        return int((self.usd_per_second or Decimal(0)) * Decimal(str(predict_time_s or 0)) * 1_000_000)
