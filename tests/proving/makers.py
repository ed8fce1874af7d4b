"""A small prover that is real: it knows its key's toxic waste, so it makes proofs that verify with three multiplications.

Its key is a file that it maps: a line with the trapdoor, then bulk, which it reads through at every proof as a prover does.
What is wanted of a proof besides (to take long, to die, to hang) is told by files beside the key, as tests cannot reach
into another process.
"""

import json
import mmap
import os
import secrets
import signal
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import py_ecc.optimized_bn128 as curve

from agents.core.errors import BadData, ProofFailed
from agents.core.proofs.field import SCALAR_ORDER as ORDER
from agents.core.proofs.proof import Groth16Proof

SIGNALS = ("entropy", "dataSetRoot", "slotIndex")
HEAD_BYTES = 4096


def write_key(path: Path, bulk: int = 1 << 20) -> dict[str, Any]:
    """A key with ``bulk`` bytes besides its trapdoor; its verification key."""
    waste = {name: 1 + secrets.randbelow(ORDER - 1) for name in ("alpha", "beta", "gamma", "delta")}
    points = [1 + secrets.randbelow(ORDER - 1) for _ in range(len(SIGNALS) + 1)]
    head = json.dumps({**waste, "ic": points}).encode()
    path.write_bytes(head.ljust(HEAD_BYTES) + secrets.token_bytes(bulk))
    return {
        "protocol": "groth16",
        "curve": "bn128",
        "nPublic": len(SIGNALS),
        "vk_alpha_1": written(g1(waste["alpha"])),
        **{f"vk_{name}_2": written2(g2(waste[name])) for name in ("beta", "gamma", "delta")},
        "IC": [written(g1(scalar)) for scalar in points],
    }


def written(point: tuple[int, int]) -> list[str]:
    """A point of G1 as snarkjs writes it."""
    return [*map(str, point), "1"]


def written2(point: tuple[tuple[int, int], tuple[int, int]]) -> list[list[str]]:
    """A point of G2 as snarkjs writes it."""
    return [*([str(part) for part in pair] for pair in point), ["1", "0"]]


def g1(scalar: int) -> tuple[int, int]:
    x, y = curve.normalize(curve.multiply(curve.G1, scalar))
    return int(x), int(y)


def g2(scalar: int) -> tuple[tuple[int, int], tuple[int, int]]:
    x, y = curve.normalize(curve.multiply(curve.G2, scalar))
    return (int(x.coeffs[0]), int(x.coeffs[1])), (int(y.coeffs[0]), int(y.coeffs[1]))


@dataclass(frozen=True)
class ForgerRecipe:
    """Picklable; ``folder`` has the files that tell a maker what to do."""

    key: Path
    folder: Path

    def make(self, key: Path) -> "Forger":
        if not key.is_file() or key.stat().st_size < HEAD_BYTES:
            raise BadData(f"{key} is not a proving key", "it is too short", "Name another one.")
        return Forger(key, self.folder)


class Forger:
    """Makes proofs with the trapdoor of a mapped key."""

    def __init__(self, key: Path, folder: Path) -> None:
        with key.open("rb") as file:
            self.mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.folder = folder
        print("libraries print to stdout when they like")

    @cached_property
    def waste(self) -> dict[str, Any]:
        return dict(json.loads(self.mapped[:HEAD_BYTES]))

    def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        slot = int(inputs["slotIndex"])
        begun = self.folder / f"begun-{slot}-{os.getpid()}-{time.monotonic_ns()}"
        begun.touch()
        for order in (f"die-{slot}", f"hang-{slot}"):
            # Whoever takes the order obeys it: the next attempt finds none.
            try:
                (self.folder / order).unlink()
            except FileNotFoundError:
                continue
            if order.startswith("die"):
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(600)
        if (self.folder / f"refuse-{slot}").exists():
            raise ProofFailed("no proof can be made of this slot", "it was refused")
        if (self.folder / f"break-{slot}").exists():
            raise ValueError("a bug")
        while (self.folder / "hold").exists():
            time.sleep(0.005)
        assert sum(self.mapped[at] for at in range(0, len(self.mapped), 4096)) > 0  # every page
        return self.forge([int(inputs[name]) for name in SIGNALS])

    def forge(self, publics: list[int]) -> Groth16Proof:
        """e(a, b) = e(alpha, beta) e(sum IC_i publics_i, gamma) e(c, delta), solved for c."""
        waste = self.waste
        a, b = (1 + secrets.randbelow(ORDER - 1) for _ in range(2))
        total = sum(scalar * value for scalar, value in zip(waste["ic"], [1, *publics], strict=True))
        rest = a * b - waste["alpha"] * waste["beta"] - total * waste["gamma"]
        return Groth16Proof(g1(a), g2(b), g1(rest * pow(waste["delta"], -1, ORDER) % ORDER))
