"""What the calls of the contracts may cost."""

from pathlib import Path

SNAPSHOT = Path(__file__).parent / "snapshot.json"
"""What the calls cost when somebody last wrote it down; kept in git."""

TOLERANCE = 0.03
"""Share by which a call may cost more than in the snapshot."""

TARGETS = {
    "requestStorage": 250_000,
    "reserveSlot": 93_000,
    "fillSlot": 380_000,
    "submitProof": 265_000,
    "submitProofs, each of 8": 100_000,
    "submitProofs, each of 32": 82_000,
    "markProofsMissing, each of 8": 45_000,
    "deposit (a reader's first)": 100_000,
    "redeem": 70_000,
    "redeem, each of 16": 40_000,
}
"""What a call may cost; of batches, its share of one slot."""

READS = (
    "deposit (a reader's first)",
    "deposit (a reader's)",
    "openLane",
    "openLaneOf",
    "openLaneGranted",
    "redeem (the first of a lane)",
    "redeem",
    "redeem, each of 16",
    "reclaim",
    "close",
    "withdraw (a payer's)",
)
"""The calls of the payment channels; all others are the market's."""

CODEX = {
    "requestStorage": 453_000,
    "reserveSlot": 94_000,
    "fillSlot": 580_000,
    "submitProof": 330_000,
    "markProofMissing": 126_000,
}
"""Measured by Codex (its paper, the table of gas costs)."""


def complaints(gas: dict[str, int], kept: dict[str, int]) -> list[str]:
    """What costs too much, or is not in the snapshot ``kept``."""
    found = [f"{name}: {gas[name]} is above its target {most}" for name, most in TARGETS.items() if gas[name] > most]
    found += [f"{name}: {gas[name]} is not below Codex's {most}" for name, most in CODEX.items() if gas[name] >= most]
    for name, used in gas.items():
        if name not in kept:
            found.append(f"{name}: not in the snapshot; write it with --write")
        elif used > kept[name] * (1 + TOLERANCE):
            found.append(f"{name}: {used} is {used / kept[name] - 1:.1%} above the snapshot's {kept[name]}")
    return found
