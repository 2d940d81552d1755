"""Flows in which prompts and images are judged: passed, refused, late, or by a judge that is away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from local.replicate.models.judges import LLAMA_GUARD, NSFW_IMAGE_DETECTION
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.personal_model import PersonalModel
from revela.ports import ModelRef, Ref
from revela.usecases.delete_model import delete_model
from revela.usecases.withdraw_consent import withdraw_consent
from tests.simulation.crash_points.cloud import JUDGE_PATIENCE, STRIKES_PER_DAY
from tests.simulation.crash_points.history import TICK, History
from tests.simulation.crash_points.moderation import appeal, ask_for_what_is_refused, lift, withdraw
from tests.simulation.crash_points.scenarios import DONE, DOUBTFUL, Outcome, Scenario
from tests.simulation.crash_points.scenarios_troubled import FAILED, on_cloud
from tests.simulation.crash_points.witness import UNSAFE

ENDED_UNSEEN: Outcome = FAILED | frozenset({State.CANCELED})
REFUSED = f"{DOUBTFUL} {UNSAFE}"
# Of two images the first bears what the judge of images refuses; or both do.
ONE_FLAGGED, ALL_FLAGGED = "carnival #flag0", "carnival #flag"


def _in_doubt(history: History) -> None:
    """A prompt in doubt is passed; the next one of the same words is known, and nobody is asked."""
    history.accept("first", prompt=DOUBTFUL)
    history.come_to_rest()
    history.accept("second", prompt=DOUBTFUL)
    history.come_to_rest()


def _refused(history: History) -> None:
    """A prompt in doubt is refused, while another job waits for its place."""
    first = history.accept("first", prompt=REFUSED)
    history.accept("second")
    history.come_to_rest()
    assert _failure(history, first) == "prompt_moderated"


def _late(history: History) -> None:
    """The judge of the prompt takes half a minute: what it says is heard on a later visit."""
    _slow(history, LLAMA_GUARD.full_name, count=1, seconds=30)
    history.accept("first", prompt=DOUBTFUL)
    history.come_to_rest()


def _asked_anew(history: History) -> None:
    """The judge of the prompt fails after it has left a ticket, and is asked once more."""
    _slow(history, LLAMA_GUARD.full_name, count=1, seconds=20)
    failing = {"count": 1, "error": "CUDA out of memory", "model": LLAMA_GUARD.full_name}
    on_cloud(history).order(fail_predictions=failing)
    history.accept("first", prompt=DOUBTFUL)
    history.come_to_rest()


def _prompt_judge_away(history: History) -> None:
    """The judge of the prompt is away, then throttled, then back; nobody else's job waits for it."""
    provider = on_cloud(history).provider
    provider.refuse_judge(503, "Service unavailable")
    provider.refuse_judge(429, "Request was throttled. Your rate limit resets in ~1s.")
    history.accept("first", prompt=DOUBTFUL)
    history.come_to_rest()


def _prompt_judge_gone(history: History) -> None:
    """No judge ever comes back: the job is given up, and whatever was held is released."""
    on_cloud(history).provider.judges_go()
    first = history.accept("first", prompt=DOUBTFUL)
    while not history.row(first).awaits_judge:
        history.pass_time(TICK)
    history.on.pass_time(JUDGE_PATIENCE)
    history.come_to_rest()
    assert _failure(history, first) == "judge_unavailable"


def _one_blocked(history: History) -> None:
    """Of two images one is blocked: the other is shown and charged. Somebody appeals, twice."""
    first = history.accept("first", prompt=ONE_FLAGGED, num_outputs=2)
    history.come_to_rest()
    for reason in ("it is a costume", "once more"):
        appeal(history, first, reason)
    row = history.row(first)
    assert isinstance(row, Generation)
    assert row.appeal is not None
    assert row.appeal.reason == "it is a costume"


def _all_blocked(history: History) -> None:
    """All images are blocked; then the generation is deleted, with what could have been appealed."""
    first = history.accept("first", prompt=ALL_FLAGGED, num_outputs=2)
    history.come_to_rest()
    assert _failure(history, first) == "moderated"
    history.delete(first)
    history.come_to_rest()


def _blocked_by_rekognition(history: History) -> None:
    """As the template installs it: another service judges images, at once."""
    on_cloud(history).judge_images_by("rekognition")
    history.accept("first", prompt=ONE_FLAGGED, num_outputs=2)
    history.come_to_rest()


def _judging(history: History) -> None:
    """The judge of images takes half a minute: they wait in quarantine."""
    _slow(history, NSFW_IMAGE_DETECTION.full_name, count=1, seconds=30)
    history.accept("first")
    history.come_to_rest()


def _judging_anew(history: History) -> None:
    """The judge fails of both images after it has left tickets; asked once more, it blocks one."""
    _slow(history, NSFW_IMAGE_DETECTION.full_name, count=2, seconds=20)
    failing = {"count": 2, "error": "CUDA out of memory", "model": NSFW_IMAGE_DETECTION.full_name}
    on_cloud(history).order(fail_predictions=failing)
    history.accept("first", prompt=ONE_FLAGGED, num_outputs=2)
    history.come_to_rest()


def _image_judge_away(history: History) -> None:
    """The judge of images is away, then refused for our credit, then back."""
    provider = on_cloud(history).provider
    for _ in range(2):
        provider.refuse_judge(503, "Service unavailable")
    provider.refuse_judge(402, "Insufficient credit.")
    history.accept("first", prompt=ONE_FLAGGED, num_outputs=2)
    history.come_to_rest()


def _image_judge_gone(history: History) -> None:
    """No judge ever comes back: nothing is shown, kept or charged."""
    on_cloud(history).provider.judges_go()
    first = history.accept("first")
    history.until(first, State.JUDGING)
    history.on.pass_time(JUDGE_PATIENCE)
    history.come_to_rest()
    assert _failure(history, first) == "judge_unavailable"


