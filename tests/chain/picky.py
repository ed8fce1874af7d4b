"""The verifier of tests that are not about proofs: a tests' contract, compiled here as it does not ship."""

import json
import subprocess
from functools import cache
from pathlib import Path

from agents.chain.codec import Artefact

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("contracts/test/AcceptAllVerifier.sol", "contracts/interfaces/IGroth16Verifier.sol")


@cache
def picky_verifier() -> Artefact:
    """AcceptAllVerifier: it accepts every proof but those with a.x = 0."""
    question = {
        "language": "Solidity",
        "sources": {name: {"content": (ROOT / name).read_text()} for name in SOURCES},
        "settings": {"outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}}},
    }
    done = subprocess.run(
        [str(ROOT / "scripts" / "solc"), "--standard-json"],
        input=json.dumps(question), capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    made = json.loads(done.stdout)["contracts"][SOURCES[0]]["AcceptAllVerifier"]
    codes = [bytes.fromhex(made["evm"][kind]["object"]) for kind in ("bytecode", "deployedBytecode")]
    return Artefact("AcceptAllVerifier", made["abi"], codes[0], codes[1])
