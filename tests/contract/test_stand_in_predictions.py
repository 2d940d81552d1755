"""The stand-in's predictions live as Replicate's documents say."""

import asyncio
import re
from datetime import datetime, timedelta

import httpx
import pytest

from tests.contract.replicate_stand_in import InProcess

pytestmark = pytest.mark.anyio

FLUX_DEV = "black-forest-labs/flux-dev"
SDXL = "stability-ai/sdxl:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"


async def test_a_create_is_answered_before_anything_ran(replicate: InProcess) -> None:
    created = await replicate.create(FLUX_DEV, input={"prompt": "a lighthouse", "num_outputs": 2})

    assert created["status"] == "starting"
    assert created["input"] == {"prompt": "a lighthouse", "num_outputs": 2}, "defaults are not filled in"
    assert created["version"] == "hidden"
    assert created["model"] == FLUX_DEV
    assert re.fullmatch("[a-z2-7]{26}", created["id"])
    assert created["urls"]["get"].endswith(f"/v1/predictions/{created['id']}")
    assert {"output", "started_at", "completed_at", "metrics", "deadline"}.isdisjoint(created)


async def test_a_prediction_starts_runs_with_growing_logs_and_succeeds(replicate: InProcess) -> None:
    created = await replicate.create(FLUX_DEV, input={"prompt": "a lighthouse", "num_outputs": 4})
    seen = []
    for _ in range(20):
        seen.append(await replicate.get(created))
        await replicate.pass_time(0.1)

    statuses = [body["status"] for body in seen]
    assert statuses == sorted(statuses, key=["starting", "processing", "succeeded"].index)
    assert set(statuses) == {"starting", "processing", "succeeded"}
    lengths = [len(body["logs"]) for body in seen]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 5
    assert all(("started_at" in body) == (body["status"] != "starting") for body in seen)
    assert len(seen[-1]["output"]) == 4
    assert seen[-1]["metrics"]["image_count"] == 4


