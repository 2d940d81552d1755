from __future__ import annotations

from pathlib import Path

import pytest

from revela.domain.errors import InvalidRequest
from revela.domain.job import State
from tests.fakes import FakePorts
from tests.unit.usecases.system import System

FORBIDDEN = "a naked woman named Quillfeather"
CORPUS = Path(__file__).parents[2] / "safety" / "corpus.tsv"


def test_a_refused_prompt_is_explained_and_nothing_is_held_or_sent(system: System, ports: FakePorts) -> None:
    with pytest.raises(InvalidRequest) as refused:
        system.accept(prompt=FORBIDDEN)

    assert refused.value.code == "prompt_refused"
    assert [(p.name, p.code, p.args) for p in refused.value.invalid_params] == [
        ("prompt", "refused_sexual", {"rule": "sexual.nudity"})
    ]
    assert system.account().held == 0
    assert ports.store.generations == {}
    assert ports.commands.started == []


def test_a_refusal_is_counted_and_told_without_the_words(system: System, ports: FakePorts) -> None:
    with pytest.raises(InvalidRequest):
        system.accept(prompt=FORBIDDEN)

    assert ports.telemetry.counts["PromptsRefused"] == 1
    assert [line.fields for line in ports.telemetry.lines if line.event == "prompt_judged"] == [
        {
            "field": "prompt",
            "outcome": "refuse",
            "rule": "sexual.nudity",
            "category": "sexual",
            "policy_version": ports.prompt_policy.version,
        }
    ]
    assert "Quillfeather" not in repr(ports.telemetry.lines)
    assert "naked" not in repr(ports.telemetry.lines)


def test_a_refused_key_is_not_remembered_so_that_a_mended_prompt_may_use_it(system: System) -> None:
    with pytest.raises(InvalidRequest):
        system.accept(key="k", prompt=FORBIDDEN)

    assert system.accept(key="k", prompt="a woman in a coat").state is State.QUEUED


def test_what_is_excluded_is_not_asked_for(system: System) -> None:
    row = system.accept(model="sdxl", prompt="portrait of a sailor", negative_prompt="nudity, blood, child")

    assert row.state is State.QUEUED


def test_what_the_policy_is_uncertain_of_passes_and_is_told(system: System, ports: FakePorts) -> None:
    row = system.accept(prompt="renaissance painting of a nude Venus")

    assert row.state is State.QUEUED
    assert ports.telemetry.counts["PromptsRefused"] == 0
    assert [line.fields["outcome"] for line in ports.telemetry.lines if line.event == "prompt_judged"] == [
        "uncertain"
    ]


def test_what_the_policy_is_uncertain_of_is_written_down_for_its_judge(system: System) -> None:
    row = system.accept(model="sdxl", prompt="renaissance painting of a nude Venus", negative_prompt="fog")

    assert [doubt.model_dump() for doubt in row.doubts] == [
        {"field": "prompt", "rule": row.doubts[0].rule, "category": "sexual"}
    ]
    assert row.doubts[0].rule.startswith("sexual.")
    assert row.undecided


def test_what_the_policy_allows_leaves_no_doubt(system: System) -> None:
    row = system.accept()

    assert row.doubts == ()
    assert not row.undecided


def test_of_a_doubt_and_a_refusal_the_refusal_decides(system: System, ports: FakePorts) -> None:
    with pytest.raises(InvalidRequest) as refused:
        system.accept(prompt=f"a soldier bleeding in a trench, {FORBIDDEN}")

    assert [p.code for p in refused.value.invalid_params] == ["refused_sexual"]
    assert ports.store.generations == {}


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param(line.split("\t")[4], id=f"{line.split(chr(9))[1]}-{line.split(chr(9))[2]}-{number}")
        for number, line in enumerate(CORPUS.read_text("utf-8").splitlines())
        if line.startswith("uncertain\t") and line.split("\t")[3] == "0"
    ],
)
def test_every_prompt_of_the_corpus_that_is_in_doubt_is_judged_before_it_is_sent(
    system: System, ports: FakePorts, prompt: str
) -> None:
    row = system.processing(prompt=prompt)

    assert row.state is State.PROCESSING
    assert ports.prompt_judge.asked == [prompt]


def test_a_prompt_in_doubt_costs_its_user_what_others_cost(system: System) -> None:
    doubtful = system.accept(prompt="renaissance painting of a nude Venus")

    assert doubtful.credits_held == system.accept().credits_held == 1


def test_a_prompt_in_doubt_is_accepted_once_under_its_key(system: System, ports: FakePorts) -> None:
    first = system.accept(key="k", prompt="renaissance painting of a nude Venus")
    again = system.accept(key="k", prompt="renaissance painting of a nude Venus")

    assert again == first
    assert again.doubts == first.doubts
    assert len(ports.store.generations) == 1


def test_a_field_that_is_not_accepted_is_told_before_the_prompt_is_judged(system: System) -> None:
    with pytest.raises(InvalidRequest) as refused:
        system.accept(model="flux-dev", prompt=FORBIDDEN, negative_prompt="fog")

    assert refused.value.code == "invalid_request"
