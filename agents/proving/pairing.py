"""Many proofs verified together: one random combination of all, and each alone only where that one fails."""

import secrets
from collections.abc import Sequence
from typing import Any

from agents.core.proofs.verification import Claim, verify, verify_combined

TOGETHER = 64
"""Claims of one combination: the interpreter is held for its tens of milliseconds."""
WEIGHT_BITS = 128


def verify_all(key: dict[str, Any], claims: Sequence[Claim]) -> list[bool]:
    """For each proof with its public inputs, whether it verifies under ``key``. Raises BadData for a broken key.

    A false one passes with a chance of 2^-128: the weights are drawn anew by the operating system.
    """
    answers: list[bool] = []
    for start in range(0, len(claims), TOGETHER):
        answers += _verified(key, claims[start : start + TOGETHER])
    return answers


def _verified(key: dict[str, Any], claims: Sequence[Claim]) -> list[bool]:
    if len(claims) > 1 and verify_combined(key, claims, [secrets.randbits(WEIGHT_BITS) for _ in claims]):
        return [True] * len(claims)
    return [verify(key, *claim) for claim in claims]
