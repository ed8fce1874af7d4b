from collections.abc import Iterator

import pytest

from agents.chain.anvil import Anvil, AnvilOptions


@pytest.fixture(scope="session")
def anvil() -> Iterator[Anvil]:
    """One chain for all tests that do not disturb others: a block per transaction."""
    with Anvil(AnvilOptions(block_time=None)) as chain:
        yield chain


@pytest.fixture
def own_anvil() -> Iterator[Anvil]:
    """A chain of the test's own, to reorganise."""
    with Anvil(AnvilOptions(block_time=None)) as chain:
        yield chain
