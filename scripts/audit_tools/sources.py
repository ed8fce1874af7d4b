"""Our Solidity sources, and what the project's compiler says about them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REMAPPINGS = ["@openzeppelin/=node_modules/@openzeppelin/", "solady/=node_modules/solady/src/"]

LEFT_OUT = ("contracts/test/", "contracts/interfaces/", "contracts/.cache/")
"""No code of the market: doubles for tests, and interfaces."""

GENERATED = ("CodexVerifier.sol", "DevnetVerifier.sol", "ProductionVerifier.sol")
"""Keys alone, as code."""


def audited() -> list[str]:
    """Paths of the sources whose code is judged, below the root."""
    paths = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "contracts").rglob("*.sol"))
    return [path for path in paths if not path.startswith(LEFT_OUT) and not path.endswith(GENERATED)]


@cache
def source(path: str) -> bytes:
    """A source as it was when it was first asked for: whoever edits it meanwhile mutates nothing else."""
    return (ROOT / path).read_bytes()


def compiled(texts: Mapping[str, str], output: list[str]) -> dict[str, Any]:
    """The compiler's answer for source texts by path; what they import is read from the tree."""
    question = {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in texts.items()},
        "settings": {
            "evmVersion": "prague",
            "remappings": REMAPPINGS,
            "outputSelection": {"*": {"": output, "*": output}},
        },
    }
    done = subprocess.run(
        [str(ROOT / "scripts" / "solc"), "--standard-json", "--base-path", "."],
        input=json.dumps(question), capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"the compiler failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def errors(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The errors, no warnings, of a compiler's answer."""
    return [error for error in answer.get("errors", []) if error["severity"] == "error"]


def syntax_trees(paths: list[str]) -> dict[str, dict[str, Any]]:
    """The syntax tree of each source, by path."""
    answer = compiled({path: source(path).decode() for path in paths}, ["ast"])
    wrong = errors(answer)
    if wrong:
        raise SystemExit("the contracts do not compile:\n" + "\n".join(error["formattedMessage"] for error in wrong))
    return {path: answer["sources"][path]["ast"] for path in paths}
