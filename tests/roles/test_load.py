"""How busy a provider's prover is, as its log and `agent provider status` tell; and what it proves with."""

import asyncio
import json
import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.errors import Misuse, ProverUnavailable
from agents.core.proofs.pace import ProvingLoad
from agents.core.proofs.profiles import profile_named
from agents.proving.pool import LocalPool
from agents.proving.prover import SnarkjsProver
from agents.proving.turns import cores
from agents.runtime import load
from agents.runtime.load import LoadReport, told_load
from agents.runtime.proving import executor_for
from agents.runtime.settings import Proving

DEVNET = profile_named("devnet")
BUSY = ProvingLoad(waiting=3, running=2, capacity=2, due_in=9.5, per_minute=40, seconds=1.5, refused=1)


def test_a_load_is_told_until_the_provider_ends_or_is_not_heard_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = BUSY
    report = LoadReport(tmp_path, lambda: now)
    assert told_load(tmp_path) is None
    with caplog.at_level(logging.INFO):
        report.tell()
        now = replace(BUSY, waiting=0)
        report.tell()
    assert told_load(tmp_path) == now
    assert [record.message for record in caplog.records] == [f"proving: {BUSY}"]  # once a minute
    monkeypatch.setattr(load, "LOG_SECONDS", 0.0)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        report.tell()
        report.tell()
        now = ProvingLoad(0, 0, 2, None, 0, 1.5, 1)
        report.tell()
    assert len(caplog.records) == 1  # nothing is said twice, nor of nothing
    path = tmp_path / load.NAME
    path.write_text(json.dumps({"at": time.time() - load.OLD_SECONDS - 1, **BUSY.as_json()}))
    assert told_load(tmp_path) is None
    for torn in ("", "[]", "{}", '{"at": 1e12}', '{"at": "soon"}'):
        path.write_text(torn)
        assert told_load(tmp_path) is None
    report.tell()
    assert told_load(tmp_path) == now
    report.end()
    report.end()
    assert told_load(tmp_path) is None and list(tmp_path.iterdir()) == []


def test_a_full_disk_stops_no_provider(tmp_path: Path) -> None:
    report = LoadReport(tmp_path / "absent", lambda: BUSY)
    report.tell()
    report.end()


def test_what_is_proven_with_is_what_was_asked_for(tmp_path: Path) -> None:
    async def kind(proving: Proving) -> object:
        found = await executor_for(DEVNET, proving)
        await found.close()
        return found

    own = asyncio.run(kind(Proving()))
    assert isinstance(own, LocalPool) and own.capacity == cores() and own.cores == 1
    few = asyncio.run(kind(Proving(workers=3)))
    assert isinstance(few, LocalPool) and few.capacity == 3
    assert isinstance(asyncio.run(kind(Proving(Path("snarkjs")))), SnarkjsProver)
    with pytest.raises(ProverUnavailable, match="cannot be run"):
        asyncio.run(kind(Proving(tmp_path / "absent")))
    with pytest.raises(Misuse, match="--cluster does not go with"):
        asyncio.run(kind(Proving(workers=1, cluster="tcp://127.0.0.1:9")))
