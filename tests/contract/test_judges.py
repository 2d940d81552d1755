"""Judges of images: the same cases over the fake, over Rekognition and over a model at Replicate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from revela.adapters.gates_off import NoImageJudge
from revela.adapters.rekognition_moderation import RekognitionImageJudge
from revela.adapters.replicate.judges import ReplicateJudge, read_nsfw_detection, render_jpeg
from revela.domain.errors import JudgeUnavailable, ProviderUnavailable
from revela.domain.judge_models import JudgeModel
from revela.domain.judgement import Judgement, Ticket
from revela.ports import ImageJudge
from tests.fakes.calls import Calls
from tests.fakes.clock import FakeClock
from tests.fakes.judges import FakeImageJudge
from tests.fakes.pace import FakePace
from tests.fakes.provider import FakeProvider

GOOD, NUDE = b"good", b"harm:nudity"
MODEL = JudgeModel.model_validate(
    {
        "id": "detector",
        "version": "a" * 64,
        "input": "image",
        "fixed_input": {},
        "deadline_s": 60,
        "provider_cost": {"usd_per_image": "0.0004"},
        "source": "a test",
    }
)


class Bench(ABC):
    """A judge, and who stands behind it."""

    judge: ImageJudge

    @abstractmethod
    def be_away_after(self, questions: int | None) -> None:
        """Have whoever is asked answer so many questions more."""


class Fake(Bench):
    def __init__(self) -> None:
        self.judge = self._fake = FakeImageJudge()

    def be_away_after(self, questions: int | None) -> None:
        self._fake.away_after = questions


class Rekognition(Bench):
    def __init__(self) -> None:
        self.judge = RekognitionImageJudge(cast(Any, self))
        self._left: int | None = None

    def be_away_after(self, questions: int | None) -> None:
        self._left = questions

    def detect_moderation_labels(self, *, Image: Mapping[str, bytes], MinConfidence: float) -> object:  # noqa: N803 - AWS's
        if self._left is not None:
            if self._left == 0:
                refused = {"Error": {"Code": "ThrottlingException", "Message": ""}}
                raise ClientError(cast(Any, refused), "DetectModerationLabels")
            self._left -= 1
        found = {"Name": "Explicit Nudity", "ParentName": "", "Confidence": MinConfidence}
        return {"ModerationLabels": [found] if Image["Bytes"] == NUDE else []}


class Replicate(Bench):
    def __init__(self) -> None:
        self._calls, clock = Calls(), FakeClock()
        self._provider = FakeProvider(self._calls, clock=clock)
        self.judge = ReplicateJudge[bytes](
            provider=self._provider,
            pace=FakePace(self._calls),
            clock=clock,
            model=MODEL,
            render=render_jpeg,
            read=read_nsfw_detection,
        )
        self._nudes = render_jpeg(NUDE)
        self._left: int | None = None
        self._calls.before = self._before
        self._calls.after = self._after

    def be_away_after(self, questions: int | None) -> None:
        self._left = questions

    def _before(self, name: str) -> None:
        if name != "FakeProvider.create_prediction" or self._left is None:
            return
        if self._left == 0:
            raise ProviderUnavailable("503")
        self._left -= 1

    def _after(self, name: str) -> None:
        # Held back until it has ended.
        if name == "FakeProvider.create_prediction":
            id_, request = list(self._provider.requests.items())[-1]
            self._provider.succeed(id_, ["nsfw" if request.input["image"] == self._nudes else "normal"])


@pytest.fixture(params=[Fake, Rekognition, Replicate])
def bench(request: pytest.FixtureRequest) -> Bench:
    made = request.param()
    assert isinstance(made, Bench)
    return made


def said_by(bench: Bench, things: list[bytes]) -> list[str | None]:
    """Return what was found of each: a category, `allowed`, or None where nobody was asked."""
    said: list[str | None] = []
    for found in bench.judge.ask(things):
        if isinstance(found, Ticket):
            found = bench.judge.answer(found)
            assert isinstance(found, Judgement)
        said.append((found.category or "allowed") if found is not None else None)
    return said


def test_nothing_is_said_of_nothing(bench: Bench) -> None:
    assert bench.judge.ask([]) == []


def test_each_is_judged_in_order(bench: Bench) -> None:
    assert said_by(bench, [GOOD, NUDE, GOOD]) == ["allowed", "nudity", "allowed"]


def test_a_judge_that_is_away_says_so(bench: Bench) -> None:
    bench.be_away_after(0)

    with pytest.raises(JudgeUnavailable):
        bench.judge.ask([GOOD, NUDE])


@pytest.mark.parametrize("questions", [1, 2, 3])
def test_what_was_said_before_the_judge_went_away_is_heard(bench: Bench, questions: int) -> None:
    bench.be_away_after(questions)

    said = said_by(bench, [NUDE, GOOD, NUDE, GOOD])

    assert said == ["nudity", "allowed", "nudity"][:questions] + [None] * (4 - questions)


def test_what_was_not_asked_about_can_be_asked_about_alone(bench: Bench) -> None:
    bench.be_away_after(2)
    things = [GOOD, GOOD, NUDE]
    rest = [thing for thing, said in zip(things, bench.judge.ask(things), strict=True) if said is None]
    bench.be_away_after(None)

    assert said_by(bench, rest) == ["nudity"]


def test_a_judge_that_is_switched_off_is_never_away() -> None:
    assert NoImageJudge().ask([GOOD, NUDE]) == [Judgement(), Judgement()]
