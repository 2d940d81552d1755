"""One real prediction of the cheapest model, from its creation to its image."""

from __future__ import annotations

import io
from contextlib import closing, suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from local.check.asking import asked
from local.check.causes import Cause
from local.check.configured import Configured
from local.check.report import Failed
from revela.adapters.clock import SystemClock
from revela.adapters.entropy import SystemEntropy
from revela.adapters.replicate.client import ReplicateClient
from revela.adapters.replicate.outputs import ReplicateOutputs
from revela.adapters.replicate.predictions import PredictionBody, Predictions
from revela.domain.catalog import Catalog, CatalogModel
from revela.domain.errors import OutputUnusable, Permanent, ProviderTransient
from revela.domain.prediction import PredictionStatus

PROMPT = "a lighthouse at dawn, a test image"
POLL_FIRST_S, POLL_MAX_S = 0.25, 5.0
# What the product says of a URL, or of the addresses behind its name, that it was not told to trust.
FORBIDDEN = ("forbidden_url", "forbidden_address")


def cheapest(catalog: Catalog) -> CatalogModel:
    """Return the cheapest of the models that are billed by the image: their price is known beforehand."""
    priced = [model for model in catalog.models if model.provider_cost.usd_per_image is not None]
    return min(priced, key=lambda model: model.provider_cost.usd_per_image or Decimal(0))


def rendered(model: CatalogModel) -> dict[str, Any]:
    """Return what the model is sent for one image."""
    return model.render(model.complete({"prompt": PROMPT, "num_outputs": 1}, max_outputs=1))


class Trial:
    """One prediction, from its creation to its image."""

    def __init__(
        self,
        client: ReplicateClient,
        configured: Configured,
        model: CatalogModel,
        timeout_s: float,
    ) -> None:
        self._model = model
        self._predictions = Predictions(client)
        self._configured = configured
        self._clock = SystemClock()
        self._timeout_s = timeout_s
        self._prediction: PredictionBody | None = None

    @property
    def price(self) -> str:
        if self._configured.is_on_this_machine:
            return "from a server on this machine, which bills nothing"
        return f"about US$ {self._model.provider_cost.usd_per_image} (--dry-run leaves it out)"

    def create(self) -> str:
        try:
            self._prediction = asked(
                lambda: self._predictions.create(
                    version=self._model.version,
                    model_input=rendered(self._model),
                    cancel_after_s=self._model.deadline_s,
                ),
                missing=Cause.MODEL_NOT_FOUND,
                rejected=Cause.MODEL_INPUT_REJECTED,
            )
        except Failed as failed:
            if failed.cause is Cause.REPLICATE_SILENT:
                # Not tried again: Replicate knows no idempotency key, and would make and bill a second one.
                seen = f"{failed.seen}; whether it was made: `python -m local replicate predictions list`"
                raise Failed(failed.cause, seen) from None
            raise
        return f"there is some: prediction {self._prediction.id} was taken"

    def watch(self) -> str:
        """Poll until it has ended; cancel it when that takes too long, or nobody wants to wait."""
        prediction = self._created
        began = self._clock.now()
        give_up_at = began + timedelta(seconds=self._timeout_s)
        wait_s = POLL_FIRST_S
        try:
            while not prediction.status.terminal:
                if self._clock.now() >= give_up_at:
                    self._cancel()
                    seen = f"{prediction.id} is still {prediction.status} after {self._timeout_s:.0f} s"
                    raise Failed(Cause.PREDICTION_SLOW, seen)
                self._clock.sleep_until(self._clock.now() + timedelta(seconds=wait_s))
                wait_s = min(wait_s * 1.5, POLL_MAX_S)
                prediction = self._prediction = asked(partial(self._predictions.get, prediction.id))
        except KeyboardInterrupt:
            self._cancel()
            raise
        if prediction.status is not PredictionStatus.SUCCEEDED:
            reason = prediction.error or "no reason given"
            raise Failed(Cause.PREDICTION_FAILED, f"{prediction.id} {prediction.status}: {reason}")
        return f"{prediction.id} succeeded in {(self._clock.now() - began).total_seconds():.1f} s"

    def download(self) -> str:
        if not self._created.output:
            raise Failed(Cause.PREDICTION_FAILED, f"{self._created.id} succeeded without any output")
        data = self._downloaded(self._created.output[0])
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                return f"{image.width} x {image.height} {image.format}, {len(data):,} bytes"
        except (OSError, Image.DecompressionBombError):
            raise Failed(Cause.OUTPUT_UNUSABLE, f"{len(data):,} bytes that are no image") from None

    @property
    def _created(self) -> PredictionBody:
        assert self._prediction is not None, "create comes first"
        return self._prediction

    def _cancel(self) -> None:
        # Where this fails, Cancel-After ends it.
        with suppress(ProviderTransient, Permanent):
            self._predictions.cancel(self._created.id)

    def _downloaded(self, url: str) -> bytes:
        origins = ", ".join(self._configured.output_origins)
        try:
            outputs = ReplicateOutputs(
                origins=self._configured.output_origins, clock=self._clock, entropy=SystemEntropy()
            )
            with closing(outputs), outputs.download(url) as downloaded:
                return downloaded.path.read_bytes()
        except OutputUnusable as error:
            if error.reason in FORBIDDEN:
                host = urlsplit(url).netloc
                raise Failed(Cause.OUTPUT_FORBIDDEN, f"{host} is not among {origins}") from None
            raise Failed(Cause.OUTPUT_UNUSABLE, error.reason) from None
        except ProviderTransient as error:
            raise Failed(Cause.OUTPUT_UNUSABLE, str(error)) from None
        except ValueError as error:
            # What is configured is no origin; start-up would refuse it as well.
            raise Failed(Cause.OUTPUT_FORBIDDEN, str(error)) from None
