from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes import FakePorts
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.system import ANA, System
from tests.unit.usecases.training_system import TrainingSystem


@pytest.fixture
def ports() -> FakePorts:
    return FakePorts()


@pytest.fixture(autouse=True)
def every_invariant_holds_afterwards(ports: FakePorts) -> Iterator[None]:
    yield
    assert_sound(ports)


@pytest.fixture
def system(ports: FakePorts) -> System:
    return System(ports)


@pytest.fixture
def trainings(ports: FakePorts) -> TrainingSystem:
    return TrainingSystem(ports)


@pytest.fixture
def several_places(system: System) -> None:
    """Give Ana a plan on which her jobs do not wait for each other; Bia keeps one place."""
    system.subscribe(ANA, plan="studio")
