"""Provers: circuit input in, Groth16 proof out. snarkjs by default, any rapidsnark-compatible program when one is named."""

import asyncio
import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Protocol

from agents.artefacts.files import circuit_folder
from agents.core.errors import ProofFailed, ProverUnavailable
from agents.core.proofs.profiles import Profile
from agents.core.proofs.proof import Groth16Proof, proof_from_json
from agents.proving.build import find_zkey
from agents.proving.node import NICE, NodeWorker, find_snarkjs
from agents.proving.zkey import read_header

EXTERNAL_SECONDS = 600.0
"""A prover that takes longer is stopped: its period is over."""


class Prover(Protocol):
    """Makes proofs of one circuit with one key."""

    async def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        """A proof of ``inputs``, named signals. Raises ProofFailed."""
        ...

    async def close(self) -> None:
        """End what was started."""
        ...


class SnarkjsProver:
    """Groth16 by snarkjs in a resident node worker."""

    def __init__(self, wasm: Path, zkey: Path) -> None:
        self.wasm = wasm
        self.zkey = zkey
        self.worker = NodeWorker()

    async def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        """A proof of ``inputs``. Raises ProofFailed, ProverUnavailable."""
        answer = await self.worker.ask({"input": inputs, "wasm": str(self.wasm), "zkey": str(self.zkey)})
        return proof_from_json(answer.get("proof"))

    async def close(self) -> None:
        """End the worker."""
        await self.worker.close()


class ExternalProver:
    """A program called as rapidsnark is: ``prover key.zkey witness.wtns proof.json public.json``."""

    def __init__(self, executable: Path, wasm: Path, zkey: Path) -> None:
        self.executable = executable
        self.wasm = wasm
        self.zkey = zkey
        self.worker = NodeWorker()

    async def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        """A proof of ``inputs``. Raises ProofFailed, ProverUnavailable."""
        with tempfile.TemporaryDirectory(prefix="holdfast-proof-") as folder:
            witness, proof, public = (Path(folder) / name for name in ("witness.wtns", "proof.json", "public.json"))
            await self.worker.ask({"input": inputs, "wasm": str(self.wasm), "witness": str(witness)})
            await self._run(str(self.zkey), str(witness), str(proof), str(public))
            try:
                return proof_from_json(json.loads(proof.read_text()))
            except (OSError, ValueError) as error:
                raise ProofFailed(
                    f"{self.executable} left no proof", str(error), "Run it by hand to see why."
                ) from error

    async def _run(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            str(self.executable), *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, preexec_fn=lambda: os.nice(NICE),
        )  # fmt: skip
        try:
            output, _ = await asyncio.wait_for(process.communicate(), EXTERNAL_SECONDS)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                raise ProofFailed(f"{self.executable} took over {EXTERNAL_SECONDS:.0f} s") from error
            raise
        if process.returncode != 0:
            words = output.decode(errors="replace").strip()[-500:]
            raise ProofFailed(
                f"{self.executable} failed with code {process.returncode}", words, "Run it by hand to see why."
            )

    async def close(self) -> None:
        """End the witness generator."""
        await self.worker.close()


def prover_for(profile: Profile, zkey: Path | None = None, executable: Path | None = None) -> Prover:
    """The prover of a profile. Raises ProverUnavailable, and BadData for a key that is none."""
    wasm, key = circuit_folder(profile.name) / "storage_proof.wasm", find_zkey(profile.name, zkey)
    read_header(key)
    if not wasm.is_file():
        raise ProverUnavailable(f"the {profile.name} witness generator is missing", f"no {wasm}", "Run scripts/setup.")
    find_snarkjs()  # it makes every prover's witness: a provider must not take slots and find it missing then
    if executable is None:
        return SnarkjsProver(wasm, key)
    if not os.access(executable, os.X_OK):
        raise ProverUnavailable(f"{executable} cannot be run", "", "Name an executable file with --prover.")
    return ExternalProver(executable, wasm, key)
