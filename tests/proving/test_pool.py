"""Worker processes on this machine: real ones, that die, hang and are given up."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.artefacts.files import verification_key
from agents.core.errors import BadData, ProofFailed, ProverLost, ProverUnavailable
from agents.core.proofs.profiles import profile_named
from agents.core.proofs.proof import Groth16Proof, public_inputs
from agents.core.proofs.verification import verify
from agents.proving import child
from agents.proving import pool as workers
from agents.proving.child import NICE
from agents.proving.pool import LocalPool
from agents.proving.prover import recipe_for
from tests.circuits.slots import CHALLENGE, inputs_for, slot_of, small_cell
from tests.proving.makers import ForgerRecipe, write_key

DEVNET = profile_named("devnet")
PATIENCE = 120.0
BULK = 24 << 20


def inputs(slot: int) -> dict[str, Any]:
    return {"entropy": "7", "dataSetRoot": "11", "slotIndex": str(slot)}


async def until(state: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not state():  # noqa: ASYNC110  it comes about in another process
            await asyncio.sleep(0.01)


def begun(folder: Path, slot: int) -> list[int]:
    """Process ids of those who began to prove a slot, in order."""
    found = [path.name.split("-") for path in folder.glob(f"begun-{slot}-*")]
    return [int(pid) for _, _, pid, _ in sorted(found, key=lambda parts: int(parts[3]))]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    path = tmp_path_factory.mktemp("key") / "forger.zkey"
    return path, write_key(path, BULK)


Key = tuple[Path, dict[str, Any]]


@asynccontextmanager
async def pool(key: Key, folder: Path, workers: int = 2) -> AsyncIterator[LocalPool]:
    found = LocalPool(ForgerRecipe(key[0], folder), workers)
    try:
        yield found
    finally:
        pids = found.pids
        await found.close()
        assert found.pids == [] and not any(Path(f"/proc/{pid}").exists() for pid in pids)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE):
            await work()

    asyncio.run(main())


def mapped(pid: int, path: Path) -> dict[str, int]:
    """Bytes of a mapping by kind, from the kernel's own account of a process."""
    sizes, inside = dict[str, int](), False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if line[0] in "0123456789abcdef":
            inside = line.endswith(str(path))
        elif inside and line.endswith("kB"):
            name, amount, _ = line.split()
            sizes[name.rstrip(":")] = sizes.get(name.rstrip(":"), 0) + int(amount) * 1024
    return sizes


def test_workers_prove_at_once_over_one_mapped_key(key: Key, tmp_path: Path) -> None:
    (tmp_path / "hold").touch()

    async def work() -> None:
        async with pool(key, tmp_path) as found:
            assert (found.capacity, found.cores, found.pids) == (2, 1, [])  # nothing is started before it is needed
            proofs = [asyncio.create_task(found.prove(inputs(slot))) for slot in range(3)]
            await until(lambda: len(begun(tmp_path, 0)) == len(begun(tmp_path, 1)) == 1)
            pids = begun(tmp_path, 0) + begun(tmp_path, 1)
            assert sorted(pids) == sorted(found.pids) and begun(tmp_path, 2) == []
            assert all(os.getpriority(os.PRIO_PROCESS, pid) >= NICE for pid in pids)
            (tmp_path / "hold").unlink()
            for slot, proof in enumerate(await asyncio.gather(*proofs)):
                assert isinstance(proof, Groth16Proof)
                assert slot != 2 or verify(key[1], proof, (7, 11, 2))  # verifying takes a while
            assert begun(tmp_path, 2)[0] in pids
            # The key is in memory once: no page of it is any process's own.
            for pid in pids:
                sizes = mapped(pid, key[0])
                assert sizes["Rss"] >= BULK and sizes["Private_Dirty"] == 0 and sizes["Pss"] < 0.6 * BULK, sizes

    run(work)


def test_the_packages_own_prover_in_two_workers(tmp_path: Path) -> None:
    recipe = recipe_for(DEVNET)
    slots = [slot_of(DEVNET, index=index, slots=3, blocks=2, cell=small_cell) for index in range(3)]

    async def work() -> None:
        found = LocalPool(recipe, 2, threads=1)
        assert (found.capacity, found.cores) == (2, 1)
        try:
            proofs = await asyncio.gather(*(found.prove(inputs_for(slot)) for slot in slots))
            for slot, proof in zip(slots, proofs, strict=True):
                publics = public_inputs(CHALLENGE, slot.facts.dataset_root, slot.index)
                assert verify(verification_key("devnet"), proof, publics)
            assert len(found.pids) == 2
            for pid in found.pids:
                sizes = mapped(pid, recipe.key)
                assert sizes["Rss"] > 0 == sizes["Private_Dirty"], sizes
            with pytest.raises(ProofFailed):
                await found.prove(inputs_for(slots[0]) | {"slotRoot": "1"})
        finally:
            await found.close()

    run(work)


