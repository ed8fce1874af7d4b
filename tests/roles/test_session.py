"""One agent a data directory."""

import asyncio
import os
from contextlib import closing
from pathlib import Path

import pytest

from agents.core.errors import ChainUnavailable, DataDirInUse
from agents.runtime.acting import session
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
