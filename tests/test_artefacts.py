"""What ships with the package is what a fresh build makes of the sources."""

from __future__ import annotations

import lzma
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agents.artefacts.files import FOLDER, circuit_folder, verification_key
from agents.core.proofs.profiles import PROFILES, profile_named
from agents.proving.build import main_source
from agents.proving.development import write_zkey
from agents.proving.files.r1cs import read_r1cs
from agents.proving.files.zkey import verification_key as key_of
from agents.proving.verifier import contract_name, verifier_source

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / ".build" / "circuits"


def test_contracts_compile_to_the_shipped_abis_and_bytecode() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "build_contracts"), "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_profile_ships_a_verifier_and_what_a_prover_needs() -> None:
    for name in PROFILES:
        assert (FOLDER / "contracts" / f"{contract_name(name)}.json").is_file()
        assert (circuit_folder(name) / "storage_proof.wasm").is_file()
        assert verification_key(name)["nPublic"] == 3


@pytest.mark.parametrize("name", PROFILES)
def test_the_shipped_circuit_is_the_one_set_up_here(name: str) -> None:
    shipped = circuit_folder(name)
    assert (shipped / "storage_proof.wasm").read_bytes() == (BUILT / f"{name}_js" / f"{name}.wasm").read_bytes()
    packed = shipped / "storage_proof.r1cs.xz"
    if packed.exists():
        assert lzma.decompress(packed.read_bytes()) == (BUILT / f"{name}.r1cs").read_bytes()


@pytest.mark.parametrize("name", PROFILES)
def test_the_shipped_key_is_of_the_key_made_here_and_says_it_is_insecure(name: str) -> None:
    shipped = verification_key(name)
    assert shipped["insecure"] is True
    assert shipped == {"insecure": True, **key_of(BUILT / f"{name}.zkey")}
    source = (ROOT / "contracts" / "verifiers" / f"{contract_name(name)}.sol").read_text()
    assert source == verifier_source(name, shipped)
    assert "INSECURE" in source


def test_a_fresh_development_key_has_the_shipped_verification_key(tmp_path: Path) -> None:
    packed = circuit_folder("devnet") / "storage_proof.r1cs.xz"
    r1cs, zkey = tmp_path / "devnet.r1cs", tmp_path / "devnet.zkey"
    r1cs.write_bytes(lzma.decompress(packed.read_bytes()))
    write_zkey(read_r1cs(r1cs), zkey)
    assert {"insecure": True, **key_of(zkey)} == verification_key("devnet")


def test_the_devnet_circuit_compiles_to_the_shipped_constraint_system() -> None:
    # circom reads and writes below the working directory only.
    with tempfile.TemporaryDirectory(prefix="fresh-", dir=ROOT / ".build") as folder:
        source = Path(folder) / "devnet.circom"
        source.write_text(main_source(profile_named("devnet")))
        relative = Path(folder).relative_to(ROOT)
        circom = [str(ROOT / "node_modules" / "circom2" / "cli.js"), str(relative / "devnet.circom"), "--O2", "--r1cs"]
        done = subprocess.run(
            ["node", *circom, "-o", str(relative)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        packed = circuit_folder("devnet") / "storage_proof.r1cs.xz"
        assert source.with_suffix(".r1cs").read_bytes() == lzma.decompress(packed.read_bytes())
