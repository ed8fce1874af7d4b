"""The steps of scripts/setup that need the project's own code: circuits, contracts, kernels."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from agents.core.proofs.profiles import PROFILES
from agents.kernels.warm import warm
from agents.proving.build import Tree, build_profile

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / ".build"


def say(text: str) -> None:
    """One line of progress."""
    print(f"  {text}", flush=True)


def digest(paths: Iterable[Path]) -> str:
    """Of the files' names and contents."""
    parts = (str(path).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest() for path in sorted(paths))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def circuits() -> None:
    """Witness generators, development keys and verifiers."""
    for profile in PROFILES.values():
        build_profile(Tree(ROOT), profile, say)
    say(f"circuits are current: {', '.join(PROFILES)}")


def contracts() -> None:
    """ABIs and bytecode, when a source has changed."""
    sources = [path for path in (ROOT / "contracts").rglob("*.sol") if ".cache" not in path.parts]
    artefacts = list((ROOT / "agents" / "artefacts" / "contracts").glob("*.json"))
    stamp = BUILD / "contracts.stamp"
    script = ROOT / "scripts" / "build_contracts"
    wanted = digest([*sources, *artefacts, script])
    if stamp.exists() and stamp.read_text() == wanted:
        say("contracts are current")
        return
    say("compiling contracts")
    subprocess.run([sys.executable, str(script)], check=True, stdout=subprocess.DEVNULL)
    stamp.write_text(digest([*sources, *artefacts, script]))


def kernels() -> None:
    """Machine code for hashing and proving."""
    started = time.monotonic()
    names = warm()
    say(f"kernels: {', '.join(names)} ({time.monotonic() - started:.1f} s)")


def main() -> None:
    """All steps, in order."""
    BUILD.mkdir(exist_ok=True)
    kernels()
    circuits()
    contracts()


if __name__ == "__main__":
    main()