def _withdrawn_while_processing(history: History) -> None:
    """Consent is withdrawn while images are made of somebody."""
    model = _trained_model(history)
    history.on.slow_down_provider()
    first = _own(history, model)
    history.until(first, State.PROCESSING)
    withdraw(history, model)
    history.come_to_rest()


def _withdrawn_while_judging(history: History) -> None:
    """Consent is withdrawn while images of somebody wait for their judge: it is too late to cancel."""
    model = _trained_model(history)
    # And slow once more: a worker that died after the question has it asked anew.
    _slow(history, NSFW_IMAGE_DETECTION.full_name, count=2, seconds=45)
    first = _own(history, model)
    history.until(first, State.JUDGING)
    withdraw(history, model)
    history.come_to_rest()


def _withdrawn_while_publishing(history: History) -> None:
    """Consent is withdrawn when the image has been judged and is about to be shown."""
    model = _trained_model(history)
    _meanwhile(history, "finish · s3.CopyObject · users", model, withdraw_consent)
    _own(history, model)
    history.come_to_rest()


def _closed_while_claimed(history: History) -> None:
    """The model is closed when a worker is about to have an image made; that job is not canceled yet."""
    model = _trained_model(history)
    _meanwhile(history, "start · dynamodb.TransactWriteItems · gen + mdl", model, delete_model)
    first = _own(history, model)
    history.come_to_rest()
    if not history.on.breaker.broken:
        assert _failure(history, first) == "model_closed"


def _withdrawn_while_training(history: History) -> None:
    """Consent is withdrawn while a model is trained."""
    history.upgrade("essential")
    model = history.on.put_model()
    first = history.train("first", model)
    history.until(first, State.PROCESSING)
    withdraw(history, model)
    history.come_to_rest()


def _closed_before_training(history: History) -> None:
    """The model is closed when a worker looks at its training."""
    _closed_while_training_starts(history, "start training · dynamodb.GetItem · mdl")


def _closed_while_training_is_claimed(history: History) -> None:
    """The model is closed when its photos have been uploaded, and its training is about to be created."""
    _closed_while_training_starts(history, "start training · dynamodb.TransactWriteItems · mdl + trn")


def _closed_while_training_starts(history: History, label: str) -> None:
    history.upgrade("essential")
    model = history.on.put_model()
    _meanwhile(history, label, model, delete_model)
    history.train("first", model)
    history.come_to_rest()


def _suspended(history: History) -> None:
    """Prompts are refused until the account is suspended; it is lifted, and an image can be asked for."""
    asked = 0
    while not ask_for_what_is_refused(history):
        asked += 1
    assert asked <= STRIKES_PER_DAY + 1
    (account,) = history.on.stored().store.accounts.values()
    assert account.strikes_today == STRIKES_PER_DAY + 1
    lift(history)
    history.accept("first")
    history.come_to_rest()


def _slow(history: History, model: str, *, count: int, seconds: float) -> None:
    on_cloud(history).order(
        slow_predictions={"count": count, "queue_s": seconds, "predict_s": 0.1, "model": model}
    )


def _trained_model(history: History) -> ModelRef:
    history.upgrade("essential")
    return history.on.put_trained_model()


def _own(history: History, model: ModelRef) -> Ref:
    return history.accept("first", model=model.id, prompt="by the sea")


def _meanwhile(history: History, label: str, model: ModelRef, close: Callable[..., PersonalModel]) -> None:
    """Let somebody close the model right before the first call of this label."""

    def close_it() -> None:
        close(model, ports=history.on.new_process())
        history.closed.add(model)

    history.on.breaker.meanwhile[label] = close_it


def _failure(history: History, ref: Ref) -> str | None:
    failure = history.row(ref).failure
    return failure.code if failure else None


# The shortest first: a label is broken where it is cheapest to.
JUDGED = (
    Scenario("blocked by rekognition", _blocked_by_rekognition, (DONE,)),
    Scenario("suspended", _suspended, (DONE,)),
    Scenario("in doubt", _in_doubt, (DONE, DONE)),
    Scenario("refused by its judge", _refused, (FAILED, DONE)),
    Scenario("late", _late, (DONE,)),
    Scenario("asked anew", _asked_anew, (DONE,)),
    Scenario("prompt judge away", _prompt_judge_away, (DONE,)),
    Scenario("prompt judge gone", _prompt_judge_gone, (FAILED,), waits=JUDGE_PATIENCE),
    Scenario("one blocked", _one_blocked, (DONE,)),
    Scenario("all blocked", _all_blocked, (FAILED,)),
    Scenario("judging", _judging, (DONE,)),
    Scenario("judging anew", _judging_anew, (DONE,)),
    Scenario("image judge away", _image_judge_away, (DONE,), waits=timedelta(minutes=6)),
    Scenario("image judge gone", _image_judge_gone, (FAILED,), waits=JUDGE_PATIENCE),
    Scenario("withdrawn while processing", _withdrawn_while_processing, (ENDED_UNSEEN,)),
    Scenario("withdrawn while judging", _withdrawn_while_judging, (ENDED_UNSEEN,)),
    Scenario("withdrawn while publishing", _withdrawn_while_publishing, (ENDED_UNSEEN,)),
    Scenario("closed while claimed", _closed_while_claimed, (ENDED_UNSEEN,)),
    Scenario("withdrawn while training", _withdrawn_while_training, (ENDED_UNSEEN,)),
    Scenario("closed before training", _closed_before_training, (ENDED_UNSEEN,)),
    Scenario("closed while training is claimed", _closed_while_training_is_claimed, (ENDED_UNSEEN,)),
)
