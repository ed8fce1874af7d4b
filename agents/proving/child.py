"""A child process that answers requests, one JSON object a line, and is started anew when it has died or hung."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.core.errors import ProverLost, ProverUnavailable
from agents.proving.wire import unpacked

NICE = 10
"""Proofs yield the machine to everything that answers somebody."""
START_SECONDS = 120.0
"""Until a child says it is ready; kernels may have to be compiled."""
ANSWER_LIMIT = 1 << 20
"""Bytes of one answer at most; a proof has about one thousand."""


class Child:
    """Requests one at a time to a child that is started at the first one."""

    def __init__(
        self, command: Callable[[], Sequence[str]], helpless: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """``command`` is asked for at each start; ``helpless`` says what to do when the child does not start."""
        self._command = command
        self._helpless = helpless
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task[asyncio.subprocess.Process] | None = None
        self._turn = asyncio.Lock()
        self._count = 0

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The child's answer. Raises ProverLost when it dies, ProverUnavailable when it cannot be started.

        Whoever stops waiting, because it takes too long or is pointless, thereby ends the child.
        """
        async with self._turn:
            process = await self._running()
            self._count += 1
            try:
                return await _exchange(process, {**request, "id": self._count})
            except (OSError, ValueError) as error:
                why = await self._death(process, error)
                raise ProverLost("the prover process died", why, "It is started again for the next proof.") from error
            except BaseException:  # a late answer would be taken for the next one's
                await self._end()
                raise

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None and self._starting is None:
            return self._process
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(self._started)
        # Who stops waiting does not stop the start: it may have taken long because there was much to compile.
        return await asyncio.shield(self._starting)

    def _started(self, task: "asyncio.Task[asyncio.subprocess.Process]") -> None:
        self._starting = None
        if not task.cancelled():
            task.exception()  # whoever still waits has got it

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            limit=ANSWER_LIMIT, env=self._environment,
        )  # fmt: skip
        self._process = process
        assert process.stdout is not None
        try:
            ready = await asyncio.wait_for(_message(process.stdout), START_SECONDS)
        except (TimeoutError, ValueError) as error:
            why = await self._death(process, error) or f"it took over {START_SECONDS:.0f} s"
            raise ProverUnavailable("the prover process does not start", why, self._helpless) from error
        except BaseException:
            await self._end()
            raise
        if "error" in ready:
            await self._end()
            raise unpacked(ready["error"])
        return process

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def _death(self, process: asyncio.subprocess.Process, error: Exception) -> str:
        """End what may be dead already; why it is."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 1.0)
        code = process.returncode
        await self._end()
        return str(error) if code is None or code >= 0 else f"signal {-code}"

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """End the child."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        await self._end()


async def _exchange(process: asyncio.subprocess.Process, request: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    await process.stdin.drain()
    while True:
        answer = await _message(process.stdout)
        if answer.get("id") == request["id"]:
            return answer


async def _message(stream: asyncio.StreamReader) -> dict[str, Any]:
    line = await stream.readline()
    if not line:
        raise ValueError("it ended without an answer")
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("its answer is not an object")
    return found
