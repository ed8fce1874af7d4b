"""A duty that fails is told of by how much it matters, and does not come back at once where that is no use."""

import asyncio
import logging

import pytest

from agents.chain.reverts import Reverted
from agents.core.errors import (
    ChainUnavailable,
    Corrupt,
    DiskFull,
    NotEnoughGas,
    NotFound,
    PeerError,
    ProofFailed,
    Refused,
    StorageTrouble,
)
from agents.roles import actor
from agents.roles.actor import Tasks


async def fail(error: Exception) -> None:
    raise error


def told(error: Exception, caplog: pytest.LogCaptureFixture) -> tuple[str, bool]:
    """At which level a duty's ``error`` is logged, and whether the duty is held back after it."""

    async def run() -> bool:
        tasks = Tasks()
        tasks.start("duty", fail(error))
        await asyncio.sleep(0.02)
        held = tasks.runs("duty")
        await tasks.close()
        return held

    with caplog.at_level(logging.INFO, logger=actor.__name__):
        held = asyncio.run(run())
    (record,) = caplog.records
    return record.levelname, held


TROUBLES = [ChainUnavailable, Corrupt, DiskFull, NotEnoughGas, ProofFailed, StorageTrouble]


@pytest.mark.parametrize("kind", TROUBLES)
def test_trouble_is_a_warning_and_held_back(kind: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    assert told(kind("it went wrong"), caplog) == ("WARNING", True)


@pytest.mark.parametrize("error", [Refused("no"), NotFound("none"), PeerError("down"), Reverted("reserve", "Held")])
def test_what_the_market_or_a_peer_refuses_is_no_trouble(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    assert told(error, caplog) == ("INFO", False)


def test_a_fault_is_told_in_full_and_held_back(caplog: pytest.LogCaptureFixture) -> None:
    assert told(ValueError("a fault"), caplog) == ("ERROR", True)
    assert "Traceback" in caplog.text
