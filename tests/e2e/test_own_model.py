"""A model of one's own, its whole way: photos in, a trained model out, images with it, and all of it gone."""

from __future__ import annotations

import io

import httpx
import pytest
from PIL import Image, ImageChops

from local.photos import training_photos
from local.state import State
from tests.e2e import own_models, stored
from tests.e2e.conftest import Advance, NewUser, Reconcile
from tests.e2e.own_models import MODELS
from tests.e2e.stand_in import StandIn
from tests.e2e.users import User, eventually


@pytest.fixture(scope="module")
def owner(new_user: NewUser) -> User:
    return new_user("developer", credits=2000)


@pytest.fixture(scope="module")
def model_id(owner: User) -> str:
    """A model with enough photos, that tests train and leave as they found it."""
    return own_models.with_photos(owner)


def picture(owner: User, generation_id: str) -> Image.Image:
    (output,) = owner.wait(generation_id, "succeeded")["outputs"]
    with Image.open(io.BytesIO(httpx.get(output["url"], trust_env=False).content)) as image:
        return image.convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return how far two images are apart on average, 0 to 255."""
    histogram = ImageChops.difference(one, other).convert("L").histogram()
    return sum(value * count for value, count in enumerate(histogram)) / sum(histogram)


def test_photos_are_judged_within_their_set_and_only_clean_copies_stay(
    owner: User, engine_state: State
) -> None:
    model = own_models.create_model(owner)
    good = own_models.upload(owner, model["id"], own_models.good_photos(2))
    assert {photo["status"] for photo in own_models.judged(owner, model["id"]).values()} == {"accepted"}

    bad = [training_photos.blurry_photo(), training_photos.near_duplicate()]
    blurry, duplicate = own_models.upload(owner, model["id"], [training_photos.jpeg(p) for p in bad])
    photos = own_models.judged(owner, model["id"])

    assert photos[blurry]["status"] == photos[duplicate]["status"] == "rejected"
    assert "blurry" in [problem["code"] for problem in photos[blurry]["verdict"]["problems"]]
    (problem,) = photos[duplicate]["verdict"]["problems"]
    assert (problem["code"], problem["photo_id"]) == ("near_duplicate", good[0])
    with Image.open(io.BytesIO(httpx.get(photos[good[0]]["image"]["url"], trust_env=False).content)) as copy:
        assert (copy.format, copy.size) == (
            "JPEG",
            (photos[good[0]]["image"]["width"], photos[good[0]]["image"]["height"]),
        )
        assert "exif" not in copy.info
    assert len(stored.keys(engine_state, f"photos/{owner.name}/{model['id']}/")) == 2
    assert stored.keys(engine_state, f"incoming/{owner.name}/{model['id']}/") == []


def test_a_form_takes_its_own_file_and_no_other(owner: User) -> None:
    model_id = own_models.create_model(owner)["id"]
    wanted = {"files": [{"content_type": "image/jpeg"}]}
    (photo,) = owner.http.post(f"{MODELS}/{model_id}/photos", json=wanted).json()["photos"]
    form = photo["upload"]

    elsewhere = form | {"fields": form["fields"] | {"key": f"photos/{owner.name}/{model_id}/mine.jpg"}}
    otherwise = form | {"fields": form["fields"] | {"Content-Type": "image/svg+xml"}}
    assert own_models.post_form(elsewhere, b"x").status_code == 403
    assert own_models.post_form(otherwise, b"x").status_code == 403
    assert own_models.post_form(form, b"").status_code == 400


def test_a_training_tells_how_far_it_is_and_makes_a_model_that_shows_in_its_images(
    owner: User, model_id: str, stand_in: StandIn, advance: Advance, reconcile: Reconcile
) -> None:
    stand_in.order(slow_trainings={"count": 1, "queue_s": 0, "predict_s": 600})
    spent = owner.account()["credits"]["spent"]
    accepted = own_models.train(owner, model_id)
    own_models.trained(owner, model_id, accepted["id"], "processing")

    told = []
    for _ in range(2):
        advance(200)
        reconcile()
        told.append(own_models.training(owner, model_id, accepted["id"])["progress"]["percent"])
    assert 0 < told[0] < told[1] < 100
    advance(300)
    reconcile()
    done = own_models.trained(owner, model_id, accepted["id"], "succeeded")

    assert done["progress"]["percent"] == 100
    assert done["credits"]["charged"] == done["credits"]["estimated"] == accepted["credits"]["held"]
    assert owner.account()["credits"]["spent"] - spent == done["credits"]["charged"]
    model = owner.get(f"{MODELS}/{model_id}")
    assert (model["status"], model["chosen_version"]) == ("ready", accepted["id"])

    prompt = {"prompt": f"{model['trigger_word']} in a garden", "seed": 7, "aspect_ratio": "1:1"}
    own = picture(owner, owner.create(model_id, **prompt)["id"])
    base = picture(owner, owner.create("flux-dev", **prompt)["id"])
    assert own.size == base.size
    assert difference(own, base) > 8


def test_a_training_that_fails_costs_nothing_and_says_why(
    owner: User, model_id: str, stand_in: StandIn
) -> None:
    before = owner.account()["credits"]
    stand_in.order(fail_trainings={"count": 1, "error": "CUDA out of memory. Tried to allocate 2.25 GiB"})

    failed = own_models.trained(owner, model_id, own_models.train(owner, model_id)["id"], "failed")

    assert failed["error"]["code"] == "out_of_memory"
    assert failed["credits"]["refunded"] == failed["credits"]["estimated"]
    assert owner.account()["credits"] == before


def test_a_canceled_training_ends_at_replicate_too(
    owner: User, model_id: str, stand_in: StandIn, reconcile: Reconcile
) -> None:
    before = owner.account()["credits"]
    stand_in.order(slow_trainings={"count": 1, "queue_s": 600, "predict_s": 600})
    accepted = own_models.train(owner, model_id)
    own_models.trained(owner, model_id, accepted["id"], "processing")

    answer = owner.http.post(f"{MODELS}/{model_id}/trainings/{accepted['id']}/cancel")
    assert answer.status_code in (200, 202)
    canceled = own_models.trained(owner, model_id, accepted["id"], "canceled")

    assert canceled["credits"]["refunded"] == canceled["credits"]["estimated"]
    assert owner.account()["credits"] == before
    assert stand_in.trainings()[0]["status"] == "canceled"


def test_a_model_deleted_while_an_image_is_being_made_is_gone_everywhere(
    owner: User, engine_state: State, stand_in: StandIn, advance: Advance, reconcile: Reconcile
) -> None:
    model_id = own_models.with_photos(owner)
    trained = own_models.train(owner, model_id)
    own_models.trained(owner, model_id, trained["id"], "succeeded")
    assert stand_in.versions_of(stand_in.trainings()[0])
    stand_in.order(slow_predictions={"count": 1, "queue_s": 0, "predict_s": 600})
    making = owner.create(model_id)
    owner.wait(making["id"], "processing")

    assert owner.http.delete(f"{MODELS}/{model_id}").status_code == 202
    refused = owner.post({"model": model_id, "prompt": "one more", "num_outputs": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "model_deleting")

    def gone() -> bool:
        advance(130)
        reconcile()
        return owner.http.get(f"{MODELS}/{model_id}").status_code == 404

    eventually(gone, bool)
    assert owner.generation(making["id"])["status"] == "canceled"
    for prefix in ("photos", "incoming"):
        assert stored.keys(engine_state, f"{prefix}/{owner.name}/{model_id}/") == []
    # Replicate takes a deletion at once, and a moment to carry it out.
    advance(120)
    assert stand_in.versions_of(stand_in.trainings()[0]) == []
    assert owner.account()["credits"]["held"] == 0