def test_one_proof_after_the_other_needs_one_worker(key: Key, tmp_path: Path) -> None:
    async def work() -> None:
        async with pool(key, tmp_path) as found:
            for slot in range(3):
                await found.prove(inputs(slot))
            assert len(found.pids) == 1
            assert begun(tmp_path, 0) == begun(tmp_path, 1) == begun(tmp_path, 2) == found.pids

    run(work)


def test_workers_that_are_not_needed_any_more_end_but_for_one(
    key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "IDLE_SECONDS", 0.2)
    (tmp_path / "hold").touch()

    async def work() -> None:
        async with pool(key, tmp_path, 3) as found:
            proofs = [asyncio.create_task(found.prove(inputs(slot))) for slot in range(3)]
            await until(lambda: len(list(tmp_path.glob("begun-*"))) == 3)
            (tmp_path / "hold").unlink()
            await asyncio.gather(*proofs)
            await until(lambda: len(found.pids) == 1)
            (kept,) = found.pids
            await found.prove(inputs(5))
            assert begun(tmp_path, 5) == [kept]
            await asyncio.gather(*(found.prove(inputs(slot)) for slot in range(6, 9)))

    run(work)


def test_a_worker_that_dies_is_replaced(key: Key, tmp_path: Path) -> None:
    (tmp_path / "die-5").touch()

    async def work() -> None:
        async with pool(key, tmp_path, 1) as found:
            with pytest.raises(ProverLost, match="signal 9"):
                await found.prove(inputs(5))
            assert verify(key[1], await found.prove(inputs(5)), (7, 11, 5))
            dead, alive = begun(tmp_path, 5)
            assert dead != alive and found.pids == [alive]
            # One that died while nobody looked is nobody's loss.
            os.kill(alive, signal.SIGKILL)
            await until(lambda: found.pids == [])
            await found.prove(inputs(6))

    run(work)


def test_whoever_stops_waiting_ends_the_worker(key: Key, tmp_path: Path) -> None:
    (tmp_path / "hang-1").touch()

    async def work() -> None:
        async with pool(key, tmp_path, 1) as found:
            hangs = asyncio.create_task(found.prove(inputs(1)))
            waits = asyncio.create_task(found.prove(inputs(2)))
            await until(lambda: len(begun(tmp_path, 1)) == 1)
            (pid,) = begun(tmp_path, 1)
            hangs.cancel()
            await waits
            assert not Path(f"/proc/{pid}").exists() and begun(tmp_path, 2) == found.pids != [pid]
            assert hangs.cancelled()

    run(work)


def test_a_refusal_is_told_in_its_own_words_and_ends_nobody(key: Key, tmp_path: Path) -> None:
    (tmp_path / "refuse-1").touch()
    (tmp_path / "break-2").touch()

    async def work() -> None:
        async with pool(key, tmp_path, 1) as found:
            with pytest.raises(ProofFailed, match="it was refused") as caught:
                await found.prove(inputs(1))
            assert type(caught.value) is ProofFailed
            with pytest.raises(ProofFailed, match="ValueError: a bug"):
                await found.prove(inputs(2))
            await found.prove(inputs(3))
            assert begun(tmp_path, 1) == begun(tmp_path, 2) == begun(tmp_path, 3)

    run(work)


def test_a_worker_that_cannot_begin_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torn = tmp_path / "torn.zkey"
    torn.write_bytes(b"{}")

    async def work() -> None:
        async with pool((torn, {}), tmp_path, 1) as found:
            with pytest.raises(BadData, match="not a proving key"):
                await found.prove(inputs(0))
            write_key(torn)
            await found.prove(inputs(0))
        monkeypatch.setattr(LocalPool, "_command", lambda _: ["sh", "-c", "exit 3"])
        async with pool((torn, {}), tmp_path, 1) as found:
            with pytest.raises(ProverUnavailable, match="does not start"):
                await found.prove(inputs(0))
        monkeypatch.setattr(child, "START_SECONDS", 0.2)
        monkeypatch.setattr(LocalPool, "_command", lambda _: ["sleep", "600"])
        async with pool((torn, {}), tmp_path, 1) as found:
            with pytest.raises(ProverUnavailable, match="over 0 s"):
                await found.prove(inputs(0))

    run(work)
