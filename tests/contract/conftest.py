"""Fixtures of the contract tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.replicate_stand_in import InProcess, in_process, server


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def replicate(anyio_backend: str) -> AsyncIterator[InProcess]:
    """The stand-in for Replicate in this process; its time stands still until the test moves it."""
    async with in_process() as running:
        yield running


@pytest.fixture(scope="session")
def replicate_server() -> Iterator[str]:
    """The origin of a stand-in served by a process of its own, ten times as fast as real time."""
    with server("--time-scale", "10") as origin:
        yield origin
