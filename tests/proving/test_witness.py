"""Witnesses by wasmtime: bit for bit those of snarkjs, clear about what is wrong, and bounded whatever the generator does."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.artefacts.files import circuit_folder
from agents.core.errors import ProofFailed, ProverUnavailable
from agents.core.proofs.field import SCALAR_ORDER
from agents.core.proofs.profiles import PROFILES, Profile, profile_named
from agents.kernels.cache import store
from agents.proving.files.wtns import read_witness
from agents.proving.witness import WitnessGenerator
from tests.circuits.slots import codex_cell, inputs_for, slot_of, small_cell

ROOT = Path(__file__).resolve().parents[2]
DEVNET = profile_named("devnet")

SNARKJS = """
const [main, wasm, input, witness] = process.argv.slice(1);
require(main).wtns.calculate(JSON.parse(require("fs").readFileSync(input)), wasm, witness).then(() => process.exit(0));
"""


def by_snarkjs(profile: str, inputs: dict[str, Any], folder: Path) -> np.ndarray[Any, Any]:
    """The reference."""
    main = ROOT / "node_modules" / "snarkjs" / "build" / "main.cjs"
    given, witness = folder / "input.json", folder / "witness.wtns"
    given.write_text(json.dumps(inputs))
    wasm = circuit_folder(profile) / "storage_proof.wasm"
    subprocess.run(["node", "-e", SNARKJS, str(main), str(wasm), str(given), str(witness)], check=True, timeout=120)
    return read_witness(witness)


@pytest.fixture(scope="module")
def inputs() -> dict[str, Any]:
    return inputs_for(slot_of(DEVNET, index=2, slots=5, blocks=2, cell=small_cell))


@pytest.fixture(scope="module")
def generator() -> WitnessGenerator:
    return WitnessGenerator(DEVNET)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_every_wire_is_snarkjs_own(profile: Profile, tmp_path: Path) -> None:
    def cell(slot: int, cell: int, size: int = profile.cell_bytes) -> bytes:
        return codex_cell(slot, cell, size)

    inputs = inputs_for(slot_of(profile, index=1, slots=3, blocks=2, cell=cell))
    found = WitnessGenerator(profile).witness(inputs)
    assert found.dtype == np.uint64 and found.shape[1] == 4
    np.testing.assert_array_equal(found, by_snarkjs(profile.name, inputs, tmp_path))
    assert [str(int.from_bytes(row.tobytes(), "little")) for row in found[:4]] == [
        "1", inputs["entropy"], inputs["dataSetRoot"], inputs["slotIndex"]
    ]  # fmt: skip


def test_numbers_come_as_snarkjs_takes_them(generator: WitnessGenerator, inputs: dict[str, Any]) -> None:
    """Decimal strings or integers, in any order of the signals, reduced into the field."""
    expected = generator.witness(inputs)
    other = dict(reversed(inputs.items()))
    other["entropy"] = int(inputs["entropy"]) - SCALAR_ORDER
    other["slotIndex"] = str(int(inputs["slotIndex"]) + SCALAR_ORDER)
    other["cellData"] = [element for cell in inputs["cellData"] for element in cell]
    np.testing.assert_array_equal(generator.witness(other), expected)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"entropy": None}, "1 values of the circuit's signals are missing"),
        ({"colour": "1"}, "the circuit has no signal colour"),
        ({"entropy": ["1", "2"]}, "signal entropy has 1 values, not 2"),
        ({"cellData": [[]]}, "signal cellData has 335 values, not 0"),
        ({"entropy": "blue"}, "signal entropy are not whole numbers"),
        ({"entropy": 1.5}, "signal entropy are not whole numbers"),
        ({"entropy": {}}, "signal entropy are not whole numbers"),
        ({"dataSetRoot": "1"}, "an assertion of the circuit fails: Error in template CrownedStorageProof"),
        ({"nCellsPerSlot": "3"}, "an assertion of the circuit fails: Error in template"),
    ],
)
def test_what_is_wrong_with_the_signals_is_said(
    generator: WitnessGenerator, inputs: dict[str, Any], change: dict[str, Any], why: str
) -> None:
    wrong = {name: value for name, value in {**inputs, **change}.items() if value is not None}
    with pytest.raises(ProofFailed, match=why):
        generator.witness(wrong)
    assert generator.witness(inputs).shape[1] == 4  # the next one is none the worse


def test_threads_may_share_one(generator: WitnessGenerator, inputs: dict[str, Any]) -> None:
    expected = generator.witness(inputs)

    def attempt(wrong: bool) -> bool:
        if wrong:
            with pytest.raises(ProofFailed, match="an assertion"):
                generator.witness({**inputs, "slotRoot": "7"})
            return True
        return bool((generator.witness(inputs) == expected).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(attempt, [False, True] * 10))


def test_no_memory_stays_behind(generator: WitnessGenerator, inputs: dict[str, Any]) -> None:
    generator.witness(inputs)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):  # two megabytes each
        generator.witness(inputs)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


class TestTheStoredCode:
    """Generators are compiled once a machine."""

    @pytest.fixture(autouse=True)
    def _own_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def test_is_used_again_and_replaced_when_it_is_not_whole(self, tmp_path: Path, inputs: dict[str, Any]) -> None:
        expected = WitnessGenerator(DEVNET).witness(inputs)
        kept = sorted((tmp_path / "holdfast").iterdir())
        assert [path.suffix for path in kept] == [".cwasm", ".cwasm"]  # the circuit's and the bridge
        stamps = [path.stat().st_mtime_ns for path in kept]
        np.testing.assert_array_equal(WitnessGenerator(DEVNET).witness(inputs), expected)
        assert [path.stat().st_mtime_ns for path in kept] == stamps
        for path in kept:
            whole = path.read_bytes()
            for broken in (whole[:-1], whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], b""):
                path.write_bytes(broken)
                np.testing.assert_array_equal(WitnessGenerator(DEVNET).witness(inputs), expected)
                assert len(path.read_bytes()) == len(whole)
            store(path, b"whole, but of no version of wasmtime")
            np.testing.assert_array_equal(WitnessGenerator(DEVNET).witness(inputs), expected)
            assert len(path.read_bytes()) == len(whole)
        assert sorted((tmp_path / "holdfast").iterdir()) == kept

    def test_is_made_by_two_processes_at_once(self, tmp_path: Path) -> None:
        program = "from tests.proving.test_witness import DEVNET, WitnessGenerator; WitnessGenerator(DEVNET)"
        both = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(2)]
        assert [process.wait(120) for process in both] == [0, 0]
        assert len(list((tmp_path / "holdfast").iterdir())) == 2


def hostile(**bodies: str) -> str:
    """A generator with one input, one wire and the prime of BN254's scalars, except for ``bodies``."""
    words = [(SCALAR_ORDER >> (32 * i)) & 0xFFFFFFFF for i in range(8)]
    functions = {
        "getVersion": "(result i32) (i32.const 2)",
        "getRawPrime": "".join(f"(i32.store (i32.const {4 * i}) (i32.const {word}))" for i, word in enumerate(words)),
        "getFieldNumLen32": "(result i32) (i32.const 8)",
        "getInputSize": "(result i32) (i32.const 1)",
        "getInputSignalSize": "(param i32 i32) (result i32) (i32.const 1)",
        "getWitnessSize": "(result i32) (i32.const 1)",
        "getMessageChar": "(result i32) (i32.const 97)",
        "init": "(param i32)",
        "readSharedRWMemory": "(param i32) (result i32) (i32.load (i32.mul (local.get 0) (i32.const 4)))",
        "writeSharedRWMemory": "(param i32 i32) (i32.store (i32.mul (local.get 0) (i32.const 4)) (local.get 1))",
        "setInputSignal": "(param i32 i32 i32)",
        "getWitness": "(param i32)",
        **bodies,
    }
    parts = [f'(func (export "{name}") {body})' for name, body in functions.items() if body]
    imports = [
        f'(import "runtime" "{name}" (func ${name} {kind}))'
        for name, kind in (("exceptionHandler", "(param i32)"), ("printErrorMessage", ""))
    ]
    return f"(module {' '.join(imports)} (memory 1) {' '.join(parts)})"


