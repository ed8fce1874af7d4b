"""From circom sources to what a prover and a chain need: r1cs, witness generator, development key, verifier.

Steps are skipped when their inputs have not changed, by digests kept beside the results.
"""

import hashlib
import json
import lzma
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agents.artefacts.files import circuit_folder
from agents.core.errors import Misuse, ProverUnavailable, ToolMissing
from agents.core.proofs.profiles import Profile
from agents.proving.development import write_zkey
from agents.proving.files.r1cs import read_r1cs
from agents.proving.files.zkey import verification_key
from agents.proving.verifier import contract_name, verifier_source

MAIN = """pragma circom 2.1.6;
include "../../circuits/{file}.circom";
component main {{public [entropy, dataSetRoot, slotIndex]}} =
    {template}({parameters});
"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Tree:
    """A checkout of this project."""

    root: Path

    @property
    def built(self) -> Path:
        """Large results, not kept in git."""
        return self.root / ".build" / "circuits"


def main_source(profile: Profile) -> str:
    """The circom main file of a profile, standing in .build/circuits."""
    parameters = [
        profile.max_depth,
        profile.max_log2_slots,
        profile.block_tree_depth,
        profile.elements_per_cell,
        profile.samples,
    ]
    file, template = "storage_proof", "StorageProof"
    if profile.crown:
        file, template = "crowned_storage_proof", "CrownedStorageProof"
        parameters.append(profile.crown)
    return MAIN.format(file=file, template=template, parameters=", ".join(map(str, parameters)))


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _is_current(stamp: Path, digest: str) -> bool:
    return stamp.exists() and stamp.read_text() == digest


def build_profile(tree: Tree, profile: Profile, say: Say) -> None:
    """Bring everything of one profile up to date: artefacts in the package, key in .build, verifier in contracts/."""
    tree.built.mkdir(parents=True, exist_ok=True)
    compile_circuit(tree, profile, say)
    zkey = tree.built / f"{profile.name}.zkey"
    r1cs = tree.built / f"{profile.name}.r1cs"
    make_key(r1cs, zkey, say)
    key = {"insecure": True, **verification_key(zkey)}
    _write(circuit_folder(profile.name) / "verification_key.json", json.dumps(key, indent=1) + "\n")
    contract = tree.root / "contracts" / "verifiers" / f"{contract_name(profile.name)}.sol"
    _write(contract, verifier_source(profile.name, key))


def _write(path: Path, text: str) -> None:
    """Write only what changed: compilers look at times."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def compile_circuit(tree: Tree, profile: Profile, say: Say) -> None:
    """circom: .r1cs and witness generator of one profile. Raises ToolMissing."""
    source, stamp = tree.built / f"{profile.name}.circom", tree.built / f"{profile.name}.stamp"
    files = sorted((tree.root / "circuits").glob("*.circom"))
    main = main_source(profile)
    shipped = circuit_folder(profile.name)
    digest = _digest(main.encode(), *(path.read_bytes() for path in files))
    if _is_current(stamp, digest) and (shipped / "storage_proof.wasm").exists():
        return
    say(f"compiling the {profile.name} circuit")
    source.write_text(main)
    circom = tree.root / "node_modules" / "circom2" / "cli.js"
    if not circom.exists():
        raise ToolMissing("circom is not there", f"{circom} does not exist", "Run scripts/setup.")
    command = ["node", str(circom), str(source.relative_to(tree.root)), "--O2", "--r1cs", "--wasm"]
    command += ["-o", str(tree.built.relative_to(tree.root))]
    done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False)
    wasm = tree.built / f"{profile.name}_js" / f"{profile.name}.wasm"
    if done.returncode != 0 or not wasm.exists():
        raise ToolMissing(f"circom did not compile the {profile.name} circuit", (done.stdout + done.stderr)[-2000:])
    shipped.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(wasm, shipped / "storage_proof.wasm")
    if profile.name == "devnet":
        # Small enough to ship: a user without circom can still make the development key.
        packed = lzma.compress((tree.built / f"{profile.name}.r1cs").read_bytes(), preset=1)
        (shipped / "storage_proof.r1cs.xz").write_bytes(packed)
    stamp.write_text(digest)


def make_key(r1cs: Path, zkey: Path, say: Say) -> None:
    """The development key of ``r1cs``, unless ``zkey`` is it already."""
    stamp = _key_stamp(zkey)
    code = (Path(__file__).with_name(name).read_bytes() for name in ("development.py", "quadratic.py"))
    digest = _digest(r1cs.read_bytes(), *code)
    if zkey.exists() and _is_current(stamp, digest):
        return
    say(f"making the development key {zkey.name} (INSECURE, for development only)")
    write_zkey(read_r1cs(r1cs), zkey)
    stamp.write_text(digest)


def _key_stamp(zkey: Path) -> Path:
    return zkey.with_name(zkey.name + ".stamp")


def data_folder() -> Path:
    """Where a user's own keys are kept."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "holdfast" / "keys"


def make_development_key(profile: str, out: Path | None = None, say: Say = lambda _: None) -> Path:
    """The development key from the constraint system that ships with the package; where it is.

    Raises ProverUnavailable for a profile whose constraint system is too large to ship, Misuse rather than overwrite a file
    that this did not make.
    """
    packed = circuit_folder(profile) / "storage_proof.r1cs.xz"
    if not packed.exists():
        raise ProverUnavailable(
            f"the {profile} development key cannot be made here",
            "its constraint system does not ship with the package",
            "Run scripts/setup in a clone of the project, or name a key with HOLDFAST_ZKEY.",
        )
    zkey = out or data_folder() / f"{profile}.zkey"
    if zkey.exists() and not _key_stamp(zkey).exists():
        raise Misuse(f"{zkey} is there already", "it may be a ceremony's key", "Name another file with --out.")
    zkey.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="holdfast-key-") as folder:
        r1cs = Path(folder) / f"{profile}.r1cs"
        r1cs.write_bytes(lzma.decompress(packed.read_bytes()))
        make_key(r1cs, zkey, say)
    return zkey


def find_zkey(profile: str, named: Path | None = None) -> Path:
    """The proving key to use: the one named, HOLDFAST_ZKEY, one made before, or this checkout's. Raises ProverUnavailable."""
    wanted = named or (Path(os.environ["HOLDFAST_ZKEY"]) if os.environ.get("HOLDFAST_ZKEY") else None)
    checkout = Path(__file__).resolve().parents[2] / ".build" / "circuits"
    places = [wanted] if wanted else [checkout / f"{profile}.zkey", data_folder() / f"{profile}.zkey"]
    for place in places:
        if place.is_file():
            return place
    raise ProverUnavailable(
        f"there is no proving key for the {profile} profile",
        f"looked at {', '.join(str(place) for place in places)}",
        f"Make the development key with `agent keys make {profile}`, or name one with HOLDFAST_ZKEY.",
    )
