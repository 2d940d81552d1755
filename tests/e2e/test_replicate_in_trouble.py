"""A Replicate that refuses, fails, falls silent or delivers rubbish: nothing is lost, nobody pays for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local import aws
from local.state import State
from tests.e2e import refusing_replicate as refusals
from tests.e2e.conftest import Advance, Reconcile
from tests.e2e.refusing_replicate import Refusal, RefusingReplicate
from tests.e2e.stand_in import StandIn
from tests.e2e.users import Json, User, assert_credits_add_up, eventually

REFUNDED = {"estimated": 1, "held": 0, "charged": 0, "refunded": 1}
CHARGED = {"estimated": 1, "held": 0, "charged": 1, "refunded": 0}


@pytest.fixture(scope="module", autouse=True)
def no_schedule(engine_state: State) -> Iterator[None]:
    """Reconcile when a test says so and not in between, where another job would meet its order."""
    rules = aws.client("events", engine_state.aws_endpoint_url)
    (name,) = (rule["Name"] for rule in rules.list_rules()["Rules"] if "ScheduleExpression" in rule)
    rules.disable_rule(Name=name)
    yield
    rules.enable_rule(Name=name)


@pytest.fixture(autouse=True)
def forget_the_trouble(engine_state: State) -> Iterator[None]:
    """Refusals slow all workers down and let a model rest, and the tests that follow with them."""
    yield
    control = aws.client("dynamodb", engine_state.aws_endpoint_url)
    for item in ("pace#creates", "health#flux-schnell"):
        control.delete_item(TableName=engine_state.tables["control"], Key={"id": {"S": item}})


FAILURES = [
    ("The input or output was flagged as sensitive. Please try again. (E005) (Xy7)", "moderated"),
    ('Prediction input failed validation: {"detail":[{"loc":["x"]}]}', "provider_rejected"),
]


@pytest.mark.parametrize(("error", "code"), FAILURES, ids=[error[:20] for error, _ in FAILURES])
def test_a_failure_for_good_is_told_in_both_languages_and_refunded(
    error: str, code: str, user: User, stand_in: StandIn
) -> None:
    stand_in.order(fail_predictions={"count": 1, "error": error})
    prompt = f"{error[:10]} of {user.name}"

    failed = user.wait(user.create(prompt=prompt)["id"], "failed")

    assert (failed["error"]["code"], failed["credits"], failed["outputs"]) == (code, REFUNDED, [])
    assert failed["error"]["message"].count("You were not charged") == 1
    told = user.generation(failed["id"], headers={"Accept-Language": "pt-BR"})
    assert "Você não foi cobrado" in told["error"]["message"]
    assert error[:20] not in str(told["error"])
    assert len(stand_in.predictions(prompt)) == 1
    assert_credits_add_up(user)


PASSING: dict[str, dict[str, Any]] = {
    "an error of the platform": {"fail_predictions": {"count": 1, "error": "Director: (E9828)"}},
    "no error text": {"fail_predictions": {"count": 1, "error": None}},
    "503": {"answer_error": {"count": 1, "status": 503, "scope": "creates", "when": "before"}},
    "429": {"throttle": {"count": 1, "retry_after": 1}},
}


@pytest.fixture(scope="module")
def ended(user: User, _stand_in: StandIn, reconcile: Reconcile) -> dict[str, Json]:
    """Generations by the trouble that each met; they wait for their next go together."""
    ids = {}
    for trouble, order in PASSING.items():
        _stand_in.order(**order)
        ids[trouble] = user.create(prompt=trouble)["id"]
        eventually(_stand_in.orders_left, lambda left: not left)
    done = user.wait_all(ids.values(), meanwhile=reconcile)
    return dict(zip(ids, done, strict=True))


@pytest.mark.parametrize(
    ("trouble", "predictions"),
    [
        ("an error of the platform", ["succeeded", "failed"]),
        ("no error text", ["succeeded", "failed"]),
        ("503", ["succeeded"]),
        ("429", ["succeeded"]),
    ],
)
def test_what_passes_is_tried_again_and_charged_once(
    trouble: str, predictions: list[str], ended: dict[str, Json], user: User, stand_in: StandIn
) -> None:
    assert (ended[trouble]["status"], ended[trouble]["credits"]) == ("succeeded", CHARGED)
    assert [p["status"] for p in stand_in.predictions(trouble)] == predictions
    assert_credits_add_up(user)


def test_what_stays_is_given_up_and_refunded(user: User, stand_in: StandIn, reconcile: Reconcile) -> None:
    stand_in.order(fail_predictions={"count": "all", "error": "CUDA out of memory. Tried to allocate 2 GiB"})
    prompt = f"again and again of {user.name}"

    failed = user.wait(user.create(prompt=prompt)["id"], "failed", meanwhile=reconcile)

    assert (failed["error"]["code"], failed["credits"]) == ("provider_failed", REFUNDED)
    assert [p["status"] for p in stand_in.predictions(prompt)] == ["failed", "failed"]
    assert_credits_add_up(user)


def test_fewer_images_are_charged_as_fewer(user: User, stand_in: StandIn) -> None:
    stand_in.order(fewer_images={"count": 1, "images": 3})

    done = user.wait(user.create(num_outputs=4)["id"], "succeeded")

    assert len(done["outputs"]) == 3
    assert done["credits"] == {"estimated": 4, "held": 0, "charged": 3, "refunded": 1}
    assert_credits_add_up(user)


def test_an_output_that_is_no_image_is_neither_delivered_nor_charged(user: User, stand_in: StandIn) -> None:
    for how in ("redirect", "endless", "gzip_bomb"):
        stand_in.order(spoil_outputs={"count": 1, "how": how})
        done = user.wait(user.create(num_outputs=2)["id"], "succeeded")
        assert (len(done["outputs"]), done["credits"]["charged"]) == (1, 1), how
    assert_credits_add_up(user)


def test_an_output_that_was_cut_short_is_fetched_again(user: User, stand_in: StandIn) -> None:
    stand_in.order(spoil_outputs={"count": 1, "how": "truncated"})

    done = user.wait(user.create(num_outputs=2)["id"], "succeeded")

    assert (len(done["outputs"]), done["credits"]["charged"]) == (2, 2)
    assert_credits_add_up(user)


def test_odd_answers_are_understood(user: User, stand_in: StandIn) -> None:
    stand_in.order(odd_fields={"count": "all"})

    assert user.wait(user.create()["id"], "succeeded")["credits"] == CHARGED


LOST_ANSWERS: list[dict[str, Any]] = [
    {"drop_connection": {"count": 1, "scope": "creates", "when": "after"}},
    {"answer_error": {"count": 1, "status": 504, "scope": "creates", "when": "after"}},
]


@pytest.mark.parametrize("order", LOST_ANSWERS)
def test_a_create_whose_answer_was_lost_is_found_and_never_repeated(
    order: dict[str, Any], user: User, stand_in: StandIn
) -> None:
    stand_in.order(**order)
    prompt = f"lost and found {order} of {user.name}"

    done = user.wait(user.create(prompt=prompt)["id"], "succeeded")

    assert (done["credits"], len(stand_in.predictions(prompt))) == (CHARGED, 1)
    assert_credits_add_up(user)


def test_lost_creates_are_found_in_the_listing_when_nothing_is_heard_either(
    user: User, stand_in: StandIn, advance: Advance, reconcile: Reconcile
) -> None:
    stand_in.order(lose_webhooks="all", drop_connection={"count": 2, "scope": "creates", "when": "after"})
    prompt = f"silence around {user.name}"
    ids = [user.create(prompt=prompt)["id"] for _ in range(3)]
    for id_ in ids:
        user.wait(id_, "starting", "processing")
    # One more that never reached Replicate.
    stand_in.order(drop_connection={"count": 1, "scope": "creates", "when": "before"})
    never = user.create(prompt=prompt)["id"]
    user.wait(never, "starting")

    advance(150)
    stand_in.order(lose_webhooks=0)
    done = user.wait_all([*ids, never], meanwhile=reconcile)

    assert [g["credits"] for g in done] == [CHARGED] * 4
    assert len(stand_in.predictions(prompt)) == 4
    assert_credits_add_up(user)


@pytest.fixture(scope="module")
def replicate(engine_state: State) -> Iterator[RefusingReplicate]:
    """Stands before the stand-in for as long as this module runs."""
    lambdas = aws.client("lambda", engine_state.aws_endpoint_url)
    function = engine_state.functions["start_generation"]

    def point_at(api_url: str) -> None:
        variables = lambdas.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        changed = {"Variables": variables | {"REPLICATE_API_BASE_URL": api_url}}
        lambdas.update_function_configuration(FunctionName=function, Environment=changed)

    origin = engine_state.replicate_url.removesuffix("/v1")
    with RefusingReplicate(origin).serving() as server:
        point_at(server.api_url)
        yield server
        point_at(engine_state.replicate_url)


def test_a_create_refused_for_good_is_refunded(user: User, replicate: RefusingReplicate) -> None:
    replicate.refusals.append(refusals.INVALID)

    failed = user.wait(user.create()["id"], "failed")

    assert (failed["error"]["code"], failed["credits"]) == ("provider_rejected", REFUNDED)
    assert user.wait(user.create()["id"], "succeeded")
    assert_credits_add_up(user)


def test_a_model_that_is_not_found_again_and_again_is_offered_to_nobody_for_a_while(
    user: User, replicate: RefusingReplicate, advance: Advance, reconcile: Reconcile
) -> None:
    replicate.refusals += [refusals.NOT_FOUND] * 3
    waiting: list[str] = []

    def ask() -> httpx.Response:
        answer = user.post({"model": "flux-schnell", "prompt": "a lighthouse", "num_outputs": 1})
        if answer.status_code == 202:
            waiting.append(answer.json()["id"])
        return answer

    refused = eventually(ask, lambda answer: answer.status_code == 503)
    assert refused.json()["code"] == "model_resting"
    assert "flux-dev, sdxl" in refused.json()["detail"]
    assert int(refused.headers["Retry-After"]) > 200

    advance(301)

    ended = user.wait_all(waiting, meanwhile=reconcile)
    assert [g["credits"] for g in ended] == [CHARGED] * len(waiting)
    assert user.create()
    assert_credits_add_up(user)


@pytest.mark.parametrize("refusal", [refusals.UNAUTHENTICATED, refusals.OUT_OF_CREDIT])
def test_an_account_that_is_refused_keeps_its_jobs_until_it_is_not(
    refusal: Refusal, user: User, replicate: RefusingReplicate, advance: Advance, reconcile: Reconcile
) -> None:
    replicate.refusals.append(refusal)
    id_ = user.create()["id"]
    assert user.wait(id_, "starting", "queued")["credits"]["held"] == 1

    advance(150)

    assert user.wait(id_, "succeeded", meanwhile=reconcile)["credits"] == CHARGED
    assert_credits_add_up(user)