async def test_progress_lines_have_the_form_that_clients_parse(replicate: InProcess) -> None:
    body = await replicate.finished(FLUX_DEV, {"prompt": "a lighthouse", "num_inference_steps": 7})

    lines = re.findall(r"^\s*(\d+)%\s*\|.+?\|\s*(\d+)\/(\d+)", body["logs"], re.MULTILINE)
    assert lines == [(str(done * 100 // 7), str(done), "7") for done in range(8)]
    assert re.search(r"^Using seed: \d+$", body["logs"], re.MULTILINE)
    assert body["logs"].endswith("Total safe images: 1 out of 1\n")


async def test_times_and_metrics_agree_even_when_the_clock_jumps_over_the_run(replicate: InProcess) -> None:
    body = await replicate.finished(FLUX_DEV, {"prompt": "a lighthouse", "num_outputs": 4})

    created, started, completed = (
        datetime.fromisoformat(body[key]) for key in ("created_at", "started_at", "completed_at")
    )
    metrics = body["metrics"]
    assert abs(completed - started - timedelta(seconds=metrics["predict_time"])) < timedelta(milliseconds=2)
    assert abs(completed - created - timedelta(seconds=metrics["total_time"])) < timedelta(milliseconds=2)
    assert 1 <= metrics["total_time"] <= 2


async def test_schnell_is_quicker_than_dev(replicate: InProcess) -> None:
    given = {"prompt": "a lighthouse", "num_outputs": 4}
    dev = await replicate.finished(FLUX_DEV, given)
    schnell = await replicate.finished("black-forest-labs/flux-schnell", given)

    assert schnell["metrics"]["predict_time"] < dev["metrics"]["predict_time"] / 2


async def test_outputs_are_there_a_moment_before_the_prediction_is_over(replicate: InProcess) -> None:
    created = await replicate.create()
    await replicate.pass_time(0.26)
    body = await replicate.get(created)
    await replicate.pass_time(0.1)

    assert (body["status"], len(body["output"])) == ("processing", 1)
    assert (await replicate.get(created))["status"] == "succeeded"


async def test_a_community_model_shows_its_version(replicate: InProcess) -> None:
    by_reference = await replicate.create(SDXL)
    by_hash = await replicate.create(SDXL.partition(":")[2])

    assert by_reference["version"] == by_hash["version"] == SDXL.partition(":")[2]
    assert by_reference["model"] == by_hash["model"] == "stability-ai/sdxl"


async def test_an_official_model_has_a_create_path_of_its_own(replicate: InProcess) -> None:
    path = "/v1/models/black-forest-labs/flux-schnell/predictions"
    reply = await replicate.api.post(path, json={"input": {"prompt": "a lighthouse"}})
    community = await replicate.api.post("/v1/models/stability-ai/sdxl/predictions", json={"input": {}})

    assert reply.status_code == 201
    assert reply.json()["model"] == "black-forest-labs/flux-schnell"
    assert community.status_code == 404


async def test_cancel_ends_a_prediction_before_and_while_it_runs(replicate: InProcess) -> None:
    waiting, running = await replicate.create(FLUX_DEV), await replicate.create(FLUX_DEV)
    canceled_early = await replicate.api.post(f"/v1/predictions/{waiting['id']}/cancel")
    await replicate.pass_time(0.3)
    canceled_late = await replicate.api.post(f"/v1/predictions/{running['id']}/cancel")
    await replicate.pass_time(60)

    for reply in (canceled_early, canceled_late):
        assert (reply.status_code, reply.json()["status"]) == (200, "canceled")
        assert (await replicate.get(reply.json()))["output"] is None
    assert "predict_time" not in canceled_early.json()["metrics"]
    assert canceled_late.json()["metrics"]["predict_time"] == pytest.approx(0.1, abs=0.001)


async def test_cancel_leaves_what_is_over_as_it_is(replicate: InProcess) -> None:
    body = await replicate.finished(FLUX_DEV, {"prompt": "a lighthouse"})
    reply = await replicate.api.post(f"/v1/predictions/{body['id']}/cancel")

    assert (reply.status_code, reply.json()) == (200, body)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30s", 30), ("5m", 300), ("1h30m45s", 5445), ("2h", 7200), ("1h5s", 3605), ("90", 90), ("5", 5)],
)
async def test_cancel_after_sets_the_deadline(replicate: InProcess, header: str, seconds: int) -> None:
    created = await replicate.create(FLUX_DEV, headers={"Cancel-After": header})

    deadline, created_at = (datetime.fromisoformat(created[key]) for key in ("deadline", "created_at"))
    assert deadline - created_at == timedelta(seconds=seconds)
    await replicate.pass_time(60)
    done = await replicate.get(created)
    assert (done["status"], done["deadline"]) == ("succeeded", created["deadline"])


@pytest.mark.parametrize("header", ["4s", "4", "0", "", "soon", "5d", "-30", "30 s", "1.5h", "30s5m"])
async def test_a_cancel_after_that_is_none_creates_nothing(replicate: InProcess, header: str) -> None:
    reply = await replicate.api.post(
        "/v1/predictions",
        json={"version": FLUX_DEV, "input": {"prompt": "a lighthouse"}},
        headers={"Cancel-After": header},
    )

    assert reply.status_code == 422
    assert (await replicate.counters())["creates"] == 0


async def test_a_deadline_reached_before_the_start_aborts(replicate: InProcess) -> None:
    await replicate.order(slow_predictions={"count": 1, "queue_s": 100, "predict_s": 1})
    created = await replicate.create(FLUX_DEV, headers={"Cancel-After": "30s"})
    await replicate.pass_time(29)
    assert (await replicate.get(created))["status"] == "starting"
    await replicate.pass_time(1)
    body = await replicate.get(created)

    assert body["status"] == "aborted"
    assert body["completed_at"] == created["deadline"]
    assert "started_at" not in body
    assert "predict_time" not in body["metrics"], "what never ran costs nothing"
    await replicate.pass_time(200)
    assert (await replicate.get(created))["status"] == "aborted"


async def test_a_deadline_reached_while_running_cancels(replicate: InProcess) -> None:
    await replicate.order(slow_predictions={"count": 1, "queue_s": 10, "predict_s": 100})
    created = await replicate.create(FLUX_DEV, headers={"Cancel-After": "30s"})
    await replicate.pass_time(200)
    body = await replicate.get(created)

    assert (body["status"], body["output"]) == ("canceled", None)
    assert body["metrics"]["predict_time"] == pytest.approx(20, abs=0.001)


async def test_a_run_ends_after_half_an_hour(replicate: InProcess) -> None:
    await replicate.order(slow_predictions={"count": 1, "queue_s": 0, "predict_s": 10_000})
    created = await replicate.create(FLUX_DEV)
    await replicate.pass_time(1799)
    assert (await replicate.get(created))["status"] == "processing"
    await replicate.pass_time(1)

    assert (await replicate.get(created))["status"] == "failed"


@pytest.mark.parametrize("error", ["Prediction interrupted; please retry (code: PA)", None])
async def test_a_failure_on_order_ends_the_run_with_its_error(
    replicate: InProcess, error: str | None
) -> None:
    await replicate.order(fail_predictions={"count": 1, "error": error})
    failed = await replicate.finished(FLUX_DEV, {"prompt": "a lighthouse"})
    spared = await replicate.finished(FLUX_DEV, {"prompt": "a lighthouse"})

    assert (failed["status"], failed["error"], failed["output"]) == ("failed", error, None)
    assert " 50%|" in failed["logs"]
    assert "100%|" not in failed["logs"]
    assert spared["status"] == "succeeded"


async def test_data_is_gone_an_hour_after_completion(replicate: InProcess) -> None:
    done = await replicate.finished(FLUX_DEV, {"prompt": "a lighthouse"})
    file = done["output"][0]
    await replicate.pass_time(3600 - 62)
    assert (await replicate.get(done))["data_removed"] is False
    assert (await replicate.api.get(file)).status_code == 200
    await replicate.pass_time(2)
    removed = await replicate.get(done)

    assert removed["data_removed"] is True
    assert (removed["input"], removed["output"], removed["logs"]) == ({}, None, "")
    assert (removed["status"], removed["metrics"]) == (done["status"], done["metrics"])
    assert (await replicate.api.get(file)).status_code == 404


async def _sync_create(replicate: InProcess, prefer: str, seconds: float) -> httpx.Response:
    """A create that holds the request, while the given time passes."""
    pending = asyncio.ensure_future(
        replicate.api.post(
            "/v1/predictions",
            json={"version": FLUX_DEV, "input": {"prompt": "a lighthouse"}},
            headers={"Prefer": prefer},
        )
    )
    while replicate.stand_in.counters.creates == 0:
        await asyncio.sleep(0)
    await replicate.pass_time(seconds)
    return await asyncio.wait_for(pending, 10)


async def test_sync_mode_answers_with_the_output_while_still_processing(replicate: InProcess) -> None:
    reply = await _sync_create(replicate, "wait", 0.63)

    assert reply.status_code == 201
    assert reply.headers["preference-applied"] == "wait"
    assert reply.json()["status"] == "processing"
    assert len(reply.json()["output"]) == 1


async def test_sync_mode_answers_with_a_failure(replicate: InProcess) -> None:
    await replicate.order(fail_predictions={"count": 1, "error": "CUDA out of memory."})
    reply = await _sync_create(replicate, "wait=20", 5)

    assert reply.status_code == 201
    assert reply.headers["preference-applied"] == "wait=20"
    assert (reply.json()["status"], reply.json()["error"]) == ("failed", "CUDA out of memory.")


@pytest.mark.parametrize(("prefer", "seconds"), [("wait", 60), ("wait=5", 5), ("wait=99", 60)])
async def test_sync_mode_that_runs_out_answers_202_starting(
    replicate: InProcess, prefer: str, seconds: int
) -> None:
    await replicate.order(slow_predictions={"count": 1, "queue_s": 0, "predict_s": 100})
    reply = await _sync_create(replicate, prefer, seconds)

    assert (reply.status_code, reply.json()["status"]) == (202, "starting")
    assert "output" not in reply.json()


async def test_an_unknown_preference_is_ignored(replicate: InProcess) -> None:
    for prefer in ("respond-async", "wait=0", "wait=100", "wait=x"):
        reply = await replicate.api.post(
            "/v1/predictions",
            json={"version": FLUX_DEV, "input": {"prompt": "a lighthouse"}},
            headers={"Prefer": prefer},
        )
        assert reply.status_code == 201
        assert "preference-applied" not in reply.headers


async def test_a_prediction_that_is_not_there_is_not_found(replicate: InProcess) -> None:
    for method, path in (("GET", "/v1/predictions/nope"), ("POST", "/v1/predictions/nope/cancel")):
        reply = await replicate.api.request(method, path)
        assert reply.status_code == 404
        assert reply.json() == {"detail": "The requested resource could not be found.", "status": 404}
