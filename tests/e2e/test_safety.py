"""What is not made and not shown, with judges that pass, refuse, dawdle or are away."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest
from PIL import Image

from local.state import State
from tests.e2e import own_models, stored
from tests.e2e.command_line import local
from tests.e2e.conftest import Advance, NewUser, Reconcile
from tests.e2e.own_models import MODELS
from tests.e2e.stand_in import StandIn
from tests.e2e.users import PATH, User, assert_credits_add_up, eventually

PROMPT_JUDGE, IMAGE_JUDGE = "meta/llama-guard-3-8b", "falcons-ai/nsfw_image_detection"
# The policy finds this uncertain; the stand-in's judge passes it, unless the text says otherwise.
IN_DOUBT = "lingerie catalogue, studio light"
FORBIDDEN = "hardcore porn"
STRIKES_PER_DAY = 10
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@pytest.fixture
def judge_away(stand_in: StandIn) -> Iterator[Callable[[str], None]]:
    """Have every prediction of a model fail, or none any more with an empty name."""

    def order(model: str) -> None:
        away = {"count": "all", "error": "away", "model": model} if model else {"count": 0, "error": None}
        stand_in.order(fail_predictions=away)

    yield order
    order("")


def test_one_harmful_image_of_four_is_not_shown_and_not_charged(user: User, engine_state: State) -> None:
    accepted = user.create(prompt="a square #flag1", num_outputs=4)

    done = user.wait(accepted["id"], "succeeded")

    assert [output["index"] for output in done["outputs"]] == [0, 2, 3]
    (blocked,) = done["blocked"]
    assert (blocked["index"], blocked["category"]) == (1, "nudity")
    assert done["credits"] == {"estimated": 4, "held": 0, "charged": 3, "refunded": 1}
    (kept,) = stored.quarantined(engine_state, user, done["id"])
    assert len(stored.published(engine_state, user, done["id"])) == 3
    for seen in (user.http.get(f"{PATH}/{done['id']}").text, user.http.get(PATH).text):
        assert kept not in seen
        assert "quarantine" not in seen
    unsigned = f"{engine_state.aws_endpoint_url}/{engine_state.bucket}/{kept}"
    assert httpx.get(unsigned, trust_env=False).status_code == 403
    assert_credits_add_up(user)


def test_what_was_blocked_can_be_appealed_once_and_goes_with_its_generation(
    user: User, engine_state: State
) -> None:
    done = user.wait(user.create(prompt="a beach #flag0", num_outputs=2)["id"], "succeeded")

    appeals = [
        user.http.post(f"{PATH}/{done['id']}/appeal", json={"reason": reason})
        for reason in ("it is a bikini", "once more")
    ]

    assert [answer.status_code for answer in appeals] == [202, 202]
    assert user.generation(done["id"])["appeal"]["reason"] == "it is a bikini"
    assert user.delete(done["id"]).status_code == 204
    assert stored.quarantined(engine_state, user, done["id"]) == []
    innocent = user.wait(user.create()["id"], "succeeded")
    refused = user.http.post(f"{PATH}/{innocent['id']}/appeal")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_appeal")


def test_a_generation_of_which_all_is_blocked_fails_and_costs_nothing(user: User) -> None:
    failed = user.wait(user.create(prompt="a hall #flag", num_outputs=2)["id"], "failed")

    assert (failed["error"]["code"], failed["outputs"]) == ("moderated", [])
    assert len(failed["blocked"]) == 2
    assert failed["credits"] == {"estimated": 2, "held": 0, "charged": 0, "refunded": 2}


def test_a_prompt_in_doubt_is_judged_once_and_then_remembered(user: User, stand_in: StandIn) -> None:
    prompt = f"{IN_DOUBT}, beige"
    first = user.wait(user.create(prompt=prompt)["id"], "succeeded")
    second = user.wait(user.create(prompt=prompt)["id"], "succeeded")

    assert first["credits"]["charged"] == second["credits"]["charged"] == 1
    assert len(stand_in.judged(prompt)) == 1
    assert len(stand_in.predictions(prompt)) == 2


def test_a_prompt_that_the_judge_refuses_is_not_made_and_costs_nothing(user: User, stand_in: StandIn) -> None:
    prompt = f"{IN_DOUBT} #unsafe:S4"

    failed = user.wait(user.create(prompt=prompt)["id"], "failed")

    assert failed["error"]["code"] == "prompt_moderated"
    assert failed["credits"]["refunded"] == failed["credits"]["estimated"] == 1
    assert len(stand_in.judged(prompt)) == 1
    assert stand_in.predictions(prompt) == []


def test_nothing_passes_while_the_judge_of_prompts_is_away(
    user: User,
    stand_in: StandIn,
    judge_away: Callable[[str], None],
    advance: Advance,
    reconcile: Reconcile,
    unscheduled: None,
) -> None:
    prompt = f"{IN_DOUBT}, black and white"
    judge_away(PROMPT_JUDGE)
    accepted = user.create(prompt=prompt)
    eventually(lambda: stand_in.judged(prompt), bool)
    assert user.generation(accepted["id"])["status"] == "queued"
    assert stand_in.predictions(prompt) == []

    judge_away("")
    advance(70)
    user.wait(accepted["id"], "succeeded", meanwhile=reconcile)


def test_images_wait_in_quarantine_while_their_judge_is_away_or_slow(
    user: User,
    engine_state: State,
    stand_in: StandIn,
    judge_away: Callable[[str], None],
    advance: Advance,
    reconcile: Reconcile,
    unscheduled: None,
) -> None:
    judge_away(IMAGE_JUDGE)
    accepted = user.create(num_outputs=2)
    user.wait(accepted["id"], "judging")
    assert len(stored.quarantined(engine_state, user, accepted["id"])) == 2
    assert stored.published(engine_state, user, accepted["id"]) == []
    assert user.cancel(accepted["id"]).status_code == 409

    # What Replicate would have deleted by now is safe.
    advance(4_000)
    judge_away("")
    stand_in.order(slow_predictions={"count": "all", "queue_s": 0, "predict_s": 60, "model": IMAGE_JUDGE})
    reconcile()
    eventually(lambda: stand_in.judging(), lambda running: len(running) == 2)
    assert user.generation(accepted["id"])["status"] == "judging"
    stand_in.order(slow_predictions={"count": 0, "queue_s": 0, "predict_s": 0})

    advance(300)
    done = user.wait(accepted["id"], "succeeded", meanwhile=reconcile)
    assert done["credits"] == {"estimated": 2, "held": 0, "charged": 2, "refunded": 0}
    assert stored.quarantined(engine_state, user, done["id"]) == []


@pytest.mark.parametrize("format_", ["webp", "jpg", "png"])
def test_published_images_and_their_thumbnails_say_that_a_model_made_them(user: User, format_: str) -> None:
    prompt = "a secret garden"
    done = user.wait(user.create(prompt=prompt, format=format_)["id"], "succeeded")

    (output,) = done["outputs"]
    for url in (output["url"], output["thumbnail_url"]):
        data = httpx.get(url, timeout=60, trust_env=False).raise_for_status().content
        with Image.open(io.BytesIO(data)) as image:
            packet = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
        (said,) = ET.fromstring(packet).iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
        assert said.findtext(f"{IPTC}DigitalSourceType") == TRAINED
        assert said.findtext(f"{IPTC}AISystemUsed") == "flux-schnell"
        assert said.findtext("{http://purl.org/dc/elements/1.1/}identifier") == done["id"]
        assert b"secret" not in data


def test_who_goes_on_asking_for_what_is_refused_is_suspended_until_an_operator_says_otherwise(
    new_user: NewUser, state_dir: Path
) -> None:
    user = new_user()
    for _ in range(STRIKES_PER_DAY + 1):
        assert user.post({"model": "flux-schnell", "prompt": FORBIDDEN}).json()["code"] == "prompt_refused"

    refused = user.post({"model": "flux-schnell", "prompt": "a lighthouse"})

    assert (refused.status_code, refused.json()["code"]) == (403, "account_suspended")
    assert 0 < int(refused.headers["Retry-After"]) <= 24 * 3600
    account = user.account()
    assert account["suspension"]["reason"] == "too_many_refusals"
    assert account["credits"]["held"] == 0
    local("lift-suspension", user.name, state_dir=state_dir)
    assert user.account()["suspension"] is None
    user.wait(user.create(num_outputs=1)["id"], "succeeded")


def test_whose_consent_is_withdrawn_is_not_shown_any_more(
    new_user: NewUser, engine_state: State, stand_in: StandIn, advance: Advance, reconcile: Reconcile
) -> None:
    owner = new_user("studio", credits=1000)
    model_id = own_models.with_photos(owner)
    own_models.trained(owner, model_id, own_models.train(owner, model_id)["id"], "succeeded")
    stand_in.order(
        slow_predictions={"count": 1, "queue_s": 0, "predict_s": 600, "model": _destination(stand_in)}
    )
    making = owner.create(model_id)
    owner.wait(making["id"], "processing")

    assert owner.http.delete(f"{MODELS}/{model_id}/consent").status_code == 202

    refused = owner.post({"model": model_id, "prompt": "one more", "num_outputs": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "model_deleting")
    ended = owner.wait(making["id"], "canceled", "failed")
    assert ended["outputs"] == []
    assert stored.published(engine_state, owner, making["id"]) == []

    def gone() -> bool:
        advance(130)
        reconcile()
        return owner.http.get(f"{MODELS}/{model_id}").status_code == 404

    eventually(gone, bool)
    assert stored.keys(engine_state, f"photos/{owner.name}/{model_id}/") == []


def _destination(stand_in: StandIn) -> str:
    """Return the model that the newest training's version went under."""
    name: str = stand_in.trainings()[0]["output"]["version"].partition(":")[0]
    return name
