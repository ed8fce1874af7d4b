"""Points ape at this checkout: its compiler, its anvil, its data folder, a free port.

ape loads every distribution whose name begins with ``ape-``; this one registers nothing and only sets variables that are
not set yet.
"""

import os
import socket
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOLC = "0.8.37"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _anvil() -> None:
    # The binary itself: npm's shim would leave its child behind when it is killed.
    for folder in (ROOT / "node_modules" / "@foundry-rs").glob("anvil-*/bin"):
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"


def _solc() -> None:
    if os.environ.get("SOLCX_BINARY_PATH") or (Path.home() / ".solcx" / f"solc-v{SOLC}").exists():
        return  # a native compiler of the pinned version is faster
    link = ROOT / ".solcx" / f"solc-v{SOLC}"
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.symlink_to(ROOT / "scripts" / "solc")
    os.environ["SOLCX_BINARY_PATH"] = str(link.parent)


_anvil()
_solc()
os.environ.setdefault("APE_DATA_FOLDER", str(ROOT / ".build" / "ape"))
if "PYTEST_XDIST_WORKER" in os.environ:
    # Every worker of a parallel run has a chain of its own.
    os.environ["APE_FOUNDRY_HOST"] = f"http://127.0.0.1:{_free_port()}"
os.environ.setdefault("APE_FOUNDRY_HOST", f"http://127.0.0.1:{_free_port()}")