def run(tmp_path: Path, text: str | bytes) -> np.ndarray[Any, Any]:
    path = tmp_path / "generator.wasm"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return WitnessGenerator(DEVNET, path, seconds=0.3).witness({"signal": 5})


def test_the_smallest_generator(tmp_path: Path) -> None:
    assert run(tmp_path, hostile()).tolist() == [[5, 0, 0, 0]]


FOREVER = "(loop $again (br $again))"


@pytest.mark.parametrize(
    ("bodies", "why"),
    [
        ({"init": f"(param i32) {FOREVER}"}, "took over 0.3 s"),
        ({"setInputSignal": f"(param i32 i32 i32) {FOREVER}"}, "took over 0.3 s"),
        ({"getWitness": "(param i32) (loop $again (call $printErrorMessage) (br $again))"}, "took over 0.3 s"),
        ({"setInputSignal": "(param i32 i32 i32) unreachable"}, "broke off, wasm trap: .*unreachable"),
        ({"getWitness": "(param i32) (i32.store (i32.const -4) (i32.const 0))"}, "broke off, .*out of bounds"),
        ({"init": "(param i32) (call $deeper)) (func $deeper (call $deeper)"}, "broke off, .*stack"),
        ({"init": "(param i32) (call $printErrorMessage) (call $exceptionHandler (i32.const 7))"}, "beyond an array: a{300}$"),
        ({"init": "(param i32) (call $exceptionHandler (i32.const 70))"}, "the circuit's error 70"),
    ],
)  # fmt: skip
def test_a_generator_that_goes_wrong_is_ended(tmp_path: Path, bodies: dict[str, str], why: str) -> None:
    for _ in range(2):
        with pytest.raises(ProofFailed, match=why):
            run(tmp_path, hostile(**bodies))


