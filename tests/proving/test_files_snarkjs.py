"""Files that snarkjs makes, read here, and files made here, read by snarkjs."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.artefacts.files import circuit_folder, verification_key
from agents.core.proofs.profiles import profile_named
from agents.core.proofs.proof import public_inputs
from agents.kernels.limbs import from_ints, to_ints
from agents.proving.build import find_zkey
from agents.proving.development import write_zkey
from agents.proving.files.r1cs import parse_r1cs
from agents.proving.files.wtns import read_witness, witness_bytes
from agents.proving.files.zkey import open_key
from agents.proving.files.zkey import verification_key as key_of
from agents.proving.node import find_snarkjs
from tests.circuits.slots import CHALLENGE, inputs_for, slot_of, small_cell
from tests.proving.small import OUTPUTS, PUBLIC_INPUTS, WIRES, r1cs_bytes, witness

PROGRAM = """
const [entry, folder, wasm] = process.argv.slice(1);
const snarkjs = require(entry);
process.chdir(folder);
(async () => {
  const curve = await snarkjs.curves.getCurveFromName("bn128");
  await snarkjs.powersOfTau.newAccumulator(curve, 4, "new.ptau");
  await snarkjs.powersOfTau.contribute("new.ptau", "one.ptau", "one", "some entropy");
  await snarkjs.powersOfTau.preparePhase2("one.ptau", "final.ptau");
  await snarkjs.zKey.newZKey("small.r1cs", "final.ptau", "new.zkey");
  await snarkjs.zKey.contribute("new.zkey", "ceremony.zkey", "one", "other entropy");
  const answer = { right: await snarkjs.wtns.check("small.r1cs", "small.wtns"), keys: {}, valid: {} };
  for (const name of ["ceremony", "development"]) {
    const key = await snarkjs.zKey.exportVerificationKey(name + ".zkey");
    const { proof, publicSignals } = await snarkjs.groth16.prove(name + ".zkey", "small.wtns");
    answer.keys[name] = key;
    answer.valid[name] = await snarkjs.groth16.verify(key, publicSignals, proof);
  }
  await snarkjs.wtns.calculate(JSON.parse(require("fs").readFileSync("input.json")), wasm, "devnet.wtns");
  console.log(JSON.stringify(answer));
  process.exit(0);
})();
"""

DEVNET = profile_named("devnet")
SLOT = slot_of(DEVNET, index=2, slots=5, blocks=2, cell=small_cell)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("snarkjs")


@pytest.fixture(scope="module")
def answer(folder: Path) -> dict[str, Any]:
    """What snarkjs said when it made its files in ``folder`` and read ours there."""
    (folder / "small.r1cs").write_bytes(r1cs_bytes())
    (folder / "small.wtns").write_bytes(witness_bytes(from_ints(witness(5, 9))))
    (folder / "input.json").write_text(json.dumps(inputs_for(SLOT)))
    write_zkey(parse_r1cs(r1cs_bytes()), folder / "development.zkey")
    wasm = circuit_folder("devnet") / "storage_proof.wasm"
    done = subprocess.run(
        ["node", "-e", PROGRAM, "--", str(find_snarkjs()), str(folder), str(wasm)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_snarkjs_proves_with_the_files_made_here(answer: dict[str, Any]) -> None:
    assert answer["right"] is True
    assert answer["valid"] == {"ceremony": True, "development": True}


def test_a_ceremonys_key_is_read(answer: dict[str, Any], folder: Path) -> None:
    ours, fresh, theirs = (open_key(folder / f"{name}.zkey") for name in ("development", "new", "ceremony"))
    for key in (fresh, theirs):
        assert (key.wires, key.publics, key.domain) == (ours.wires, ours.publics, ours.domain)
        assert (key.wires, key.publics) == (WIRES, OUTPUTS + PUBLIC_INPUTS)
        # The matrices are the circuit's and no secret's.
        assert key.coefficients.tobytes() == ours.coefficients.tobytes()
    assert (folder / "ceremony.zkey").stat().st_size > (folder / "new.zkey").stat().st_size
    assert not np.array_equal(fresh.delta1, theirs.delta1) and np.array_equal(fresh.a, theirs.a)


def test_verification_keys_are_the_ones_snarkjs_exports(answer: dict[str, Any], folder: Path) -> None:
    for name, key in answer["keys"].items():
        key.pop("vk_alphabeta_12")  # snarkjs' own shortcut
        assert key_of(folder / f"{name}.zkey") == key


def test_a_witness_of_snarkjs_is_read(answer: dict[str, Any], folder: Path) -> None:
    values = read_witness(folder / "devnet.wtns")
    key = open_key(find_zkey("devnet"))
    assert values.shape == (key.wires, 4)
    assert tuple(to_ints(values[1 : 1 + key.publics])) == public_inputs(CHALLENGE, SLOT.facts.dataset_root, SLOT.index)


def test_the_key_set_up_here_is_read() -> None:
    path = find_zkey("devnet")
    assert {"insecure": True, **key_of(path)} == verification_key("devnet")
