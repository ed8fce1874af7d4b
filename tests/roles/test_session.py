"""One agent a data directory, at work until it is stopped."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.core.errors import ChainUnavailable, DataDirInUse
from agents.runtime import acting
from agents.runtime.acting import session
from agents.runtime.follower import Moment
from agents.runtime.settings import Place
from agents.store.files import lock_folder
from agents.store.slots import SlotStore


def test_a_second_agent_on_a_data_directory_is_told_so_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_KEY", "0x" + "11" * 32)
    nowhere = Place("http://127.0.0.1:1", "eip155:31337:0x" + "22" * 20, data_dir=tmp_path)

    async def act() -> None:
        async with session(nowhere, "client"):
            raise AssertionError("there is no chain")

    with (
        closing(lock_folder(tmp_path, "agent.lock")),
        closing(SlotStore(tmp_path, 1)),  # the slots' own lock is another one
        pytest.raises(DataDirInUse, match=rf"{tmp_path} is in use: process {os.getpid()} runs on it.*--data-dir"),
    ):
        asyncio.run(act())
    for _ in range(2):  # an agent that failed lets the directory go
        with pytest.raises(ChainUnavailable):
            asyncio.run(act())


def test_an_agent_waits_for_a_chain_that_cannot_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    view: Any = None
    rechecked: list[int] = []
    stepped: list[tuple[int, bool]] = []

    class Blocks:
        """Five blocks; the chain goes back before the second."""

        def __init__(self, network: object) -> None:
            pass

        async def follow(self) -> AsyncIterator[Moment]:
            for block in range(5):
                yield Moment(view, block, 0, reorged=block == 1)

    async def recheck() -> None:
        rechecked.append(1)
        if len(rechecked) == 1:
            raise ChainUnavailable("Nobody answers", "it hangs")

    async def step(moment: Moment) -> None:
        stepped.append((moment.block, moment.reorged))
        if len(stepped) in (1, 2):
            raise ChainUnavailable("Nobody answers", "it is down")

    found: Any = SimpleNamespace(network=None, actor=SimpleNamespace(sender=SimpleNamespace(recheck=recheck)))
    monkeypatch.setattr(acting, "Follower", Blocks)
    asyncio.run(acting.until_stopped(found, step))
    # The second block's lane could not look, the third's step could not: the fourth is told of the reorganisation.
    assert stepped == [(0, False), (2, True), (3, True), (4, False)]
    assert len(rechecked) == 3
    assert caplog.text.count("waiting for the chain: Nobody answers") == 3
