"""Two real worker processes of a dask cluster on the loopback interface, with the key sent to them by digest."""

import asyncio
import hashlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from agents.artefacts.files import verification_key
from agents.core.errors import BadData, ProofFailed, ProverLost, ProverUnavailable, TooLate
from agents.core.proofs.profiles import profile_named
from agents.core.proofs.verification import verify
from agents.proving import cluster, cluster_worker
from agents.proving.child import NICE
from agents.proving.cluster import ClusterPool
from agents.proving.executor import Recipe
from agents.proving.prover import recipe_for
from agents.proving.service import ProvingService
from agents.proving.turns import Turns
from tests.circuits.slots import CHALLENGE, slot_of, small_cell
from tests.proving.makers import ForgerRecipe, write_key
from tests.proving.test_pool import begun, inputs, mapped, until

PATIENCE = 120.0
BULK = 10 << 20


class Town:
    """A cluster, a key, and a folder in which its workers keep what they are sent."""

    def __init__(self, folder: Path, running: Any, recipe: Recipe) -> None:
        self.folder = folder
        self.running = running
        self.recipe = recipe
        self.digest = hashlib.sha256(self.recipe.key.read_bytes()).hexdigest()
        self.kept = folder / "data" / "holdfast" / "keys" / "shipped" / f"{self.digest}.zkey"

    @asynccontextmanager
    async def pool(self) -> AsyncIterator[ClusterPool]:
        found = await ClusterPool.connect(self.recipe, self.running.scheduler_address)
        try:
            yield found
        finally:
            await found.close()


def local_cluster(folder: Path, workers: int, port: int = 0) -> Any:
    """A scheduler and worker processes of this machine."""
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, asynchronous=True, host="127.0.0.1", scheduler_port=port,
        dashboard_address=":0", local_directory=str(folder), silence_logs=50,
    )  # fmt: skip


def play(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    story: Callable[[Town], Awaitable[None]],
    workers: int = 2,
    recipe: Recipe | None = None,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))  # what is started below inherits it
    monkeypatch.setattr(cluster, "PART_BYTES", 3 << 20)
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.1)

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), local_cluster(folder, workers) as running:
            await story(Town(folder, running, recipe or ForgerRecipe(folder / "forger.zkey", folder)))

    asyncio.run(main())


def test_two_workers_prove_over_a_key_that_is_sent_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = write_key(tmp_path / "forger.zkey", BULK)

    async def story(town: Town) -> None:
        async with town.pool() as pool:
            assert (pool.capacity, pool.cores, pool.shipped) == (
                2,
                0,
                1,
            )  # they share a disk: the second has it already
            assert town.kept.read_bytes() == town.recipe.key.read_bytes()
            town.recipe.key.unlink()  # nobody reads it here any more
            hold = tmp_path / "hold"
            hold.touch()
            first = [asyncio.create_task(pool.prove(inputs(slot))) for slot in range(2)]
            await until(lambda: len(begun(tmp_path, 0)) == len(begun(tmp_path, 1)) == 1)
            hold.unlink()
            assert verify(key, (await asyncio.gather(*first))[1], (7, 11, 1))
            pids = {*begun(tmp_path, 0), *begun(tmp_path, 1)}
            assert len(pids) == 2 and os.getpid() not in pids
            for pid in pids:
                sizes = mapped(pid, town.kept)
                assert sizes["Rss"] >= BULK and sizes["Private_Dirty"] == 0 and sizes["Pss"] < 0.6 * BULK, sizes
                # The thread that proves is at low priority, the one that answers the scheduler is not.
                threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
                levels = {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads}
                assert max(levels) >= NICE and max(levels) > os.getpriority(os.PRIO_PROCESS, pid)
            (tmp_path / "refuse-3").touch()
            with pytest.raises(ProofFailed, match="it was refused"):
                await pool.prove(inputs(3))
            # A worker that joins later is used too.
            town.running.scale(3)
            await until(lambda: pool.capacity == 3)
            assert pool.shipped == 1

    play(tmp_path, monkeypatch, story)


