from __future__ import annotations

import pytest

from revela.domain.errors import InvalidRequest
from revela.domain.job import State
from tests.fakes import FakePorts
from tests.unit.usecases.system import System

FORBIDDEN = "a naked woman named Quillfeather"


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


def test_a_field_that_is_not_accepted_is_told_before_the_prompt_is_judged(system: System) -> None:
    with pytest.raises(InvalidRequest) as refused:
        system.accept(model="flux-dev", prompt=FORBIDDEN, negative_prompt="fog")

    assert refused.value.code == "invalid_request"
