"""Consent that is withdrawn: nothing more is made or shown of the person, wherever a job stood."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import NoReturn

import pytest

from revela.domain.errors import Conflict, InvalidRequest, NotFound, NotNow, ProviderTransient, Transient
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.personal_model import ModelState, PersonalModel
from revela.domain.photo import FaceReport, ModelKind
from revela.domain.policy import DELETING_DUE, SAVING_LEASE
from revela.domain.prediction import PredictionStatus
from revela.usecases.change_model import ChangeModel, change_model
from revela.usecases.delete_model import delete_model
from revela.usecases.show_generation import show_generation
from revela.usecases.withdraw_consent import withdraw_consent
from tests.fakes import FakePorts, picture_bytes
from tests.unit.usecases.model_life import ModelLife, job, of
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.system import ANA, BIA, System, ref
from tests.unit.usecases.trouble import Crash, dies_after, dies_before, meanwhile

ENDED = {State.FAILED, State.CANCELED}
NUDE = picture_bytes(name="harm:nudity")


class Scene:
    """Ana with a trained model of a person, on a plan where two of her jobs run at once."""

    def __init__(self, ports: FakePorts) -> None:
        self.ports = ports
        self.system = System(ports)
        self.system.subscribe(ANA, plan="essential", amount=2000)
        self.life = ModelLife(ports)
        self.model = self.life.trained()
        ports.commands.take_started()

    def withdraw(self) -> PersonalModel:
        return withdraw_consent(of(self.model), ports=self.ports)

    def only_closes(self) -> None:
        """Withdraw, and die before any job is canceled."""
        with dies_after(self.ports, "FakeChanges.commit"):
            self.withdraw()

    # A job in each of its states

    def waiting(self) -> Generation:
        for _ in range(2):
            self.system.started(self.system.accept())
        row = self.life.generate(self.model)
        assert row.state is State.WAITING
        return row

    def queued(self) -> Generation:
        return self.life.generate(self.model)

    def starting_and_lost(self) -> Generation:
        self.ports.provider.refuse(ProviderTransient("connection reset"))
        return self.in_state(State.STARTING)

    def starting_and_made(self) -> Generation:
        self.ports.provider.lose_answer()
        return self.in_state(State.STARTING)

    def processing(self) -> Generation:
        return self.in_state(State.PROCESSING)

    def saving(self) -> Generation:
        row = self.in_state(State.PROCESSING)
        self.ports.objects.failure = Transient("the bucket is away")
        row = self.told_of_success(row)
        self.ports.objects.failure = None
        assert row.state is State.SAVING
        return row

    def judging(self) -> Generation:
        row = self.in_state(State.PROCESSING)
        self.ports.image_judge.slow = True
        row = self.told_of_success(row)
        assert row.state is State.JUDGING
        return row

    def in_state(self, state: State) -> Generation:
        row = self.system.started(self.life.generate(self.model))
        assert row.state is state
        return row

    # What follows

    def told_of_success(self, row: Generation, outputs: list[bytes] | None = None) -> Generation:
        prediction = self.system.prediction(row)
        if not prediction.status.terminal:
            urls = None
            if outputs is not None:
                urls = [f"https://replicate.delivery/{prediction.id}/{n}" for n in range(len(outputs))]
                self.ports.outputs.files.update(zip(urls, outputs, strict=True))
            prediction = self.ports.provider.succeed(prediction.id, urls)
        return self.system.hear(row, prediction)

    def time_passes(self) -> None:
        """Let the workers do all that there is to do, as long as there is any of it."""
        for _ in range(12):
            self.ports.image_judge.decide()
            self.system.reconcile(after=max(DELETING_DUE, SAVING_LEASE))
            self.life.deliver()

    def assert_nothing_was_shown(self, row: Generation) -> Generation:
        ended = self.system.row(row)
        assert ended.state in ENDED, ended.state
        assert not ended.outputs
        assert ended.credits_charged == 0
        assert not [key for key in self.ports.objects.stored if row.id in key]
        assert show_generation(ref(row), ports=self.ports).urls == {}
        return ended

    def assert_model_is_gone(self) -> None:
        ports, model = self.ports, self.model
        assert not self.life.exists(model)
        assert not [key for key in ports.objects.stored if model.id in key]
        assert not ports.store.photos
        assert model.chosen is not None
        assert model.chosen.provider_version in ports.provider.deleted_versions


@pytest.fixture
def scene(ports: FakePorts) -> Scene:
    return Scene(ports)


@contextmanager
def withdrawn_after_the_first_copy(scene: Scene) -> Iterator[None]:
    """Let the consent be withdrawn when the first image and its thumbnail are where they would be shown."""
    objects, calls = scene.ports.objects, scene.ports.calls
    inner, seen = objects.put_bytes, False

    def put_bytes(key: str, data: bytes, *, content_type: str) -> None:
        nonlocal seen
        inner(key, data, content_type=content_type)
        if not seen:
            seen = True
            # Whatever happens to the worker does not happen to who withdraws.
            hooks = calls.before, calls.after
            calls.before = calls.after = lambda _: None
            scene.withdraw()
            calls.before, calls.after = hooks

    objects.put_bytes = put_bytes  # type: ignore[method-assign]  # somebody else acts in between
    try:
        yield
    finally:
        objects.put_bytes = inner  # type: ignore[method-assign]  # as it was


def is_away() -> NoReturn:
    raise Transient("away for a moment")


# The model


def test_a_model_whose_consent_is_withdrawn_is_closed_and_due_for_deletion(
    scene: Scene, ports: FakePorts
) -> None:
    closed = scene.withdraw()

    assert closed == scene.life.model(scene.model)
    assert closed.consent.withdrawn_at == ports.clock.now()
    assert (closed.state, closed.due_at) == (ModelState.DELETING, ports.clock.now())
    assert closed.consent.accepted_at == scene.model.consent.accepted_at


def test_the_model_its_photos_and_its_version_are_deleted(scene: Scene, ports: FakePorts) -> None:
    scene.withdraw()

    scene.system.reconcile()

    scene.assert_model_is_gone()
    assert ports.telemetry.counts["ConsentsWithdrawn"] == 1


def test_withdrawing_again_changes_nothing(scene: Scene, ports: FakePorts) -> None:
    closed = scene.withdraw()
    ports.clock.advance(timedelta(seconds=30))

    assert scene.withdraw() == closed
    assert ports.telemetry.counts["ConsentsWithdrawn"] == 1


def test_consent_for_a_draft_can_be_withdrawn_too(scene: Scene, ports: FakePorts) -> None:
    draft = scene.life.with_photos(2)

    withdraw_consent(of(draft), ports=ports)
    scene.system.reconcile()

    assert not scene.life.exists(draft)
    assert scene.life.exists(scene.model)


def test_a_model_that_is_being_deleted_can_still_have_its_consent_withdrawn(
    scene: Scene, ports: FakePorts
) -> None:
    row = scene.saving()
    delete_model(of(scene.model), ports=ports)

    scene.withdraw()
    scene.time_passes()

    scene.assert_nothing_was_shown(row)
    scene.assert_model_is_gone()


def test_what_is_gone_or_anothers_is_not_found(scene: Scene, ports: FakePorts) -> None:
    with pytest.raises(NotFound):
        withdraw_consent(of(scene.model.model_copy(update={"user_id": BIA})), ports=ports)
    assert scene.life.model(scene.model).consent.withdrawn_at is None
    scene.withdraw()
    scene.system.reconcile()

    with pytest.raises(NotFound):
        scene.withdraw()


def test_a_model_that_is_written_meanwhile_is_closed_all_the_same(scene: Scene, ports: FakePorts) -> None:
    photo = scene.life.upload(scene.model)

    with meanwhile(ports, "FakeChanges.commit", lambda: scene.life.check(photo)):
        scene.withdraw()

    assert scene.life.model(scene.model).consent.withdrawn_at is not None


def test_a_withdrawal_that_others_keep_from_being_written_says_so(scene: Scene, ports: FakePorts) -> None:
    def conflict(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Conflict({"model"})

    ports.calls.before = conflict
    with pytest.raises(NotNow) as refused:
        scene.withdraw()
    ports.calls.before = lambda _: None

    assert refused.value.code == "write_conflict"


def test_nothing_new_is_accepted_afterwards(scene: Scene) -> None:
    scene.withdraw()

    for ask in (scene.queued, lambda: scene.life.accept_training(scene.model)):
        with pytest.raises(NotNow) as refused:
            ask()
        assert refused.value.code == "model_deleting"


def test_what_is_accepted_at_the_same_moment_is_refused(scene: Scene, ports: FakePorts) -> None:
    with meanwhile(ports, "FakeChanges.commit", scene.withdraw), pytest.raises(NotNow):
        scene.queued()

    assert scene.system.account().held == 0


def test_other_models_and_images_go_on(scene: Scene, ports: FakePorts) -> None:
    other = scene.life.trained()
    rows = [scene.system.started(scene.life.generate(other)), scene.system.processing()]
    scene.withdraw()

    assert {scene.told_of_success(row).state for row in rows} == {State.SUCCEEDED}
    scene.time_passes()
    assert scene.life.exists(other)


def test_what_was_made_before_stays(scene: Scene, ports: FakePorts) -> None:
    row = scene.told_of_success(scene.processing())
    assert row.state is State.SUCCEEDED

    scene.withdraw()
    scene.time_passes()

    assert scene.system.row(row) == row
    assert show_generation(ref(row), ports=ports).urls
    scene.assert_model_is_gone()


# A job in every state


STATES = [
    Scene.waiting,
    Scene.queued,
    Scene.starting_and_lost,
    Scene.starting_and_made,
    Scene.processing,
    Scene.saving,
    Scene.judging,
]


@pytest.mark.parametrize("stands", STATES, ids=lambda stands: stands.__name__)
@pytest.mark.parametrize("how", [Scene.withdraw, Scene.only_closes], ids=["whole", "died halfway"])
def test_in_whatever_state_a_job_is_it_ends_without_an_image(
    scene: Scene, stands: Callable[[Scene], Generation], how: Callable[[Scene], object]
) -> None:
    row = stands(scene)

    how(scene)
    scene.time_passes()

    ended = scene.assert_nothing_was_shown(row)
    assert ended.state is State.CANCELED or (ended.failure and ended.failure.code == "model_closed")
    scene.assert_model_is_gone()


@pytest.mark.parametrize("how", [Scene.withdraw, Scene.only_closes], ids=["whole", "died halfway"])
@pytest.mark.parametrize("stands", [Scene.waiting, Scene.queued], ids=lambda stands: stands.__name__)
def test_what_the_provider_does_not_have_yet_it_never_gets(
    scene: Scene, ports: FakePorts, stands: Callable[[Scene], Generation], how: Callable[[Scene], object]
) -> None:
    row = stands(scene)
    how(scene)

    for other in [other for other in ports.store.generations.values() if other.own is None]:
        scene.told_of_success(other)  # makes room for who waits
    scene.life.deliver()
    scene.time_passes()

    assert not scene.system.predictions(row)


def test_a_queued_job_is_canceled_at_once(scene: Scene) -> None:
    row = scene.queued()

    scene.withdraw()

    assert scene.system.row(row).state is State.CANCELED
    assert (scene.system.account().held, scene.system.account().running) == (0, 0)


def test_a_job_that_runs_is_canceled_at_the_provider_at_once(scene: Scene, ports: FakePorts) -> None:
    row = scene.processing()

    scene.withdraw()
    scene.life.deliver()

    assert ports.provider.canceled == [row.prediction_id]


def test_what_the_provider_makes_all_the_same_is_not_shown_and_not_charged(
    scene: Scene, ports: FakePorts
) -> None:
    ports.provider.obeys_cancel = False
    row = scene.processing()
    scene.withdraw()
    scene.life.deliver()

    row = scene.told_of_success(row)

    assert (row.state, row.credits_charged, row.credits_refunded) == (State.FAILED, 0, 4)
    assert not ports.image_judge.asked
    assert row.failure is not None
    assert row.failure.code == "model_closed"
    scene.assert_nothing_was_shown(row)


@pytest.mark.parametrize("how", [Scene.withdraw, Scene.only_closes], ids=["whole", "died halfway"])
def test_what_fails_for_now_at_the_provider_is_not_made_again(
    scene: Scene, ports: FakePorts, how: Callable[[Scene], object]
) -> None:
    ports.provider.obeys_cancel = False
    row = scene.processing()
    how(scene)

    scene.system.hear(row, ports.provider.fail(scene.system.prediction(row).id, "CUDA out of memory"))
    scene.time_passes()

    assert len(scene.system.predictions(row)) == 1
    scene.assert_nothing_was_shown(row)


def test_a_harmful_image_of_a_closed_model_is_not_kept_for_an_appeal(scene: Scene, ports: FakePorts) -> None:
    ports.image_judge.slow = True
    row = scene.told_of_success(scene.processing(), [NUDE])
    scene.withdraw()
    scene.time_passes()

    ended = scene.assert_nothing_was_shown(row)
    assert not ended.blocked


@pytest.mark.parametrize("how", [Scene.withdraw, Scene.only_closes], ids=["whole", "died halfway"])
def test_stopping_what_ran_costs_nothing_however_many_cancels_there_were_that_day(
    scene: Scene, ports: FakePorts, how: Callable[[Scene], object]
) -> None:
    row = scene.processing()
    ports.provider.start(scene.system.prediction(row).id)
    account = scene.system.account()
    used_up = ports.catalog.plan(account.plan).free_cancels_per_day
    ports.store.accounts[ANA] = account.model_copy(update={"cancels_today": used_up})

    how(scene)
    scene.time_passes()

    ended = scene.assert_nothing_was_shown(row)
    assert (ended.state, ended.credits_charged) == (State.CANCELED, 0)
    assert scene.system.account().cancels_today == used_up


# In the very moment


def test_who_withdraws_between_the_claims_read_and_its_write_is_heard(scene: Scene, ports: FakePorts) -> None:
    row = scene.queued()
    ports.commands.take_started()

    with meanwhile(ports, "FakeChanges.commit", scene.only_closes):
        scene.system.start(row)

    ended = scene.system.row(row)
    assert ended.failure is not None
    assert (ended.state, ended.failure.code, ended.attempt) == (State.FAILED, "model_closed", 0)
    assert not scene.system.predictions(row)


@pytest.mark.parametrize("judge_is_slow", [False, True], ids=["judged at once", "judged later"])
@pytest.mark.parametrize(
    ("call", "nth"),
    [
        ("FakeOutputs.download", 1),
        ("FakeObjects.put_file", 1),
        ("FakeImageJudge.ask", 1),
        ("FakeObjects.copy", 1),
        ("FakeObjects.put_bytes", 1),
        ("FakeObjects.copy", 2),
        ("FakeObjects.put_bytes", 2),
        ("settlement", 1),
    ],
)
@pytest.mark.parametrize("how", [Scene.withdraw, Scene.only_closes], ids=["whole", "died halfway"])
def test_until_the_settlement_is_written_nothing_is_shown(
    ports: FakePorts, call: str, nth: int, judge_is_slow: bool, how: Callable[[Scene], object]
) -> None:
    scene = Scene(ports)
    row = scene.system.started(scene.life.generate(scene.model, num_outputs=2))
    ports.image_judge.slow = judge_is_slow
    if call == "settlement":
        # After the images are where their owner would find them.
        call, nth = "FakeChanges.commit", 4 if judge_is_slow else 2

    def delivered_and_judged() -> None:
        scene.told_of_success(row)
        if judge_is_slow:
            ports.image_judge.decide()
            scene.system.hear(row, scene.system.prediction(row))

    with meanwhile(ports, call, lambda: how(scene), nth=nth):
        delivered_and_judged()

    ended = scene.assert_nothing_was_shown(row)
    assert ended.failure is not None
    assert ended.failure.code == "model_closed"
    scene.time_passes()
    scene.assert_model_is_gone()


def test_a_model_that_is_renamed_while_its_images_are_published_is_no_trouble(
    scene: Scene, ports: FakePorts
) -> None:
    row = scene.processing()

    def rename() -> None:
        change_model(ChangeModel(of(scene.model), name="Ana in winter"), ports=ports)

    with meanwhile(ports, "FakeChanges.commit", rename, nth=2):
        row = scene.told_of_success(row)

    assert row.state is State.SUCCEEDED


def test_a_model_that_is_only_being_deleted_still_gives_what_was_under_way(
    scene: Scene, ports: FakePorts
) -> None:
    row = scene.judging()
    delete_model(of(scene.model), ports=ports)

    scene.time_passes()

    assert scene.system.row(row).state is State.SUCCEEDED
    scene.assert_model_is_gone()


def test_who_withdraws_after_the_settlement_is_too_late_for_these_images(
    scene: Scene, ports: FakePorts
) -> None:
    row = scene.processing()

    # The settlement is written; what follows deletes from quarantine.
    with meanwhile(ports, "FakeObjects.delete", scene.withdraw):
        row = scene.told_of_success(row)

    assert row.state is State.SUCCEEDED
    assert row.outputs


@pytest.mark.parametrize("judge_is_slow", [False, True], ids=["judged at once", "judged later"])
def test_images_that_were_copied_already_go_however_often_the_bucket_is_away(
    ports: FakePorts, judge_is_slow: bool
) -> None:
    scene = Scene(ports)
    row = scene.processing()
    ports.image_judge.slow = judge_is_slow
    if judge_is_slow:
        row = scene.told_of_success(row)
        ports.image_judge.decide()

    with withdrawn_after_the_first_copy(scene), meanwhile(ports, "FakeObjects.delete", is_away):
        try:
            scene.told_of_success(row)
        except Transient:
            scene.told_of_success(row)  # the queue delivers it again

    scene.time_passes()
    assert scene.system.row(row).state is State.FAILED
    assert not [key for key in ports.objects.stored if key.startswith("users/")]


@pytest.mark.parametrize("dies", [dies_before, dies_after])
def test_images_that_were_copied_already_go_when_the_message_comes_again(
    scene: Scene, ports: FakePorts, dies: Callable[..., AbstractContextManager[None]]
) -> None:
    row = scene.processing()
    with withdrawn_after_the_first_copy(scene), dies(ports, "FakeObjects.delete"):
        scene.told_of_success(row)

    scene.told_of_success(row)

    scene.assert_nothing_was_shown(row)


def test_what_a_dead_worker_had_copied_goes_even_if_the_judge_is_away_from_then_on(
    scene: Scene, ports: FakePorts
) -> None:
    row = scene.processing()
    with dies_after(ports, "FakeObjects.put_bytes"):
        scene.told_of_success(row)
    scene.withdraw()
    ports.image_judge.be_away()

    for pause in (SAVING_LEASE, ports.policies.judge_patience + SAVING_LEASE):
        ports.clock.advance(pause)
        scene.told_of_success(row)
    scene.time_passes()

    scene.assert_nothing_was_shown(row)


def test_what_a_dead_worker_had_copied_goes_even_if_the_provider_has_deleted_its_files_meanwhile(
    scene: Scene, ports: FakePorts
) -> None:
    row = scene.processing()
    with dies_after(ports, "FakeObjects.put_bytes"):
        scene.told_of_success(row)
    scene.withdraw()
    ports.provider.forget_output(scene.system.prediction(row).id)

    ports.clock.advance(timedelta(hours=1))
    scene.time_passes()

    scene.assert_nothing_was_shown(row)


def test_what_waits_for_its_judge_does_not_keep_the_model_from_being_deleted(
    scene: Scene, ports: FakePorts
) -> None:
    """Its photos and its version are what the consent was for: they are not kept for a judge that is away."""
    ports.image_judge.be_away()
    row = scene.told_of_success(scene.processing())
    assert row.state is State.JUDGING

    scene.withdraw()
    scene.time_passes()  # three quarters of an hour

    assert scene.system.row(row).state in ENDED
    scene.assert_model_is_gone()


def test_no_image_of_the_person_is_shown_to_a_judge_any_more(scene: Scene, ports: FakePorts) -> None:
    ports.image_judge.be_away()
    row = scene.told_of_success(scene.processing())
    scene.withdraw()
    ports.image_judge.failure = None

    scene.time_passes()

    scene.assert_nothing_was_shown(row)
    assert not ports.image_judge.asked


# Trainings


def test_a_training_is_canceled_too(scene: Scene, ports: FakePorts) -> None:
    queued = scene.life.accept_training(scene.model)

    scene.withdraw()

    assert ports.store.trainings[job(queued)].state is State.CANCELED
    scene.time_passes()
    scene.assert_model_is_gone()


def test_no_training_is_sent_to_the_provider_once_consent_is_withdrawn(
    scene: Scene, ports: FakePorts
) -> None:
    before, uploaded = len(ports.provider.training_requests), len(ports.provider.uploads)
    row = scene.life.accept_training(scene.model)
    scene.only_closes()

    scene.life.start_training(row)

    assert len(ports.provider.training_requests) == before
    assert len(ports.provider.uploads) == uploaded
    scene.time_passes()
    scene.assert_model_is_gone()


@pytest.mark.parametrize("call", ["FakeProvider.upload", "FakePace.reserve_read", "FakeChanges.commit"])
def test_who_withdraws_while_photos_are_packed_and_sent_is_heard_before_the_training_is_created(
    scene: Scene, ports: FakePorts, call: str
) -> None:
    before = len(ports.provider.training_requests)
    row = scene.life.accept_training(scene.model)

    with meanwhile(ports, call, scene.only_closes):
        scene.life.start_training(row)

    assert len(ports.provider.training_requests) == before
    ended = ports.store.trainings[job(row)]
    assert (ended.state, ended.credits_charged) == (State.FAILED, 0)
    assert ended.failure is not None
    assert ended.failure.code == "model_closed"
    # The photos that went to the provider for it are forgotten there.
    assert not ports.provider.uploads[max(ports.provider.uploads)]
    scene.time_passes()
    scene.assert_model_is_gone()


def test_a_training_that_runs_leaves_no_version_behind(scene: Scene, ports: FakePorts) -> None:
    ports.provider.obeys_cancel = False
    row = scene.life.start_training(scene.life.accept_training(scene.model))
    scene.withdraw()

    ended = scene.life.finish_training(row)
    scene.time_passes()

    assert ended.credits_charged == 0
    assert ended.trained_version in ports.provider.deleted_versions
    scene.assert_model_is_gone()


# The process dies


@contextmanager
def dying(ports: FakePorts, moment: str, nth: int) -> Iterator[list[str]]:
    """Let the process die before or after its nth call of any port, and tell which one that was."""
    calls, died_at = 0, []

    def hook(name: str) -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            died_at.append(name)
            raise Crash

    setattr(ports.calls, moment, hook)
    try:
        yield died_at
    except Crash:
        pass
    finally:
        setattr(ports.calls, moment, lambda _: None)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_wherever_the_withdrawal_dies_asking_again_finishes_it(moment: str) -> None:
    for nth in range(1, 100):
        scene = Scene(FakePorts())
        running, queued = scene.processing(), scene.queued()
        waiting = scene.life.generate(scene.model)
        with dying(scene.ports, moment, nth) as died:
            scene.withdraw()

        scene.withdraw()
        scene.time_passes()

        for row in (running, queued, waiting):
            scene.assert_nothing_was_shown(row)
        scene.assert_model_is_gone()
        assert_sound(scene.ports)
        if not died:
            break


@pytest.mark.parametrize("moment", ["before", "after"])
def test_wherever_the_withdrawal_dies_once_it_is_written_it_is_obeyed(moment: str) -> None:
    for nth in range(1, 100):
        scene = Scene(FakePorts())
        running, queued = scene.processing(), scene.queued()
        with dying(scene.ports, moment, nth) as died:
            scene.withdraw()
        if scene.life.model(scene.model).consent.withdrawn_at is None:
            continue

        scene.told_of_success(running)
        scene.time_passes()

        for row in (running, queued):
            scene.assert_nothing_was_shown(row)
        scene.assert_model_is_gone()
        assert_sound(scene.ports)
        if not died:
            break


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("judge_is_slow", [False, True], ids=["judged at once", "judged later"])
def test_wherever_the_saving_dies_after_a_withdrawal_nothing_is_shown(
    moment: str, judge_is_slow: bool
) -> None:
    for nth in range(1, 100):
        scene = Scene(FakePorts())
        row = scene.processing()
        scene.ports.image_judge.slow = judge_is_slow
        with dying(scene.ports, moment, nth) as died, withdrawn_after_the_first_copy(scene):
            row = scene.told_of_success(row)
            scene.ports.image_judge.decide()
            scene.system.hear(row, scene.system.prediction(row))
        scene.withdraw()

        scene.time_passes()
        ended = scene.told_of_success(row)  # the message of the dead process

        if ended.state is State.SUCCEEDED:
            # The settlement was written before: the withdrawal came too late for it.
            assert not died or "FakeObjects.put_bytes" in scene.ports.calls.names
        else:
            scene.assert_nothing_was_shown(row)
        scene.assert_model_is_gone()
        assert_sound(scene.ports)
        if not died:
            assert ended.state is not State.SUCCEEDED
            break


# Minors, at acceptance


@pytest.mark.parametrize("word", ["class_word", "trigger_word"])
def test_a_models_own_words_are_held_to_the_rules_of_today_at_each_acceptance(
    scene: Scene, ports: FakePorts, word: str
) -> None:
    """Models outlive the policy that they were created under."""
    stored = scene.life.model(scene.model).model_copy(update={word: "toddler"})
    ports.store.models[stored.user_id, stored.id] = stored

    with pytest.raises(InvalidRequest) as refused:
        scene.queued()

    assert [(p.name, p.code) for p in refused.value.invalid_params] == [("model", "refused_minors")]
    assert scene.system.account().held == 0


def test_words_that_are_refused_beside_a_person_pass_beside_a_style(scene: Scene, ports: FakePorts) -> None:
    ports.faces.found = FaceReport((), knows_age=True)
    style = scene.life.trained(kind=ModelKind.STYLE, class_word="style")

    row = scene.life.generate(style, prompt="a birthday party of a little boy")
    assert row.state.live

    with pytest.raises(InvalidRequest):
        scene.life.generate(scene.model, prompt="a birthday party of a little boy")


def test_the_provider_is_only_asked_for_what_it_can_still_be_asked_for(
    scene: Scene, ports: FakePorts
) -> None:
    """A prediction that ended before it could be canceled is no trouble."""
    row = scene.processing()
    ports.provider.succeed(scene.system.prediction(row).id)
    scene.withdraw()

    scene.time_passes()

    assert scene.system.prediction(row).status is PredictionStatus.SUCCEEDED
    scene.assert_nothing_was_shown(row)
