"""Proofs on other machines: the workers of a dask.distributed cluster, each with the key on its own disk.

Install ``holdfast[cluster]`` here and on the workers, start ``dask scheduler`` and, once a core, ``dask worker ADDRESS
--nthreads 1``. Whoever can reach a scheduler can run any program on its workers and here, and the workers see the cells that
are proven: keep it in a network of your own, or give it TLS (dask's ``distributed.comm`` settings). A wrong proof is found
out here, as every proof is verified.
"""

import asyncio
import hashlib
import logging
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from agents.core.errors import HoldfastError, ProverLost, ProverUnavailable
from agents.core.proofs.proof import Groth16Proof
from agents.proving import cluster_worker
from agents.proving.executor import Recipe
from agents.proving.wire import packed, unpacked

log = logging.getLogger(__name__)

PART_BYTES = 4 << 20
"""Of a key, in one message."""
PART_SECONDS = 60.0
"""Until a message is answered at the latest."""
CONNECT_SECONDS = 20.0
LOOK_SECONDS = 1.0
"""Between two looks at who has joined or left the cluster."""
END_SECONDS = 10.0
"""Until a worker that was told to end is left alone."""
ATTEMPTS = 3
"""Of one proof, on workers that turn out to have no key."""


class ClusterPool:
    """Workers of a cluster; those that join later are used too, those that die are replaced by the cluster's own nannies."""

    def __init__(self, recipe: Recipe, digest: str, address: str) -> None:
        """Use `connect`."""
        self._recipe = recipe
        self._digest = digest
        self._address = address
        self._client: Any = None
        self._ready: set[str] = set()
        self._supplying = asyncio.Lock()
        self._chores: set[asyncio.Task[None]] = set()
        self.shipped = 0
        """Times the key was sent to a worker."""

    @classmethod
    async def connect(cls, recipe: Recipe, address: str) -> "ClusterPool":
        """The pool of the cluster whose scheduler is at ``address``. Raises ProverUnavailable."""
        pool = cls(recipe, await asyncio.to_thread(_digest_of, recipe.key), address)
        try:
            await pool._look()
        except BaseException:
            await pool.close()
            raise
        pool._begin(pool._watch())
        return pool

    async def _join(self) -> None:
        """Connect to the scheduler, unless that is done already."""
        try:
            from distributed import Client
        except ImportError as error:
            raise ProverUnavailable(
                "a cluster cannot be used here", str(error), "Install it with `pip install 'holdfast[cluster]'`."
            ) from error
        if self._client is not None and self._client.status in ("running", "connecting"):
            return
        self._client = None
        client: Any = Client(self._address, asynchronous=True, timeout=CONNECT_SECONDS, set_as_default=False)
        await client
        self._client = client

    @property
    def capacity(self) -> int:
        """Workers that have the key."""
        return len(self._ready)

    @property
    def cores(self) -> int | None:
        """None of this machine's."""
        return 0

    async def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        """A proof of ``inputs``. Raises ProofFailed, ProverLost, ProverUnavailable, BadData.

        Where a worker dies, the cluster itself tries again on another one.
        """
        for _ in range(ATTEMPTS):
            try:
                return await self._attempt(inputs)
            except cluster_worker.KeyMissing:
                await self._look()  # it has just joined
        raise ProverUnavailable(
            "the cluster's workers have no key", "it could not be sent to them", "Look at their logs."
        )

    async def _attempt(self, inputs: dict[str, Any]) -> Groth16Proof:
        from distributed import KilledWorker
        from distributed.client import ClosedClientError, FutureCancelledError

        work, future = (cluster_worker.prove, self._recipe, self._digest, inputs), None
        try:
            future = self._client.submit(*work, pure=False, key=f"holdfast-{secrets.token_hex(8)}")
            proof = await future
        except HoldfastError:
            raise
        except (KilledWorker, FutureCancelledError, ClosedClientError, OSError) as error:
            raise ProverLost("the cluster lost a proof", str(error), "Look at its workers' logs.") from error
        except asyncio.CancelledError:
            if future is not None:
                self._begin(self._give_up(future))
            raise
        except Exception as error:
            raise unpacked(packed(error)) from error
        assert isinstance(proof, Groth16Proof)
        return proof

    async def _watch(self) -> None:
        """Send the key to whoever joins; look for a scheduler that is gone."""
        trouble = ""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
                said = ""
            except HoldfastError as error:
                said = str(error)
            if said != trouble:
                log.warning("%s", said or "the cluster is there again")
                trouble = said

    async def _look(self) -> None:
        """See who is there, and send them the key. Raises ProverUnavailable."""
        async with self._supplying:
            try:
                await self._join()
                there = set(await asyncio.wait_for(self._client.nthreads(), CONNECT_SECONDS))
            except HoldfastError:
                raise
            except Exception as error:  # whatever a client raises that is just losing its scheduler
                self._ready.clear()
                raise ProverUnavailable(
                    f"no cluster's scheduler answers at {self._address}",
                    str(error) or "it takes too long",
                    "Start it with `dask scheduler`.",
                ) from error
            self._ready &= there
            for worker in sorted(there - self._ready):
                # One after the other: workers of one machine share what the first of them got.
                try:
                    await self._supply(worker)
                except Exception as error:  # it may be leaving in this moment; others wait for theirs
                    log.warning("the key could not be sent to %s: %s", worker, error)
                else:
                    self._ready.add(worker)

    async def _supply(self, worker: str) -> None:
        async def run(function: Any, *arguments: Any) -> Any:
            found = await asyncio.wait_for(self._client.run(function, *arguments, workers=[worker]), PART_SECONDS)
            return found[worker]

        if not await run(cluster_worker.lacks, self._digest):
            return
        parcel, offset = secrets.token_hex(8), 0
        with self._recipe.key.open("rb") as file:
            while part := await asyncio.to_thread(file.read, PART_BYTES):
                await run(cluster_worker.put, self._digest, parcel, offset, part)
                offset += len(part)
        await run(cluster_worker.commit, self._digest, parcel)
        self.shipped += 1
        log.info("the key (%d bytes) was sent to %s", offset, worker)

    async def _give_up(self, future: Any) -> None:
        """End a proof nobody waits for. A thread cannot be stopped, so its worker ends, and its nanny starts another."""
        with suppress(OSError, TimeoutError):  # a worker that ends does not answer
            working = await self._client.processing()
            held = [worker for worker, keys in working.items() if future.key in keys]
            await future.cancel()
            self._ready -= set(held)
            for worker in held:
                await asyncio.wait_for(self._client.run(cluster_worker.end, workers=[worker]), END_SECONDS)

    def _begin(self, chore: Any) -> None:
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def close(self) -> None:
        """Leave the cluster."""
        for task in list(self._chores):
            task.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        if self._client is not None:
            await self._client.close()


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
