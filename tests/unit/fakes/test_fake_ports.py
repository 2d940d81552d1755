from __future__ import annotations

from datetime import timedelta

import pytest

from revela.ports import CreatePrediction, Ports, Ref
from tests.fakes import FakePorts

REQUEST = CreatePrediction(
    version="black-forest-labs/flux-schnell",
    input={"num_outputs": 2, "output_format": "webp"},
    webhook_url=None,
    cancel_after_s=60,
)


def test_the_fakes_are_ports() -> None:
    ports: Ports = FakePorts()  # mypy holds each fake to its protocol here

    assert ports.catalog.model("flux-dev").credits_per_image == 3


def test_every_port_call_can_be_stopped_before_or_after_it_takes_effect() -> None:
    ports = FakePorts()

    def kill(name: str) -> None:
        raise KeyboardInterrupt(name)

    ports.calls.before = kill
    with pytest.raises(KeyboardInterrupt, match="create_prediction"):
        ports.provider.create_prediction(REQUEST)
    assert not ports.provider.predictions

    ports.calls.before, ports.calls.after = (lambda _: None), kill
    with pytest.raises(KeyboardInterrupt, match="create_prediction"):
        ports.provider.create_prediction(REQUEST)
    assert len(ports.provider.predictions) == 1


def test_what_a_prediction_made_can_be_downloaded_and_inspected() -> None:
    ports = FakePorts()
    created = ports.provider.create_prediction(REQUEST)

    done = ports.provider.succeed(created.id)

    for url in done.output:
        with ports.outputs.download(url) as file:
            assert ports.pictures.inspect(file.path).extension == "webp"
    assert len(done.output) == 2


def test_the_same_seed_gives_the_same_ids_and_they_sort_by_time() -> None:
    one, other = FakePorts(), FakePorts()
    first = [p.entropy.new_id("gen", now=p.clock.now()) for p in (one, other)]
    later = one.entropy.new_id("gen", now=one.clock.advance(timedelta(milliseconds=1)))

    assert first[0] == first[1]
    assert first[0] < later
    assert len(later) == len("gen_") + 26


def test_webhooks_can_be_switched_off() -> None:
    ports = FakePorts()
    ports.webhook_urls.base = None

    assert ports.webhook_urls.for_job(Ref("u", "gen_1"), 1) is None
