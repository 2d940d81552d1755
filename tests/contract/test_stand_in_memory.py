"""The stand-in can run for days: what it keeps is bounded."""

import pytest

from local.replicate import deliveries, lifecycle
from local.replicate.drawing.picture import Picture
from local.replicate.drawing.render import render
from tests.contract.replicate_stand_in import InProcess

pytestmark = pytest.mark.anyio

SCHNELL = "black-forest-labs/flux-schnell"


async def test_files_beyond_the_bound_are_drawn_anew_and_equal(
    replicate: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "KEPT_BYTES", 0)
    drawn = 0

    def counting_render(picture: Picture) -> bytes:
        nonlocal drawn
        drawn += 1
        return render(picture)

    monkeypatch.setattr(deliveries, "render", counting_render)
    done = await replicate.finished(SCHNELL, {"prompt": "a lighthouse"})
    files = [(await replicate.api.get(done["output"][0])).content for _ in range(2)]

    assert files[0] == files[1]
    assert drawn == 2


async def test_files_within_the_bound_are_drawn_once(
    replicate: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await replicate.finished(SCHNELL, {"prompt": "a lighthouse"})
    first = await replicate.api.get(done["output"][0])
    monkeypatch.delattr(deliveries, "render")

    assert (await replicate.api.get(done["output"][0])).content == first.content


async def test_the_oldest_predictions_are_forgotten_once_their_data_is_removed(
    replicate: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "KEPT_PREDICTIONS", 2)
    oldest, _, third = [await replicate.create() for _ in range(3)]
    assert (await replicate.get(oldest))["status"] == "starting", "still needed"
    await replicate.pass_time(4000)
    newest = await replicate.create()

    listed = (await replicate.api.get("/v1/predictions")).json()["results"]
    assert [row["id"] for row in listed] == [newest["id"], third["id"]]
    assert (await replicate.api.get(f"/v1/predictions/{oldest['id']}")).status_code == 404
