"""Proofs in processes of this machine: each at low priority, with a prover of its own over the one mapped key.

The pages of a mapped key are the page cache's: however many workers map it, it is in memory once. By default each
worker has as many threads as there are cores: a proof that is alone has the whole machine, several share it.
"""

import asyncio
import base64
import os
import pickle
import sys
from typing import Any

from agents.core.proofs.proof import Groth16Proof, proof_from_json
from agents.kernels.threads import VARIABLE
from agents.proving.child import Child
from agents.proving.executor import Recipe
from agents.proving.turns import cores
from agents.proving.wire import unpacked

IDLE_SECONDS = 300.0
"""After which a worker that nobody needs any more gives its memory back; one stays."""


class LocalPool:
    """Workers of one recipe, started when they are first needed, replaced when they die, hang or are given up."""

    def __init__(self, recipe: Recipe, workers: int | None = None, threads: int | None = None) -> None:
        """``workers``: one a core by default; ``threads`` of each: as many as there are cores by default."""
        self.recipe = recipe
        self._threads = threads
        count = workers or cores()
        # The key is found by the same path in a worker, and so are this program's modules.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(os.path.abspath(place) for place in sys.path)}
        if threads is not None:
            environment[VARIABLE] = str(threads)
        self._workers = [Child(self._command, "See whether it can be imported.", environment) for _ in range(count)]
        self._idle = list(self._workers)
        self._retiring: set[asyncio.Task[None]] = set()
        self._asked = dict.fromkeys(self._workers, 0)
        """How often each was asked."""
        self._free = asyncio.Semaphore(count)

    @property
    def capacity(self) -> int:
        """Workers."""
        return len(self._workers)

    @property
    def cores(self) -> int | None:
        """As many as it was given; where proofs share all of them, each counts for one."""
        return self._threads or 1

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that run."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    async def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        """A proof of ``inputs``. Raises ProofFailed, ProverLost, ProverUnavailable, BadData."""
        async with self._free:
            worker = self._idle.pop()  # the one used last: others need not be started
            self._asked[worker] += 1
            try:
                answer = await worker.ask({"input": inputs})
            finally:
                self._idle.append(worker)
                asyncio.get_running_loop().call_later(IDLE_SECONDS, self._retire, worker, self._asked[worker])
        if "error" in answer:
            raise unpacked(answer["error"])
        return proof_from_json(answer.get("proof"))

    def _retire(self, worker: Child, asked: int) -> None:
        """End a worker that was asked nothing since, unless it is the one that is asked next."""
        if self._asked[worker] == asked and worker in self._idle[:-1] and worker.pid is not None:
            ending = asyncio.create_task(worker.close())
            self._retiring.add(ending)
            ending.add_done_callback(self._retiring.discard)

    def _command(self) -> list[str]:
        recipe = base64.b64encode(pickle.dumps(self.recipe)).decode()
        # Safe path: the working directory is on it only where it was on ours.
        return [sys.executable, "-P", "-m", "agents.proving.pool_worker", recipe]

    async def close(self) -> None:
        """End all workers."""
        await asyncio.gather(*(worker.close() for worker in self._workers))
