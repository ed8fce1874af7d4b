"""A resident snarkjs in a child process of its own, at low priority, started anew when it dies."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from agents.core.errors import ProofFailed, ProverLost, ProverUnavailable
from agents.proving.child import NICE, Child

WORKER = Path(__file__).with_name("worker.cjs")
ANSWER_SECONDS = 600.0
"""A proof that takes longer is given up: its period is over, and others wait for the machine."""


@cache
def find_snarkjs() -> Path:
    """snarkjs' entry file: of HOLDFAST_NODE_MODULES, this checkout, or npm's global folder. Raises ProverUnavailable."""
    if shutil.which("node") is None:
        raise ProverUnavailable(
            "node is not there", "snarkjs runs on Node 20 or later", "Install Node, or leave --prover out."
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
        self._child = Child(_command, "Run `node --version`: 20 or later.")

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The worker's answer. Raises ProofFailed when the circuit refuses the input, ProverLost when it dies or hangs."""
        try:
            answer = await asyncio.wait_for(self._attempt(request), ANSWER_SECONDS)
        except TimeoutError as error:
            raise ProverLost(
                f"the prover did not answer in {ANSWER_SECONDS:.0f} s", "", "It is started again for the next proof."
            ) from error
        if "error" in answer:
            raise ProofFailed("no proof can be made of this slot", _first_line(answer["error"]))
        return answer

    async def _attempt(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._child.ask(request)
        except ProverLost:  # perhaps long before it was asked
            return await self._child.ask(request)

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid

    async def close(self) -> None:
        """End the child."""
        await self._child.close()


def _command() -> list[str]:
    return ["nice", "-n", str(NICE), "node", str(WORKER), str(find_snarkjs())]


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""
