"""Circuits compiled in a test: of templates alone, or of parameters that no profile has."""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.core.errors import ProofFailed
from agents.proving.node import NodeWorker

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Compiled:
    """What circom made of a main file named main.circom."""

    folder: Path

    @property
    def r1cs(self) -> Path:
        return self.folder / "main.r1cs"

    @property
    def wasm(self) -> Path:
        return self.folder / "main_js" / "main.wasm"

    def wires(self) -> dict[str, int]:
        """Wires by the signals' names; needs --O0, which keeps all."""
        lines = (line.split(",") for line in (self.folder / "main.sym").read_text().split())
        return {name.removeprefix("main."): int(wire) for _, wire, _, name in lines}


@contextmanager
def compiled(source: str, *options: str, files: dict[str, str] | None = None) -> Iterator[Compiled]:
    """``source``, which includes the circuits as ../../circuits/*.circom, beside further ``files``."""
    # circom reads and writes below the working directory only.
    with tempfile.TemporaryDirectory(prefix="test-", dir=ROOT / ".build") as name:
        folder = Path(name)
        for file, text in {**(files or {}), "main.circom": source}.items():
            (folder / file).write_text(text)
        place = folder.relative_to(ROOT)
        circom = ["node", str(ROOT / "node_modules" / "circom2" / "cli.js"), str(place / "main.circom")]
        command = [*circom, *options, "-o", str(place)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Compiled(folder)


def as_text(signals: Any) -> Any:
    """Numbers as decimal strings: JavaScript's own are too short."""
    if isinstance(signals, dict):
        return {name: as_text(value) for name, value in signals.items()}
    return [as_text(value) for value in signals] if isinstance(signals, list) else str(signals)


def accepted(wasm: Path, tries: Iterable[dict[str, Any]], witness: Path) -> list[bool]:
    """Whether each of ``tries`` has a witness; the last one's is left in the file ``witness``."""

    async def run() -> list[bool]:
        worker, found = NodeWorker(), []
        for inputs in tries:
            try:
                await worker.ask({"input": as_text(inputs), "wasm": str(wasm), "witness": str(witness)})
                found.append(True)
            except ProofFailed:
                found.append(False)
        await worker.close()
        return found

    return asyncio.run(run())