OTHER_PRIME = "(i32.store (i32.const 28) (i32.const 1))"


IMPOSTORS = [
    (b"\0asm\1\0\0\0 and then something else", "no WebAssembly module"),
    (b"", "no WebAssembly module"),
    ("(module)", "cannot be used"),
    (hostile(getWitness=""), "cannot be used: 'getWitness'"),
    (hostile(getWitness="(param i64)"), "cannot be used: incompatible import type"),
    ('(module (import "env" "clock" (func)))', "cannot be used: .*unknown import"),
    (hostile().replace("(memory 1)", "(memory 20000)"), "cannot be used: .*memory"),
    (hostile(getVersion="(result i32) (i32.const 1)"), "not circom 2's over BN254"),
    (hostile(getRawPrime=OTHER_PRIME), "not circom 2's over BN254"),
    (hostile(getWitnessSize="(result i32) (i32.const -1)"), "it has -1 wires"),
    (hostile(getWitnessSize="(result i32) (i32.const 2000000000)"), "cannot be used"),
    (hostile(getWitness="(param i32) (i32.store (i32.const 28) (i32.const -1))"), "values beyond the field"),
]


@pytest.mark.parametrize(("text", "why"), IMPOSTORS, ids=[why for _, why in IMPOSTORS])
def test_what_is_no_generator_of_ours_is_not_used(tmp_path: Path, text: str | bytes, why: str) -> None:
    with pytest.raises(ProverUnavailable, match=why):
        run(tmp_path, text)


def test_a_generator_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ProverUnavailable, match="the devnet witness generator is missing"):
        WitnessGenerator(DEVNET, tmp_path / "absent.wasm")
