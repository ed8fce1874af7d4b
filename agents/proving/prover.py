"""Circuit input in, Groth16 proof out: by the package's own prover, by snarkjs, or by a rapidsnark-compatible program."""

import asyncio
import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from agents.artefacts.files import circuit_folder
from agents.core.errors import ProofFailed, ProverUnavailable
from agents.core.proofs.profiles import Profile
from agents.core.proofs.proof import Groth16Proof, proof_from_json
from agents.proving.build import find_zkey
from agents.proving.child import NICE
from agents.proving.executor import Executor, NativeRecipe
from agents.proving.files.wtns import witness_bytes
from agents.proving.files.zkey import open_key
from agents.proving.node import NodeWorker, find_snarkjs
from agents.proving.pool import LocalPool

SNARKJS = Path("snarkjs")
"""Names the reference prover where a program may be named."""
EXTERNAL_SECONDS = 600.0
"""A prover that takes longer is stopped: its period is over."""


class SnarkjsProver:
    """Groth16 by snarkjs in a resident node worker."""

    capacity = 1
    cores: int | None = None

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

    capacity = 1
    cores: int | None = None

    def __init__(self, executable: Path, profile: Profile, zkey: Path) -> None:
        """Raises ProverUnavailable without a witness generator."""
        from agents.proving.witness import WitnessGenerator

        self.executable = executable
        self.generator = WitnessGenerator(profile)
        self.zkey = zkey

    async def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        """A proof of ``inputs``. Raises ProofFailed, ProverUnavailable."""
        with tempfile.TemporaryDirectory(prefix="holdfast-proof-") as folder:
            witness, proof, public = (Path(folder) / name for name in ("witness.wtns", "proof.json", "public.json"))
            await asyncio.to_thread(self._write_witness, inputs, witness)
            await self._run(str(self.zkey), str(witness), str(proof), str(public))
            try:
                return proof_from_json(json.loads(proof.read_text()))
            except (OSError, ValueError) as error:
                raise ProofFailed(
                    f"{self.executable} left no proof", str(error), "Run it by hand to see why."
                ) from error

    def _write_witness(self, inputs: dict[str, Any], path: Path) -> None:
        path.write_bytes(witness_bytes(self.generator.witness(inputs)))

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
        """Nothing runs between proofs."""


def recipe_for(profile: Profile, zkey: Path | None = None) -> NativeRecipe:
    """This package's own prover. Raises ProverUnavailable, and BadData for a key that is none."""
    key = find_zkey(profile.name, zkey)
    open_key(key)
    return NativeRecipe(profile.name, key)


def prover_for(
    profile: Profile, zkey: Path | None = None, executable: Path | None = None, workers: int | None = None
) -> Executor:
    """The prover of a profile on this machine. Raises ProverUnavailable, and BadData for a key that is none.

    ``executable``: None for this package's own prover in ``workers`` processes, by default one a core; SNARKJS for the
    reference; or a rapidsnark-compatible program.
    """
    recipe = recipe_for(profile, zkey)
    if executable is None:
        return LocalPool(recipe, workers)
    if executable == SNARKJS:
        find_snarkjs()  # a provider must not take slots and find it missing then
        return SnarkjsProver(circuit_folder(profile.name) / "storage_proof.wasm", recipe.key)
    if not os.access(executable, os.X_OK):
        raise ProverUnavailable(
            f"{executable} cannot be run", "", "Name an executable file, or snarkjs, with --prover."
        )
    return ExternalProver(executable, profile, recipe.key)
