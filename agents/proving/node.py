"""A resident snarkjs in a child process of its own, at low priority, started anew when it dies."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from agents.core.errors import ProofFailed, ProverUnavailable

WORKER = Path(__file__).with_name("worker.cjs")
NICE = 10
"""Proofs yield the machine to everything that answers somebody."""

START_SECONDS = 60.0
ANSWER_SECONDS = 600.0
"""A proof that takes longer is given up: its period is over, and others wait for the machine."""

ANSWER_LIMIT = 1 << 20
"""Bytes of one answer at most; a proof has about one thousand."""


@cache
def find_snarkjs() -> Path:
    """snarkjs' entry file: of HOLDFAST_NODE_MODULES, this checkout, or npm's global folder. Raises ProverUnavailable."""
    if shutil.which("node") is None:
        raise ProverUnavailable(
            "node is not there", "witnesses are made by snarkjs, which runs on Node 20 or later", "Install Node."
        )  # fmt: skip
    places = [Path(__file__).resolve().parents[2] / "node_modules"]
    if os.environ.get("HOLDFAST_NODE_MODULES"):
        places.insert(0, Path(os.environ["HOLDFAST_NODE_MODULES"]))
    for place in chain(places, _global_modules()):
        entry = place / "snarkjs" / "build" / "main.cjs"
        if entry.is_file():
            return entry
    raise ProverUnavailable(
        "snarkjs is not there",
        f"looked in {', '.join(str(place) for place in places)} and in npm's global folder",
        "Install it with `npm install --global snarkjs`, or set HOLDFAST_NODE_MODULES to the folder that has it.",
    )


def _global_modules() -> Iterator[Path]:
    """npm's global folder, asked for only when it is wanted: npm takes half a second to answer."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, timeout=20, check=True)
        yield Path(done.stdout.strip())


class NodeWorker:
    """Requests one at a time to a child that is started at the first one."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._count = 0

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The worker's answer. Raises ProofFailed when the circuit refuses the input, or the worker dies twice or hangs."""
        async with self._turn:
            try:
                answer = await self._attempt(request)
            except TimeoutError as error:
                raise ProofFailed(
                    f"the prover did not answer in {ANSWER_SECONDS:.0f} s",
                    "",
                    "It is started again for the next proof.",
                ) from error
            except (OSError, ValueError):  # it died, perhaps long before it was asked
                try:
                    answer = await self._attempt(request)
                except (OSError, ValueError) as error:
                    raise ProofFailed(
                        "the prover process died", str(error), "It is started again for the next proof."
                    ) from error
        if "error" in answer:
            raise ProofFailed("no proof can be made of this slot", _first_line(answer["error"]))
        return answer

    async def _attempt(self, request: dict[str, Any]) -> dict[str, Any]:
        process = await self._running()
        self._count += 1
        try:
            return await asyncio.wait_for(self._exchange(process, {**request, "id": self._count}), ANSWER_SECONDS)
        except BaseException:  # a late answer would be taken for the next one's
            await self._end()
            raise

    async def _exchange(self, process: asyncio.subprocess.Process, request: dict[str, Any]) -> dict[str, Any]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        await process.stdin.drain()
        while True:
            answer = await _message(process.stdout)
            if answer.get("id") == request["id"]:
                return answer

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        process = await asyncio.create_subprocess_exec(
            "node", str(WORKER), str(find_snarkjs()),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            limit=ANSWER_LIMIT, preexec_fn=lambda: os.nice(NICE),
        )  # fmt: skip
        assert process.stdout is not None
        try:
            await asyncio.wait_for(_message(process.stdout), START_SECONDS)
        except (TimeoutError, ValueError) as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise ProverUnavailable(
                "snarkjs does not start", str(error), "Run `node --version`: 20 or later."
            ) from error
        self._process = process
        return process

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """End the child."""
        await self._end()


async def _message(stream: asyncio.StreamReader) -> dict[str, Any]:
    line = await stream.readline()
    if not line:
        raise ValueError("it ended without an answer")
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("its answer is not an object")
    return found


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""
