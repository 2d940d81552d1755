from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes import FakePorts
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.system import System


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