def test_a_worker_that_dies_or_hangs_is_replaced_and_keeps_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_key(tmp_path / "forger.zkey")

    async def story(town: Town) -> None:
        async with town.pool() as pool:
            (tmp_path / "die-0").touch()
            await pool.prove(inputs(0))  # the cluster itself tries again
            dead, alive = begun(tmp_path, 0)
            assert dead != alive
            (tmp_path / "hang-1").touch()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pool.prove(inputs(1)), 2)
            (hung,) = begun(tmp_path, 1)
            await until(lambda: not Path(f"/proc/{hung}").exists())
            await pool.prove(inputs(1))
            assert begun(tmp_path, 1)[1] != hung and pool.shipped == 1

    play(tmp_path, monkeypatch, story, workers=1)


def test_the_service_proves_on_a_cluster_and_takes_no_place_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the package's own prover."""
    devnet = profile_named("devnet")
    slot = slot_of(devnet, index=1, slots=2, blocks=2, cell=small_cell)

    async def challenge() -> bytes:
        return CHALLENGE

    async def story(town: Town) -> None:
        turns = Turns(tmp_path / "turns", 1)
        held = turns.take(0.0)
        assert held is not None
        async with town.pool() as pool:
            service = ProvingService(pool, devnet, verification_key("devnet"), Turns(tmp_path / "turns", 1))
            await service.prove_slot(slot, 1e12, challenge)
            assert service.load().capacity == 1 and service.load().per_minute == 1
            # Nobody is there any more: proofs wait for a worker, as long as that makes sense.
            await town.running.scale(0)
            await until(lambda: pool.capacity == 0)
            with pytest.raises(TooLate):
                await service.prove_slot(slot, time.time() + 1.5, challenge)
        held.release()

    play(tmp_path, monkeypatch, story, 1, recipe_for(devnet))


def test_a_scheduler_that_is_started_again_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_key(tmp_path / "forger.zkey")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def main() -> None:
        async with asyncio.timeout(PATIENCE):
            async with local_cluster(tmp_path, 1, port) as running:
                town = Town(tmp_path, running, ForgerRecipe(tmp_path / "forger.zkey", tmp_path))
                pool = await ClusterPool.connect(town.recipe, running.scheduler_address)
                (tmp_path / "hold").touch()
                lost = asyncio.create_task(pool.prove(inputs(0)))
                await until(lambda: len(begun(tmp_path, 0)) == 1)
            try:
                with pytest.raises(ProverLost):
                    await lost
                await until(lambda: "no cluster's scheduler answers" in caplog.text)
                assert pool.capacity == 0
                with pytest.raises(ProverLost):
                    await pool.prove(inputs(1))
                (tmp_path / "hold").unlink()
                async with local_cluster(tmp_path, 1, port):
                    await until(lambda: pool.capacity == 1)
                    await pool.prove(inputs(2))
                    assert pool.shipped == 1 and caplog.text.count("no cluster's scheduler answers") == 1
            finally:
                await pool.close()

    asyncio.run(main())


def test_who_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_key(tmp_path / "forger.zkey")
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)

    async def connect() -> None:
        await ClusterPool.connect(ForgerRecipe(tmp_path / "forger.zkey", tmp_path), "tcp://127.0.0.1:9")

    with pytest.raises(ProverUnavailable, match=r"no cluster's scheduler answers at tcp://127\.0\.0\.1:9"):
        asyncio.run(connect())
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ProverUnavailable, match=r"holdfast\[cluster\]"):
        asyncio.run(connect())


def test_a_key_that_arrives_torn_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    key, digest = os.urandom(1000), ""
    digest = hashlib.sha256(key).hexdigest()
    cluster_worker.put(digest, "one", 0, key[:500])
    cluster_worker.put(digest, "two", 500, key[500:])
    with pytest.raises(BadData, match="another one"):
        cluster_worker.commit(digest, "one")
    assert cluster_worker.lacks(digest)
    cluster_worker.put(digest, "two", 0, key[:500])
    cluster_worker.commit(digest, "two")
    assert not cluster_worker.lacks(digest) and cluster_worker.key_path(digest).read_bytes() == key
    assert [path.name for path in cluster_worker.key_path(digest).parent.iterdir()] == [f"{digest}.zkey"]
