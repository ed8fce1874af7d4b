"""Provers of every kind, keys by path, workers that die, and a proof that is checked before it is handed over."""

import asyncio
import lzma
import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.artefacts.files import circuit_folder, verification_key
from agents.core.errors import BadData, Misuse, ProofFailed, ProverUnavailable
from agents.core.proofs.profiles import profile_named
from agents.core.proofs.proof import Groth16Proof, proof_from_json, public_inputs
from agents.core.proofs.verification import verify
from agents.proving import node
from agents.proving.build import find_zkey, make_development_key
from agents.proving.child import NICE
from agents.proving.development import write_zkey
from agents.proving.files.r1cs import read_r1cs
from agents.proving.files.zkey import verification_key as key_of
from agents.proving.prover import SNARKJS, ExternalProver, SnarkjsProver, prover_for
from agents.proving.service import ProvingService
from agents.proving.turns import Turns
from tests.circuits.slots import CHALLENGE, Slot, inputs_for, slot_of, small_cell

DEVNET = profile_named("devnet")


@pytest.fixture(scope="module")
def slot() -> Slot:
    return slot_of(DEVNET, index=2, slots=5, blocks=2, cell=small_cell)


def publics_of(slot: Slot) -> tuple[int, int, int]:
    return public_inputs(CHALLENGE, slot.facts.dataset_root, slot.index)


async def challenge() -> bytes:
    return CHALLENGE


def test_a_worker_that_is_killed_is_started_again_unnoticed(slot: Slot) -> None:
    async def run() -> tuple[Groth16Proof, Groth16Proof]:
        prover = prover_for(DEVNET, executable=SNARKJS)
        assert isinstance(prover, SnarkjsProver)
        first = await prover.prove(inputs_for(slot))
        pid = prover.worker.pid
        assert pid is not None and os.getpriority(os.PRIO_PROCESS, pid) >= NICE
        os.kill(pid, signal.SIGKILL)
        second = await prover.prove(inputs_for(slot))
        assert prover.worker.pid not in (None, pid)
        await prover.close()
        assert prover.worker.pid is None
        return first, second

    first, second = asyncio.run(run())
    assert first != second  # proofs are randomised
    for proof in (first, second):
        assert verify(verification_key("devnet"), proof, publics_of(slot))
    assert proof_from_json(first.as_json()) == first
    assert not verify(verification_key("devnet"), replace(first, c=second.c), publics_of(slot))


def test_a_worker_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent = tmp_path / "silent.cjs"
    silent.write_text("process.stdout.write('{\"ready\": true}\\n'); process.stdin.resume();")
    monkeypatch.setattr(node, "WORKER", silent)
    monkeypatch.setattr(node, "ANSWER_SECONDS", 2.0)  # time enough to start

    async def run() -> None:
        worker = node.NodeWorker()
        with pytest.raises(ProofFailed, match="did not answer"):
            await worker.ask({})
        assert worker.pid is None

    asyncio.run(run())


def test_a_rapidsnark_compatible_program_proves(slot: Slot, tmp_path: Path) -> None:
    program = tmp_path / "prover"
    cli = node.find_snarkjs().with_name("cli.cjs")
    program.write_text(f'#!/bin/sh\nexec node "{cli}" groth16 prove "$1" "$2" "$3" "$4"\n')
    with pytest.raises(ProverUnavailable, match="cannot be run"):
        prover_for(DEVNET, executable=program)
    program.chmod(0o700)
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho no such curve\nexit 3\n")
    failing.chmod(0o700)

    async def run() -> Groth16Proof:
        bad, good = (prover_for(DEVNET, executable=path) for path in (failing, program))
        assert isinstance(good, ExternalProver)
        try:
            with pytest.raises(ProofFailed, match="code 3") as caught:
                await bad.prove(inputs_for(slot))
            assert "no such curve" in str(caught.value)
            return await good.prove(inputs_for(slot))
        finally:
            await bad.close()
            await good.close()

    assert verify(verification_key("devnet"), asyncio.run(run()), publics_of(slot))


def test_a_key_named_by_path_is_the_key_used(slot: Slot, tmp_path: Path) -> None:
    """As a ceremony's would be: another key of the same circuit."""
    r1cs, zkey = tmp_path / "devnet.r1cs", tmp_path / "ceremony.zkey"
    r1cs.write_bytes(lzma.decompress((circuit_folder("devnet") / "storage_proof.r1cs.xz").read_bytes()))
    write_zkey(read_r1cs(r1cs), zkey, seed=b"another")
    own = key_of(zkey)
    assert own != verification_key("devnet") and "insecure" not in own

    async def run(key: dict[str, Any]) -> Groth16Proof:
        service = ProvingService(prover_for(DEVNET, zkey), DEVNET, key, Turns(tmp_path / "lock"))
        try:
            return await service.prove_slot(slot, math.inf, challenge)
        finally:
            await service.close()

    assert verify(own, asyncio.run(run(own)), publics_of(slot))
    # A market whose verifier has another key: found out before gas is spent.
    with pytest.raises(ProofFailed, match="does not verify") as caught:
        asyncio.run(run(verification_key("devnet")))
    assert "HOLDFAST_ZKEY" in str(caught.value)
    # The command that makes development keys does not write over it.
    before = zkey.read_bytes()
    with pytest.raises(Misuse, match="is there already"):
        make_development_key("devnet", zkey)
    assert zkey.read_bytes() == before


def test_what_is_no_key_or_not_there_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOLDFAST_ZKEY", raising=False)
    with pytest.raises(ProverUnavailable) as caught:
        find_zkey("devnet", tmp_path / "absent.zkey")
    assert "agent keys make devnet" in str(caught.value) and "absent.zkey" in str(caught.value)
    torn = tmp_path / "torn.zkey"
    torn.write_bytes(find_zkey("devnet").read_bytes()[:100_000])
    with pytest.raises(BadData, match="not a proving key"):
        prover_for(DEVNET, torn)
    with monkeypatch.context() as bare:
        bare.setenv("PATH", str(tmp_path))
        node.find_snarkjs.cache_clear()
        with pytest.raises(ProverUnavailable, match="node is not there"):
            prover_for(DEVNET, executable=SNARKJS)
    monkeypatch.setenv("HOLDFAST_ZKEY", str(torn))
    assert find_zkey("devnet") == torn
    with pytest.raises(ProverUnavailable, match="cannot be made here"):
        make_development_key("codex", tmp_path / "codex.zkey")
